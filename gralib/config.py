"""Everything that decides a run, in one frozen object, and the presets to start from."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gralib.errors import UserError

Preset = Literal["smoke", "laptop", "paper"]
Task = Literal["gender", "age_category", "age_regression", "age_group"]
Dataset = Literal["fgnet", "afad", "wikipedia", "utkface", "adience"]
Protocol = Literal["grouped", "official", "leave_one_out", "random"]
TASKS: dict[Dataset, tuple[Task, ...]] = {
    "fgnet": ("age_category", "age_regression"),
    "afad": ("gender", "age_category", "age_regression"),
    "wikipedia": ("gender", "age_category", "age_regression"),
    "utkface": ("gender", "age_category", "age_regression"),
    "adience": ("gender", "age_group"),
}
"""What the labels of each data set allow: FG-NET publishes no gender, Adience age groups instead of ages."""
TITLES: dict[Dataset, str] = {
    "fgnet": "FG-NET", "afad": "AFAD", "wikipedia": "Wikipedia (IMDB-WIKI)", "utkface": "UTKFace", "adience": "Adience",
}  # fmt: skip
"""The data sets as the literature writes them."""
PROTOCOLS: dict[Dataset, dict[str, Any]] = {
    "fgnet": {"folds": 10},
    "afad": {},
    "wikipedia": {},
    "utkface": {},
    "adience": {"protocol": "official"},
}
"""The honest protocol of each data set, as a change of `RunConfig`'s defaults. FG-NET's is leave one person out (82
folds); ten folds of persons are what a laptop does."""
Counts = tuple[Annotated[int, Field(ge=1, le=8)], ...]

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"width": 4, "epochs": 16, "batch_size": 32, "train_faces": 1500},
    "laptop": {"width": 8, "epochs": 18},
    "paper": {"width": 32, "epochs": 40},
}
"""What a preset changes of `RunConfig`'s defaults: `smoke` shows in minutes that everything runs, `laptop` gives
results in about half an hour a network on two cores, `paper` is the published size and wants a GPU."""


class RunConfig(BaseModel):
    """One training run. Unknown fields fail; equal configurations on equal data are one and the same run."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    recipe: Literal[2] = 2
    """Raised when the code trains differently for the same settings, so that old runs are not taken for new."""
    preset: Preset = "laptop"
    """The preset this configuration started from; claims look only at `laptop` and `paper`."""
    dataset: Dataset = "utkface"
    """The data set, by the name of its loader."""
    task: Task = "gender"
    """Two genders (7.1.1); one of the two age networks (7.1.2): category, or remainder inside it; or the eight age
    groups of Adience."""
    protocol: Protocol = "grouped"
    """Who trains and who tests; see `gralib.protocols`. Not stated in the paper."""
    folds: int = Field(5, ge=2, le=100)
    """Parts that `grouped` and `random` divide the faces into; one of them tests."""
    fold: int = Field(0, ge=0, le=999)
    """Which part tests; with `leave_one_out`, which person."""
    age_range: tuple[Annotated[int, Field(ge=0, le=116)], Annotated[int, Field(ge=0, le=116)]] | None = None
    """Only faces of these ages, ends included, such as UTKFace's 21 to 60; all when None."""
    split_seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the split; kept when `seed` changes, so that all seeds share their test faces."""
    label_noise: float = Field(0.0, ge=0, lt=1)
    """Share of the labels that train and choose the epoch which are replaced by a wrong one, drawn with `seed`."""
    train_faces: int | None = Field(None, ge=16)
    """At most this many training faces, drawn with `split_seed`; all when None. The test set stays whole."""

    network: Literal["gra_net", "residual", "levi_hassner", "savchenko", "separable", "hog"] = "gra_net"
    """GRA_Net, or what it is compared with; see `gralib.baselines` and `gralib.classical`."""
    width: int = Field(32, ge=1, le=256)
    """Channels of the stem. Not stated in the paper: 32 gives its 33 million parameters in the published layout."""
    attention: Literal["mixed", "channel", "spatial"] = "mixed"
    """Eq. 4, 5 or 6. Not stated in the paper for its experiments."""
    gate: Literal["trainable"] | Annotated[float, Field(ge=0, le=1)] = "trainable"
    """Gamma of Eq. 3: learned, or frozen at a number. Not stated in the paper: how it stays in [0, 1] and where
    it starts (here the sigmoid of one scalar, from 1/2)."""
    upsampling: Literal["bilinear", "nearest"] = "bilinear"
    """Upsampling in the mask branch: as the paper writes (6.3), or as the published code does."""
    groups: int = Field(1, ge=1, le=256)
    """Groups of the 3x3 convolutions (ResNeXt, 6.1)."""
    modules: Counts = Field((1, 1, 1), min_length=3, max_length=3)
    """Attention blocks in each stage. Not stated in the paper; as in its first author's published package."""
    mask_depths: Counts = Field((2, 1, 1), min_length=3, max_length=3)
    """Max-poolings in the mask branch of each stage. Not stated in the paper; as in the published package."""
    age_width: int = Field(10, ge=1, le=117)
    """Years in an age category. Not stated in the paper, nor is the target of the regression inside it (here the
    remainder, one output a category, trained where the category is the true one)."""

    epochs: int = Field(40, ge=1, le=1000)
    """Times through the training faces. Not stated in the paper."""
    batch_size: int = Field(64, ge=2, le=4096)
    """Faces in a step. Not stated in the paper."""
    learning_rate: float = Field(1e-3, gt=0, le=1)
    """Of Nadam (7.1), at the start; it falls to zero along half a cosine (our choice)."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Of the arithmetic inside the network (a Keras dtype policy); weights and loss are float32 in both."""
    augment: bool = True
    """Mirror and shift the training faces by up to two pixels. Not stated in the paper."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the weights, the order of the faces and their augmentation."""

    @model_validator(mode="after")
    def _fits_together(self) -> "RunConfig":
        if self.width % self.groups:
            raise ValueError(f"groups: expected a divisor of width {self.width}, got {self.groups}")
        if any(d > m for d, m in zip(self.mask_depths, (4, 3, 2), strict=True)):
            raise ValueError(f"mask_depths: expected at most 4, 3 and 2, got {self.mask_depths}")
        if self.task not in TASKS[self.dataset]:
            raise ValueError(
                f"task: expected one of {', '.join(TASKS[self.dataset])} on {self.dataset}, got {self.task}"
            )
        if self.network != "gra_net" and self.task == "age_regression":
            raise ValueError(f"network: expected gra_net for age_regression, got {self.network}")
        if self.protocol in ("grouped", "random") and self.fold >= self.folds:
            raise ValueError(f"fold: expected 0 to {self.folds - 1}, got {self.fold}")
        if self.protocol == "official" and (self.dataset != "adience" or self.fold > 4):
            raise ValueError(f"protocol: official is for folds 0 to 4 of adience, got {self.dataset}, fold {self.fold}")
        if self.label_noise and self.age_width == 117 and self.task in ("age_category", "age_regression"):
            raise ValueError(f"label_noise: expected 0 where one age category holds everybody, got {self.label_noise}")
        if self.age_range and self.age_range[0] > self.age_range[1]:
            raise ValueError(f"age_range: expected the younger age first, got {self.age_range}")
        return self

    def canonical(self) -> str:
        """Return the configuration as one line of JSON with sorted keys; settings at their default are left out.

        So a setting added later, with a default that means what was done before, leaves old runs their names.
        """
        chosen = self.model_dump(mode="json", exclude_defaults=True) | {"recipe": self.recipe}
        return json.dumps(chosen, sort_keys=True, separators=(",", ":"))

    def run_id(self, fingerprint: str) -> str:
        """Return the name of this run on the data of that fingerprint: readable, ending in a hash of both."""
        digest = hashlib.sha256(f"{self.canonical()}\n{fingerprint}".encode()).hexdigest()[:12]
        part = f"-f{self.fold}" if self.fold else ""
        return f"{self.dataset}-{self.task.replace('_', '-')}-{self.preset}-s{self.seed}{part}-{digest}"


