"""From records to verdicts: every claim of the paper with a rule that was written down before the result.

`reports/claims.yaml` states claims and rules; here is the code of the rules. Only real faces and the presets `laptop`
and `paper` count. With several presets the larger one does.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from gralib import grids, orientation
from gralib.compare import Side, describe, gain, gain_on_floor, side
from gralib.config import PROTOCOLS, TITLES, Dataset, configure, explain
from gralib.errors import UserError, from_root
from gralib.records import Run
from gralib.scores import Estimate, interval_over_masks, interval_over_seeds
from gralib.study import split_effect, studies

Verdict = Literal["reproduced", "partly", "not reproduced", "not testable", "not run"]
COLUMNS = [
    "id", "verdict", "what", "data set", "value", "low", "high", "paper", "seeds", "run ids",
    "difference", "finding", "stuck runs",
]  # fmt: skip
PRESETS = ("paper", "laptop")
EQUATIONS = "reports/equations.json"
"""Written by `gra equations`: the exact checks of C1 to C3."""
Row = dict[str, Any]


class Test(BaseModel):
    """How a claim is tested; what each kind needs is said in claims.yaml."""

    __test__ = False  # not one of pytest's
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["equation", "differences", "floors", "bands", "split", "orientation", "none"]
    grid: str = ""
    dataset: Dataset = "utkface"
    datasets: tuple[Dataset, ...] = ()
    measure: str = ""
    seeds: int = 1
    pairs: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = ()
    settings: tuple[dict[str, Any], ...] = ()
    bands: tuple[tuple[int, int], ...] = ()
    figure: str = ""
    """Of the report, for an equation."""
    why: str = ""
    verdict: Literal["not run", "not testable"] = "not run"


class Claim(BaseModel):
    """One line of claims.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    claim: str
    where: str
    words: str
    measured: str
    paper: str
    stated: float | None = None
    """The paper's value as a number, where it gives one."""
    rule: str
    test: Test


