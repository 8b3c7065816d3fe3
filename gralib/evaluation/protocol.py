"""The protocol: per claim what is compared, on which seeds, and what decides; written down before the runs.

`reports/protocol.yaml` holds it. The list of runs is made from it, in the order that decides most first.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, model_validator

from gralib.config import PROTOCOLS, Dataset, RunConfig, Task, configure, shape
from gralib.errors import UserError, from_root
from gralib.evaluation.rules import Amendment, Choice, Condition, Contrast, Extra, Rule, Strict
from gralib.training.grids import JOINS

PLACE = "reports/protocol.yaml"
WAVE = 5
"""Seeds that all claims get before any gets more."""


class General(Strict):
    """What all claims share."""

    preset: str
    settings: dict[str, Any]
    folds: dict[Dataset, int]
    rates: dict[str, float]
    """Rates of the methods for which another than the recipe's was the best on validation faces."""
    order: tuple[str, ...]
    """Claims with runs, those that decide most first."""
    choices: tuple[Choice, ...]
    amendments: tuple[Amendment, ...]


class Protocol(Strict):
    """The whole file."""

    general: General
    others: tuple[Extra, ...]
    claims: tuple[Rule, ...]

    @model_validator(mode="after")
    def _agrees(self) -> "Protocol":
        ids = [rule.id for rule in self.claims]
        if len(set(ids)) < len(ids):
            raise ValueError("claims: expected each id once")
        trained = {rule.id for rule in self.claims if rule.primary}
        if set(self.general.order) != trained:
            raise ValueError(
                f"order: expected every claim with runs once; differs in {trained ^ set(self.general.order)}"
            )
        if unknown := {c for a in self.general.amendments for c in a.claims} - set(ids):
            raise ValueError(f"amendments: expected ids of claims, got {unknown}")
        return self

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The rules by id."""
        return {rule.id: rule for rule in self.claims}

    def runs_of(self, contrast: Contrast, condition: Condition, seed: int, recipe: str) -> list[RunConfig]:
        """Return the runs behind one condition and seed: one, or both age networks where they are joined."""
        tasks = JOINS[condition.join] if condition.join else (contrast.task,)
        return [self._config(contrast.dataset, task, condition.settings, seed, recipe) for task in tasks]

    def _config(self, dataset: Dataset, task: Task, settings: dict[str, Any], seed: int, recipe: str) -> RunConfig:
        own = {**PROTOCOLS[dataset], **self.general.settings}
        if (network := settings.get("network", "gra_net")) in self.general.rates and recipe == "tuned":
            own["learning_rate"] = self.general.rates[network]
        place = {"dataset": dataset, "task": task, "seed": seed, "fold": seed % self.general.folds[dataset]}
        return _configure(self.general.preset, recipe, json.dumps({**own, **place, **settings}))

    def _of(self, contrast: Contrast, seeds: tuple[int, ...], recipe: str) -> Iterator[RunConfig]:
        for seed in seeds:
            for condition in (side for pair in contrast.pairs for side in pair if not side.constant):
                yield from self.runs_of(contrast, condition, seed, recipe)

    def _extra(self, extra: Extra) -> list[RunConfig]:
        return [
            self._config(extra.dataset, task, {**extra.settings, **condition.settings}, seed, "tuned")
            for seed in extra.seeds for condition in extra.conditions for task in extra.tasks
        ]  # fmt: skip

    def wave(self, claim: str, number: int, primary: bool = False) -> list[RunConfig]:
        """Return the runs of a claim's next five seeds, each once; those of one compiled network follow one another.

        Args:
            claim: its id.
            number: of the five seeds, from 0.
            primary: only what its primary needs.
        """
        rule, part = self.rules[claim], slice(number * WAVE, (number + 1) * WAVE)
        if not rule.planned:
            return []
        asked = [c for c in rule.contrasts[: 1 if primary else None] if not c.seeds]
        runs = [r for c in asked for r in self._of(c, rule.seeds[part], rule.recipe)]
        order = list(dict.fromkeys(_network(id(run)) for run in runs))
        return sorted(_once(runs), key=lambda run: order.index(_network(id(run))))

    def configs(self, claim: str) -> list[RunConfig]:
        """Return all runs that a claim's verdict may need, those of its first seeds first, each once."""
        rule = self.rules[claim]
        runs = [run for number in range(_waves(rule)) for run in self.wave(claim, number)]
        if rule.planned:
            runs += [run for c in rule.contrasts for run in self._of(c, c.seeds, rule.recipe)]
        return _once(runs)

    @property
    def stages(self) -> int:
        """How many stages the runs come in: a look may fall after each of them."""
        return max(_waves(rule) for rule in self.claims) + 1

    def stage(self, number: int, ended: Mapping[str, int] | None = None) -> list[RunConfig]:
        """Return the runs of a stage, each once: five seeds of every claim in `order`, all primaries before any part;
        in the last stage seeds of a part's own, recipe `keras`, and what no verdict needs.

        Args:
            number: from 0.
            ended: after how many seeds a claim was decided at an earlier look; its further seeds are left out.
        """
        order = self.general.order
        if number < self.stages - 1:
            going = [c for c in order if number * WAVE < (ended or {}).get(c, len(self.rules[c].seeds))]
            return _once(r for primary in (True, False) for c in going for r in self.wave(c, number, primary))
        rules = [self.rules[claim] for claim in order if self.rules[claim].planned]
        runs = [run for rule in rules for c in rule.contrasts for run in self._of(c, c.seeds, rule.recipe)]
        runs += [run for rule in rules for run in self._of(rule.contrasts[0], rule.keras_seeds, "keras")]
        return _once([*runs, *(run for extra in self.others for run in self._extra(extra))])

    def all_configs(self, ended: Mapping[str, int] | None = None) -> list[RunConfig]:
        """Return all runs, each once, those that decide most first; `ended` as in `stage`."""
        return _once(run for number in range(self.stages) for run in self.stage(number, ended))

    @cached_property
    def _scores(self) -> dict[RunConfig, set[str]]:
        found: dict[RunConfig, set[str]] = {}
        for rule in self.claims:
            for contrast in rule.contrasts:
                for config in self._of(contrast, contrast.seeds or rule.seeds, rule.recipe):
                    found.setdefault(config, set()).add(contrast.score)
        return found

    def scores_of(self, config: RunConfig) -> set[str]:
        """Return the scores that claims ask of a run."""
        return self._scores.get(config, set())

    def plain_configs(self) -> list[RunConfig]:
        """Return the runs of GRA_Net as it is on every data set: those that are asked about other sets' faces."""
        plain = [
            e.model_copy(update={"conditions": (Condition(),)}) for e in self.others if Condition() in e.conditions
        ]
        return _once(run for extra in plain for run in self._extra(extra))


