"""What the pages stand on, gathered once: records, rules, the decision table; and where a page's links lead."""

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gralib.errors import from_root
from gralib.evaluation import across, claims
from gralib.evaluation.claims import Claim
from gralib.evaluation.contrasts import Known, said
from gralib.evaluation.measures import measures_of
from gralib.evaluation.outcomes import Outcome
from gralib.evaluation.protocol import Protocol
from gralib.evaluation.protocol import load as load_protocol
from gralib.evaluation.ruledates import RuleDate, rule_dates
from gralib.evaluation.rules import Condition, Contrast, Rule
from gralib.report import figures
from gralib.report.text import Row, figure, link
from gralib.training import records
from gralib.training.records import Run


@dataclass
class Book:
    """Everything a page may need, and the pages written so far by their place under `folder`."""

    folder: Path
    protocol: Protocol
    stated: list[Claim]
    runs: list[Run]
    problems: list[str]
    dates: dict[str, RuleDate]
    pages: dict[str, str] = field(default_factory=dict)
    _scores: dict[str, dict[str, float]] = field(default_factory=dict)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The decision table, see `gralib.evaluation.claims.decide`."""
        return claims.decide(self.protocol, self.known, self.dates, self.problems)

    @cached_property
    def known(self) -> Known:
        """Runs that may count, by configuration."""
        return claims.known_runs(self.runs)

    @cached_property
    def lines(self) -> dict[str, list[Row]]:
        """The rows of the decision table by claim."""
        rows = self.table.to_dict(orient="records")
        return {claim.id: [row for row in rows if row["id"] == claim.id] for claim in self.stated}

    @cached_property
    def by_name(self) -> dict[str, Run]:
        """All runs by name."""
        return {run.record.run_id: run for run in self.runs}

    @cached_property
    def elsewhere(self) -> pd.DataFrame:
        """What networks trained on one data set say of another, see `gralib.evaluation.across.matrix`."""
        return across.matrix(self.runs)

    @cached_property
    def ordered(self) -> list[Claim]:
        """The claims, those that decide most first, calculations last."""
        return in_order(self.protocol, self.stated)

    @cached_property
    def counted(self) -> list[Run]:
        """The runs behind the numbers of any claim."""
        used = {name for row in self.rows() for name in run_ids(row)}
        return [run for run in self.runs if run.record.run_id in used]

    @cached_property
    def executed(self) -> set[str]:
        """Places of the executed notebooks of the book."""
        return {f"notebooks/{path.name}" for path in (self.folder / "notebooks").glob("*.ipynb")}

    def notebook(self, page: str, name: str) -> tuple[str, bool]:
        """Return where a page's link to a notebook leads: to it executed where the book has that, else as it is."""
        place = f"notebooks/{name}.ipynb"
        executed = place in self.executed
        return to(page, place) if executed else self.source(page, place), executed

    def story(self, page: str, name: str) -> str:
        """Return the sentence that links to a notebook; nothing where there is none of that name."""
        place, executed = self.notebook(page, name)
        if executed:
            return f"The story, executed: {link(name, place)}."
        known = name and from_root(f"notebooks/{name}.ipynb").is_file()
        return f"The notebook: {link(name, place)}, not executed on real faces yet." if known else ""

    def draw(self, page: str, name: str, drawn: Axes | Figure, alt: str) -> str:
        """Write a figure into the book and return it as a picture on a page."""
        place = f"figures/{name}.svg"
        figures.save(drawn, self.folder / place)
        return figure(alt, to(page, place))

    def rule(self, claim: str) -> Rule:
        """Return how a claim is judged."""
        return self.protocol.rules[claim]

    def rows(self, claim: str = "") -> list[Row]:
        """Return the rows of the decision table, of one claim if named, the primary first."""
        return self.lines[claim] if claim else [row for rows in self.lines.values() for row in rows]

    def first(self, claim: str) -> Row:
        """Return the row that decides a claim."""
        return self.rows(claim)[0]

    def seeds(self, claim: str) -> tuple[int, ...]:
        """Return the seeds behind a claim's verdict, or those with all runs so far where there is none."""
        count = self.first(claim).get("seeds_run")
        return self.rule(claim).seeds[: int(count)] if isinstance(count, float | int) and count == count else ()

    def say(self, contrast: Contrast, condition: Condition, seed: int, recipe: str) -> tuple[list[Run], Outcome] | None:
        """Return the runs of one condition and seed and what they say; None where one of them lacks."""
        return said(self.protocol, contrast, condition, seed, recipe, self.known)

    def scores(self, run: Run) -> dict[str, float]:
        """Return the mean scores of one run by their keys, see `gralib.evaluation.measures.measures`."""
        name = run.record.run_id
        if name not in self._scores:
            self._scores[name] = {key: float(values.mean()) for key, (values, _) in measures_of(run).items()}
        return self._scores[name]

    def source(self, page: str, path: str | Path) -> str:
        """Return the link from a page to a file of the checkout."""
        return Path(os.path.relpath(from_root(path), (self.folder / page).parent)).as_posix()

    def to_run(self, page: str, run_id: str) -> str:
        """Return the link from a page to a run's line in the list of runs."""
        return f"{to(page, 'about/runs.md')}#{run_id}"


def in_order(protocol: Protocol, stated: Sequence[Claim]) -> list[Claim]:
    """Return claims with those that decide most first, calculations last."""
    order, exact = protocol.general.order, [c.id for c in stated if protocol.rules[c.id].rule == "exact"]
    rest = [c.id for c in stated if c.id not in order and c.id not in exact]
    places = [*order, *rest, *exact]
    return sorted(stated, key=lambda claim: places.index(claim.id))


def open_book(folder: str | Path, public: bool) -> Book:
    """Read records and rules.

    Args:
        folder: where the pages go.
        public: committed records alone, as what is committed must not depend on this machine.
    """
    stores: Sequence[str] = (records.KEPT,) if public else (records.KEPT, records.STORE)
    runs, problems = records.gather(stores)
    return Book(from_root(folder), load_protocol(), claims.load(), runs, problems, rule_dates())


def to(page: str, target: str) -> str:
    """Return the link from one page to another, or to a figure or table."""
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def run_ids(row: Row) -> list[str]:
    """Return the runs behind a row of the decision table."""
    return row["run_ids"].split() if isinstance(row.get("run_ids"), str) else []