def load(path: str | Path = "reports/claims.yaml") -> list[Claim]:
    """Read and validate the claims.

    Raises:
        UserError: no such file, no YAML, an unknown or missing field, an id given twice, an unknown grid.
    """
    file = from_root(path)
    try:
        claims = [Claim(**entry) for entry in yaml.safe_load(file.read_text())]
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise UserError(f"{file}: expected a list of claims; {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise UserError(f"{file}: {explain(error)}") from None
    for i, claim in enumerate(claims):
        if claim.id in {c.id for c in claims[:i]}:
            raise UserError(f"{file}: {claim.id}: expected each id once")
        if claim.test.grid and claim.test.grid not in grids.GRIDS:
            known = ", ".join(grids.GRIDS)
            raise UserError(f"{file}: {claim.id}: grid: expected one of {known}, got {claim.test.grid!r}")
    return claims


def judge(claims: Sequence[Claim], runs: Iterable[Run]) -> pd.DataFrame:
    """Return one row a comparison, `COLUMNS`: the verdict of its claim, value with interval, seeds and runs.

    A value of a comparison is a gain: how much better the first is than the second (accuracies in shares, errors in
    years); its interval is over seeds and groups of faces.
    Runs that never learnt count like any other and are named. A claim without enough runs is 'not run'.
    """
    real = [r for r in runs if not r.record.synthetic and r.record.config.preset in PRESETS]
    rows: list[Row] = []
    stuck = {run.record.run_id for run in real if run.stuck}
    for claim in claims:
        found = TESTS[claim.test.kind](claim.test, real, claim.id)
        verdict = _verdict([row.pop("won") for row in found], claim.test)
        if not found:
            found = [{"what": claim.test.why or "not run"}]
        rows += [{"id": claim.id, "verdict": verdict, "paper": claim.paper, **row} for row in found]
        for row in rows[-len(found) :]:
            row["stuck runs"] = " ".join(i for i in str(row.get("run ids", "")).split() if i in stuck)
            if claim.stated is not None and "value" in row:
                row["difference"] = row["value"] - claim.stated
    return pd.DataFrame(rows, columns=COLUMNS)


def _verdict(won: list[bool | None], test: Test) -> Verdict:
    """All comparisons won, some, none; not run where one is missing; not testable where nothing here could test it."""
    if test.kind == "none":
        return test.verdict
    if not won or None in won:
        return "not run"
    return "reproduced" if all(won) else "partly" if any(won) else "not reproduced"


def _equation(test: Test, runs: list[Run], claim: str) -> list[Row]:
    path = from_root(EQUATIONS)
    if not path.exists():
        return []
    checks = [check for check in json.loads(path.read_text())["checks"] if check["claim"] == claim]
    return [{"what": c["what"], "value": c["value"], "won": c["holds"], "data set": "none"} for c in checks]


def _differences(test: Test, runs: list[Run], claim: str) -> list[Row]:
    rows = []
    for first, second in test.pairs:
        what = f"{describe(first)}, against {describe(second)}"
        both = _paired(test, runs, first, second)
        if both is None:
            rows.append({"what": f"{what}: not run with {test.seeds} seeds", "data set": test.dataset, "won": None})
        else:
            rows.append(_row(what, test.dataset, gain(*both, test.measure), both))
    return rows


def _paired(test: Test, runs: list[Run], first: dict, second: dict) -> tuple[Side, Side] | None:
    """Return both sides of a pair with the seeds that both have, under the larger preset; None if they are too few."""
    for preset in PRESETS:
        sides = [grids.by_seed(test.grid, setting, runs, test.dataset, preset) for setting in (first, second)]
        seeds = sorted(set(sides[0]) & set(sides[1]))
        if len(seeds) >= test.seeds:
            one, other = (side([found[seed] for seed in seeds], test.measure) for found in sides)
            return one, other
    return None


def _floors(test: Test, runs: list[Run], claim: str) -> list[Row]:
    rows = []
    for setting in test.settings:
        both = _paired(test, runs, setting, setting)
        if both is None:
            rows.append({"what": f"{describe(setting)}: not run", "data set": test.dataset, "won": None})
        else:
            rows.append(_row(describe(setting), test.dataset, gain_on_floor(both[0], test.measure), both[:1]))
    for dataset in test.datasets:
        if run := _standard(runs, dataset, "gender"):
            one = side([[run]], test.measure)
            rows.append(_row("one network, full training set", dataset, gain_on_floor(one, test.measure), [one]))
    return rows


def _bands(test: Test, runs: list[Run], claim: str) -> list[Row]:
    run = _standard(runs, test.dataset, "gender")
    if not run:
        return []
    one = side([[run]], test.measure)
    older, younger = ((one.faces["age"].between(*band)).to_numpy() for band in test.bands)
    what = "aged {}-{}".format(*test.bands[0]) + ", against aged {}-{}".format(*test.bands[1])
    e = interval_over_masks(one.values[0], older, younger, one.faces["group"])
    return [_row(what, test.dataset, e, [one])]


def _orientation(test: Test, runs: list[Run], claim: str) -> list[Row]:
    """Compare what changed faces cost with masks and without (gamma frozen at 1), paired by seed and face."""
    for preset in PRESETS:
        found = [
            {seed: table for seed, (run,) in grids.by_seed(test.grid, setting, runs, test.dataset, preset).items()
             if (table := orientation.read(run)) is not None}
            for setting in test.settings
        ]  # fmt: skip
        seeds = sorted(set(found[0]) & set(found[1]))
        if len(seeds) < test.seeds:
            continue
        ids = " ".join(
            grids.by_seed(test.grid, s, runs, test.dataset, preset)[seed][0].record.run_id
            for s in test.settings for seed in seeds
        )  # fmt: skip
        rows = []
        for kind, step, unit in (("turn", 15, "degrees"), ("move", 3, "pixels")):
            ours, trunk = (orientation.losses([f[seed] for seed in seeds], kind, step) for f in found)
            e = interval_over_seeds(trunk - ours, found[0][seeds[0]]["group"])
            done = {"turn": "turned", "move": "moved"}[kind]
            what = f"faces {done} by {step} {unit}: accuracy lost less than by the trunk alone"
            rows.append({**_row(what, test.dataset, e, []), "seeds": len(seeds), "run ids": ids})
        return rows
    return []


def _split(test: Test, runs: list[Run], claim: str) -> list[Row]:
    effect = split_effect(studies(runs))
    rows = []
    for row in effect.to_dict(orient="records"):
        if row["measure"] == test.measure and row["study"].startswith(f"{TITLES[test.dataset]},"):
            better = Estimate(-row["difference"], -row["high"], -row["low"], row["faces"])
            rows.append({**_row("random split, against honest split", test.dataset, better, []),
                         "run ids": row["runs"], "seeds": 1})  # fmt: skip
    return rows


def _none(test: Test, runs: list[Run], claim: str) -> list[Row]:
    return []


def _standard(runs: list[Run], dataset: Dataset, task: str) -> Run | None:
    """Return the run of a data set under its honest protocol with the whole training set, seed 0."""
    known = {run.record.config: run for run in runs}
    for preset in PRESETS:
        config = configure(preset, **{**PROTOCOLS[dataset], "dataset": dataset, "task": task})
        if config in known:
            return known[config]
    return None


def _row(what: str, dataset: str, e: Estimate, sides: Sequence[Side]) -> Row:
    return {
        "what": what, "data set": dataset, "value": e.value, "low": e.low, "high": e.high,
        "won": bool(e.low > 0), "finding": e.word, "seeds": len(sides[0].values) if sides else 1,
        "run ids": " ".join(i for s in sides for i in s.run_ids),
    }  # fmt: skip


TESTS: dict[str, Callable[[Test, list[Run], str], list[Row]]] = {
    "equation": _equation,
    "differences": _differences,
    "floors": _floors,
    "bands": _bands,
    "split": _split,
    "orientation": _orientation,
    "none": _none,
}
