"""What a claim's page and a notebook's last cell say of a claim, word for word: rule, verdict, number, what stays open.

The report writes it from the runs. A notebook reads the committed decision table, so it shows the committed result of
the real faces within a second, and needs no run, no pictures and no backend.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gralib.config import TITLES, configure
from gralib.errors import UserError, from_root
from gralib.evaluation import claims, protocol
from gralib.evaluation.claims import Claim
from gralib.evaluation.rules import Rule
from gralib.report import words
from gralib.report.evidence import Row, in_order
from gralib.report.text import plain, plural
from gralib.surroundings import TREE

if TYPE_CHECKING:
    from IPython.display import Markdown

REAL = "real faces, as committed"


def block(claim: Claim, rule: Rule, rows: Sequence[Row]) -> str:
    """Return the answer to a claim: what decides, the verdict with its number, and what stays open.

    Args:
        claim: what the paper says.
        rule: how it is judged.
        rows: of the decision table, the one that decides first.
    """
    seeds = f" On {words.looks_in_words(rule)}." if rule.primary else ""
    judged = f"{rule.estimand} The claim is {words.rule_in_words(rule)}.{seeds}"
    parts = {"Claim.": claim.claim, "Rule.": judged, "Verdict.": verdict(claim, rows),
             "What stays open.": still_open(claim, rule, rows[0])}  # fmt: skip
    return "\n\n".join(f"**{head}** {said}" for head, said in parts.items())


def verdict(claim: Claim, rows: Sequence[Row]) -> str:
    """Return the verdict in one line, with number, interval, seeds and faces, and the parts that went the other way."""
    row = rows[0]
    because = words.finding(row)
    line = f"**{row['verdict']}**" + (" *exploratory*" if row["exploratory"] else "")
    if isfinite(row["value"]) and words.unit(row):
        counts = [plural(int(row["seeds"]), "seed")]
        if row["faces"] == row["faces"] and row["faces"]:
            counts.append(f"{row['faces']:,.0f} test faces in {row['groups']:,.0f} groups")
        line += f": {words.estimated(row)}, {', '.join(counts)}"
    elif isfinite(row["value"]):
        line += f": {plain(row['value'])}"
        if claim.stated is not None:
            line += f" where the paper has {claim.paper} (difference {plain(row['value'] - claim.stated)})"
    line += f". Because: {because.rstrip('.')}." if because else "."
    if apart := words.opposed(rows):
        said = "; ".join(f"{words.short(part)}, {words.estimated(part)}" for part in apart)
        line += f" But *{apart[0]['verdict']}*, of its parts: {said}."
    return line


def still_open(claim: Claim, rule: Rule, row: Row) -> str:
    """Return what a verdict leaves open."""
    if row["verdict"] == "not testable":
        return "All of it."
    if row["verdict"] == "not run":
        trains = f" `gra reproduce {claim.id}` trains them." if rule.primary and rule.planned else ""
        return f"All of it: not all runs that decide are there.{trains}"
    if rule.rule == "exact":
        return "Nothing of the calculation. What it is worth on faces is for the claims that need training."
    assert rule.primary is not None
    faces, width = TITLES[rule.primary.dataset], configure("paper").width
    further = f"other faces than those of {faces}, another recipe than `{rule.recipe}`"
    if row["width"] != width:
        further += f", the paper’s width of {width} channels where these networks have at most {row['width']:.0f}"
    return f"{'Which way it goes; and then' if row['verdict'] == 'inconclusive' else 'How it is on'} {further}."


@dataclass(frozen=True)
class Committed:
    """What is committed of every claim: words, rule, rows of the decision table (the one that decides first)."""

    claims: dict[str, Claim]
    """By id, those that decide most first."""
    rules: dict[str, Rule]
    rows: dict[str, list[Row]]

    def block(self, claim: str) -> str:
        """Return the answer to a claim, see `block`."""
        return block(self.claims[claim], self.rules[claim], self.rows[claim])

    def first(self, claim: str) -> Row:
        """Return the row that decides a claim."""
        return self.rows[claim][0]


def kept(path: str) -> Path:
    """Return a committed file: under GRA_ROOT where it is there, else in the checkout that this code is from."""
    return file if (file := from_root(path)).exists() else TREE / path


@cache
def committed() -> Committed:
    """Read what is committed of the claims.

    Raises:
        UserError: no decision table in this checkout, or one of other claims.
    """
    file = kept(claims.TABLE)
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: expected the decision table that gra report --publish writes; {error}") from None
    text = [name for name in ("verdict", "finding", "what", "role", "recipe") if name in table]
    rows = table.assign(**{name: table[name].fillna("") for name in text}).to_dict(orient="records")
    rules = protocol.load(kept(protocol.PLACE))
    stated = {claim.id: claim for claim in in_order(rules, claims.load(kept(claims.PLACE)))}
    by_claim: dict[str, list[Row]] = {id_: [row for row in rows if row["id"] == id_] for id_ in stated}
    if missing := [id_ for id_, mine in by_claim.items() if not mine]:
        raise UserError(f"{file}: expected a row for {missing[0]}; gra report --publish writes it anew")
    return Committed(stated, rules.rules, by_claim)


def answer(*ids: str) -> "Markdown":
    """Return the answers to some claims, such as 'C4', as a notebook shows them: the words of the claim's page.

    Raises:
        UserError: an unknown claim.
    """
    from IPython.display import Markdown

    known = committed()
    _check(ids, known)
    return Markdown("\n\n".join(f"**{i}: {known.claims[i].short}**\n\n{known.block(i)}" for i in ids))


def _check(ids: Sequence[str], known: Committed) -> None:
    if unknown := [i for i in ids if i not in known.claims]:
        raise UserError(f"claim: expected one of {', '.join(known.claims)}, got {unknown[0]!r}")


def first_picture(ids: Sequence[str], instead: Callable[[], Any]) -> Any:
    """Draw the committed differences of some claims on real faces; where none is known, say so and draw `instead`.

    Args:
        ids: of claims, such as 'C4'.
        instead: draws what the question is about; nothing measured here.

    Raises:
        UserError: an unknown claim.
    """
    from IPython.display import Markdown, display

    from gralib.report import plots

    known = committed()
    _check(ids, known)
    rows = [row for i in ids for row in known.rows[i] if isinstance(row["unit"], str) and isfinite(row["value"])]
    if not rows:
        display(Markdown(f"**{', '.join(ids)} on real faces: not run yet.** Instead a picture of the question:"))
        return instead()
    several = len(ids) > 1
    names = [(f"{row['id']}: " if several else "") + words.short(row) for row in rows]
    figure = plots.forest(rows, names)
    title = f"{', '.join(ids)}: differences on {REAL}"
    figure.axes[0].set_title(title, loc="left", fontweight="bold", fontsize=13.5)
    return figure