RESET = (
    "gate", "seed", "split_seed", "train_faces", "augment", "epochs", "protocol", "folds", "fold", "age_range",
    "label_noise",
)  # fmt: skip
"""Settings that one compiled network serves: weights are set back, nothing is traced anew."""


def shape(config: RunConfig) -> RunConfig:
    """Return `config` with the settings of `RESET` at their defaults: equal where one compiled network serves."""
    return config.model_copy(update={name: RunConfig.model_fields[name].default for name in RESET})


def configure(preset: str = "laptop", **fields: Any) -> RunConfig:
    """Return a preset's configuration with `fields` changed.

    Raises:
        UserError: an unknown preset or field, or a value outside its range, on one line.
    """
    if preset not in PRESETS:
        raise UserError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    try:
        return RunConfig(**{"preset": preset, **PRESETS[preset], **fields})
    except ValidationError as error:
        raise UserError(explain(error)) from None


def configure_tasks(dataset: Dataset, preset: str = "laptop", **fields: Any) -> dict[Task, RunConfig]:
    """Return the configuration of every task of a data set under its honest protocol, with `fields` changed.

    Raises:
        UserError: as `configure`.
    """
    common = {**PROTOCOLS.get(dataset, {}), **fields, "dataset": dataset}
    return {task: configure(preset, task=task, **common) for task in TASKS.get(dataset, ("gender",))}


def explain(error: ValidationError) -> str:
    """Return a pydantic error as one line: each field, what was expected, what came."""
    parts = []
    for item in error.errors(include_url=False):
        name = ".".join(str(p) for p in item["loc"])
        if item["type"] == "extra_forbidden":
            known = ", ".join(RunConfig.model_fields)
            parts.append(f"{name}: unknown; the fields are {known}")
        elif name:
            message = item["msg"].replace("Input should be ", "expected ")
            parts.append(f"{name}: {message}, got {item['input']!r}")
        else:
            parts.append(item["msg"].removeprefix("Value error, "))
    return "; ".join(parts)
