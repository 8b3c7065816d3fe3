"""What the protocol is written in: conditions, contrasts, rules. Read from YAML, checked, and nothing else."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gralib.config import Dataset, RunConfig, Task
from gralib.evaluation.verdicts import RuleKind
from gralib.training.grids import JOINS


class Strict(BaseModel):
    """Fixed, and nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(Strict):
    """One side of a comparison; in the file its `settings` stand beside the rest."""

    settings: dict[str, Any] = {}
    """Of a run, beside the recipe."""
    join: str = ""
    """How an age is made of the two age networks, a key of `gralib.training.grids.JOINS`."""
    faces: dict[str, tuple[Any, ...]] = {}
    """Only these test faces: a column with two ages, ends included, or with names."""
    constant: bool = False
    """The best constant of the training faces of the pair's first condition."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "settings" in given:
            return given
        own = {key: given[key] for key in ("join", "faces", "constant") if key in given}
        return {**own, "settings": {key: value for key, value in given.items() if key not in own}}

    @model_validator(mode="after")
    def _known(self) -> "Condition":
        if unknown := sorted(set(self.settings) - set(RunConfig.model_fields)):
            raise ValueError(f"{unknown[0]}: expected a setting of a run, join, faces or constant")
        if self.join not in ("", *JOINS):
            raise ValueError(f"join: expected one of {', '.join(JOINS)}, got {self.join!r}")
        return self


class Contrast(Strict):
    """A comparison: pairs of conditions whose mean difference is judged."""

    what: str
    pairs: tuple[tuple[Condition, Condition], ...] = Field(min_length=1)
    dataset: Dataset = "utkface"
    task: Task = "gender"
    score: str = "accuracy"
    """See `gralib.metrics.METRICS`."""
    rule: RuleKind
    margin: float = Field(0.0, ge=0)
    """In shares of faces, or years."""
    above_constant: bool = False
    """Leave out pairs of which a condition is, over the seeds, no better than the constant predictor."""
    seeds: tuple[int, ...] = ()
    """Its own, where the claim's do not fit."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Contrast":
        if (self.margin > 0) != (self.rule in ("superiority", "non-inferiority")):
            raise ValueError(f"margin: expected one above 0 for superiority and non-inferiority, got {self.margin}")
        return self


class Rule(Strict):
    """How a claim is judged: the primary decides, parts stand beside it."""

    id: str
    estimand: str
    rule: RuleKind | None = None
    """'exact' or 'none', for a claim without runs."""
    primary: Contrast | None = None
    parts: tuple[Contrast, ...] = ()
    seeds: tuple[int, ...] = ()
    looks: tuple[int, ...] = ()
    """After how many of the seeds a verdict may fall; the last is all of them."""
    recipe: str = "tuned"
    keras_seeds: tuple[int, ...] = ()
    """Seeds of the primary under recipe `keras`, shown beside it."""
    exploratory: bool = False
    """Whether something of it was seen before this rule."""
    planned: bool = True
    why: str = ""
    """Why it is not planned."""

    @model_validator(mode="after")
    def _whole(self) -> "Rule":
        if (self.rule in ("exact", "none")) == (self.primary is not None):
            raise ValueError(f"{self.id}: expected a primary, or rule: exact or none")
        if self.primary and (not self.looks or self.looks[-1] != len(self.seeds) or self.looks != _rising(self.looks)):
            raise ValueError(f"{self.id}: looks: expected to rise to {len(self.seeds)}, the seeds, got {self.looks}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"{self.id}: seeds: expected each once")
        if not self.planned and not self.why:
            raise ValueError(f"{self.id}: why: expected the reason why it is not planned")
        return self

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The primary, then the parts."""
        return (self.primary, *self.parts) if self.primary else ()

    def shares(self, look: int) -> tuple[float, ...]:
        """Return the information at each look up to the one after `look` seeds, as shares of the last look's."""
        return tuple(n / self.looks[-1] for n in self.looks if n <= look)


class Extra(Strict):
    """Runs that no verdict needs."""

    what: str
    dataset: Dataset = "utkface"
    tasks: tuple[Task, ...]
    seeds: tuple[int, ...]
    settings: dict[str, Any] = {}
    conditions: tuple[Condition, ...]


class Choice(Strict):
    """A choice behind the rules."""

    choice: str
    reason: str


class Amendment(Strict):
    """A change of rules after the first run."""

    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    claims: tuple[str, ...]
    reason: str


def _rising(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))