_RUNS: dict[str, RunConfig] = {}
"""Configurations made here by address: one object a run, as addresses take long to compare."""


@cache
def _configure(preset: str, recipe: str, fields: str) -> RunConfig:
    """Return the configuration of a run: the same object whatever it was asked by."""
    config = configure(preset, recipe, **json.loads(fields))
    return _RUNS.setdefault(config.canonical(), config)


def _once(runs: Iterable[RunConfig]) -> list[RunConfig]:
    """Return runs made by `_configure` in order, each once."""
    return list({id(run): run for run in runs}.values())


@cache
def _network(number: int) -> str:
    """Return the compiled network that serves the run with that `id`, one of `_RUNS`."""
    return shape(next(run for run in _RUNS.values() if id(run) == number)).canonical()


def _waves(rule: Rule) -> int:
    return -(-len(rule.seeds) // WAVE)


def parse(text: str) -> Any:
    """Return what a YAML text holds, read by the C library where it is there."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def load(path: str | Path = PLACE) -> Protocol:
    """Read and validate the protocol.

    Raises:
        UserError: no such file, no YAML, or a rule that does not fit together, on one line.
    """
    file = from_root(path)
    try:
        return Protocol.model_validate(parse(file.read_text()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{file}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # a date that no calendar has is a ValueError
        raise UserError(f"{file}: expected the protocol; {' '.join(str(error).split())}") from None
