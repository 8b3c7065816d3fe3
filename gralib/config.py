"""Everything that decides a run, in one frozen object, and the presets to start from."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gralib.errors import UserError, explain
from gralib.registry import Task, data_sets

Preset = Literal["smoke", "laptop", "paper"]
Dataset = Annotated[str, AfterValidator(lambda name: _known(name))]
Recipe = Literal["keras", "tuned"]
Protocol = Literal["grouped", "official", "leave_one_out", "random"]
TASKS: dict[str, tuple[Task, ...]] = {name: data.tasks for name, data in data_sets().items()}
"""What the labels of each data set allow: FG-NET publishes no gender, Adience age groups instead of ages."""
TITLES: dict[str, str] = {name: data.title for name, data in data_sets().items()}
"""The data sets as the literature writes them."""
PROTOCOLS: dict[str, dict[str, Any]] = {name: data.protocol for name, data in data_sets().items()}
"""The honest protocol of each data set, as a change of `RunConfig`'s defaults."""
Number = Annotated[float, AfterValidator(lambda value: value + 0.0)]
"""A float whose -0.0 is 0.0, so that one value has one address."""
Counts = Annotated[tuple[Annotated[int, Field(ge=1, le=8)], ...], Field(strict=False)]
Span = Annotated[tuple[Annotated[int, Field(ge=0, le=116)], Annotated[int, Field(ge=0, le=116)]], Field(strict=False)]

PRESETS: dict[str, dict[str, Any]] = {
    "smoke": {"width": 4, "epochs": 16, "batch_size": 32, "train_faces": 1500},
    "laptop": {"width": 8},
    "paper": {"width": 32},
}
"""What a preset changes of `RunConfig`'s defaults and the recipe: `smoke` shows in minutes that everything runs,
`laptop` gives results in minutes a network on two cores, `paper` is the published size and wants a GPU."""
RECIPES: dict[Recipe, dict[str, Any]] = {
    "keras": {"epochs": 8},
    "tuned": {
        "epochs": 8, "held_out": 0.0, "start": "zero", "warmup": 0.1, "weight_decay": 0.05, "gate_rate": 50.0,
        "mirror": "alternating", "zoom": 0.15,
    },
}  # fmt: skip
"""How a network is trained, for as many epochs: with Keras' defaults around what the paper says, or as chosen on
validation faces (see `gralib.evaluation.search` and notebooks/recipe.ipynb)."""


def _known(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f"expected one of {', '.join(TASKS)}")
    return name


class RunConfig(BaseModel):
    """One training run. Unknown fields fail, and so does a value of another type: True is no number, 1.0 no whole one.

    Configurations are equal where they name the same run: what the method or the task ignores does not count.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, strict=True
    )

    version: Literal[3, 4] = 3
    """Raised when the code trains differently for the same settings, so that old runs are not taken for new."""
    preset: Preset = "laptop"
    """The preset this configuration started from: a label, no part of the address."""
    recipe: Recipe = "keras"
    """The recipe this configuration started from: a label, no part of the address."""
    dataset: Dataset = "utkface"
    """The data set, by the name of its loader."""
    task: Task = "gender"
    """Two genders (7.1.1); one of the two age networks (7.1.2): category, or remainder inside it; or the eight age
    groups of Adience."""
    protocol: Protocol = "grouped"
    """Who trains and who tests; see `gralib.data.splits`. Not stated in the paper."""
    folds: int = Field(5, ge=2, le=100)
    """Parts that `grouped` and `random` divide the faces into; one of them tests."""
    fold: int = Field(0, ge=0, le=999)
    """Which part tests; with `leave_one_out`, which person."""
    tuning: bool = False
    """Choose a recipe: the faces of the fold sit out, and a fifth of those that would train test instead."""
    age_range: Span | None = None
    """Only faces of these ages, ends included, such as UTKFace's 21 to 60; all when None."""
    split_seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the split; kept when `seed` changes, so that all seeds of a fold share their test faces."""
    label_noise: Number = Field(0.0, ge=0, lt=1)
    """Share of the labels that train and choose the epoch which are replaced by a wrong one, drawn with `seed`."""
    noise: Literal["symmetric", "pairwise"] = "symmetric"
    """Which wrong label: any, all equally likely; or what people mistake: the next age category, and of genders
    those of children alone."""
    train_faces: int | None = Field(None, ge=16)
    """At most this many training faces, drawn with `split_seed`; all when None. The test set stays whole."""
    held_out: Number = Field(0.1, ge=0, le=0.5)
    """Share of the training side that is held out to choose the epoch, by groups; with 0 all of it trains and the
    last epoch counts. Not stated in the paper."""

    network: Literal["gra_net", "residual", "levi_hassner", "savchenko", "separable", "hog"] = "gra_net"
    """GRA_Net, or what it is compared with; see `gralib.model.baselines` and `gralib.training.hog`."""
    width: int = Field(32, ge=1, le=256)
    """Channels of the stem. Not stated in the paper: 32 gives its 33 million parameters in the published layout."""
    attention: Literal["mixed", "channel", "spatial"] = "mixed"
    """Eq. 4, 5 or 6. Not stated in the paper for its experiments."""
    gate: Literal["trainable"] | Annotated[Number, Field(ge=0, le=1)] = "trainable"
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
    skips: bool = True
    """Skip connections between the two halves of a mask branch (6.3); without them only the way down and up is left."""
    masks: Literal["each", "one"] = "each"
    """A mask for every trunk (6.1), or one branch whose mask, resized, serves all blocks at like parameters."""
    age_width: int = Field(10, ge=1, le=117)
    """Years in an age category. Not stated in the paper, nor is the target of the regression inside it (here the
    remainder, one output a category, trained where the category is the true one)."""

    epochs: int = Field(40, ge=1, le=1000)
    """Times through the training faces. Not stated in the paper."""
    batch_size: int = Field(64, ge=2, le=4096)
    """Faces in a step. Not stated in the paper."""
    learning_rate: Number = Field(1e-3, gt=0, le=1)
    """Greatest rate of Nadam; the paper's is 0.001 (7.1). It falls to zero along half a cosine (our choice)."""
    warmup: Number = Field(0.0, ge=0, lt=1)
    """Share of the steps in which the rate rises to `learning_rate`. Not stated in the paper."""
    gate_rate: Number = Field(1.0, gt=0, le=1000)
    """How much faster the gates' scalars move than other weights. 1 is the paper read literally: then Nadam, whose
    steps are about its rate, hardly moves a gate in a short training; any other is our choice."""
    weight_decay: Number = Field(0.0, ge=0, le=1)
    """Share of every kernel that a step takes away at rate 1 (Loshchilov and Hutter 2019). Not stated in the paper."""
    label_smoothing: Number = Field(0.0, ge=0, lt=1)
    """Share of a target that is spread over all classes (Szegedy et al. 2016). Not stated in the paper."""
    start: Literal["glorot", "he", "zero", "dirac"] = "glorot"
    """Kernels at the start: Glorot uniform (Keras' default), He normal, or Glorot with the last convolution of every
    residual unit at zero or at the identity. Not stated in the paper."""
    batch_norm_momentum: Number = Field(0.9, gt=0, lt=1)
    """Of batch norm's running statistics. Not stated in the paper."""
    averaging: Number = Field(0.0, ge=0, lt=1)
    """Decay of the running mean of all weights that answers in place of the last ones; 0: none. Not stated."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """Of the arithmetic inside the network (a Keras dtype policy); weights and loss are float32 in both."""
    mirror: Literal["none", "random", "alternating"] = "random"
    """Mirror the training faces: half of them drawn anew in every epoch, or each in every other epoch. Not stated in
    the paper, which names a generator of Keras (7.1)."""
    shift: int = Field(2, ge=0, le=16)
    """Pixels by which a training face is moved at most. Not stated in the paper."""
    zoom: Number = Field(0.0, ge=0, lt=1)
    """Share by which a training face is enlarged or reduced at most. Not stated in the paper."""
    cutout: int = Field(0, ge=0, le=32)
    """Side in pixels of a grey square laid on each training face (DeVries and Taylor 2017). Not stated."""
    mixup: Number = Field(0.0, ge=0, le=1)
    """Mix pairs of training faces and their targets by a share from Beta(mixup, mixup) (Zhang et al. 2018). Not
    stated in the paper."""
    mirrored_prediction: bool = False
    """Answer with the mean of a face and its mirror image. Not stated in the paper."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the weights, the order of the faces, their augmentation and dropout."""

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
        if self.mixup and self.task == "age_regression":
            raise ValueError(f"mixup: expected 0 for age_regression, whose targets can't be mixed, got {self.mixup}")
        if self.protocol in ("grouped", "random") and self.fold >= self.folds:
            raise ValueError(f"fold: expected 0 to {self.folds - 1}, got {self.fold}")
        published = [name for name, own in PROTOCOLS.items() if own.get("protocol") == "official"]
        if self.protocol == "official" and (self.dataset not in published or self.fold > 4):
            sets = " or ".join(published)
            raise ValueError(f"protocol: official is for folds 0 to 4 of {sets}, got {self.dataset}, fold {self.fold}")
        if self.label_noise and self.age_width == 117 and self.task in ("age_category", "age_regression"):
            raise ValueError(f"label_noise: expected 0 where one age category holds everybody, got {self.label_noise}")
        if self.masks == "one" and self.groups > 1:
            raise ValueError(f"masks: expected each with groups {self.groups}, got one")
        if self.age_range and self.age_range[0] > self.age_range[1]:
            raise ValueError(f"age_range: expected the younger age first, got {self.age_range}")
        return self

    def canonical(self) -> str:
        """Return the configuration as one line of JSON with sorted keys: what decides the run, and nothing else.

        Settings at their default are left out, so that one added later, whose default means what was done before,
        leaves old runs their names; so are labels and what the method or the task ignores. Wrong labels are drawn
        otherwise since version 4 (up to 3 they were the first of the second epoch's order): runs with them name that.
        """
        chosen = self.model_dump(mode="json", exclude_defaults=True, exclude=ignored(self))
        version = 4 if self.label_noise else 3
        return json.dumps(chosen | {"version": version}, sort_keys=True, separators=(",", ":"))

    def __eq__(self, other: object) -> bool:
        """Tell whether the other configuration names the same run."""
        return isinstance(other, RunConfig) and self.canonical() == other.canonical()

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self.canonical())

    def run_id(self, fingerprint: str) -> str:
        """Return the name of this run on the data of that fingerprint: readable, ending in a hash of both."""
        digest = hashlib.sha256(f"{self.canonical()}\n{fingerprint}".encode()).hexdigest()[:12]
        method = f"w{self.width}" if self.network == "gra_net" else self.network.replace("_", "-")
        seed = "" if "seed" in ignored(self) else f"-s{self.seed}"
        fold = f"-f{self.fold}" if self.fold else ""
        return f"{self.dataset}-{self.task.replace('_', '-')}-{method}{seed}{fold}-{digest}"


NETWORK = frozenset({
    "attention", "gate", "gate_rate", "upsampling", "groups", "modules", "mask_depths", "skips", "masks",
})  # fmt: skip
"""Settings of GRA_Net's layout, which no other method reads."""
TRAINING = frozenset({
    "epochs", "batch_size", "learning_rate", "warmup", "weight_decay", "label_smoothing", "start", "averaging",
    "batch_norm_momentum", "precision", "mirror", "shift", "zoom", "cutout", "mixup", "mirrored_prediction",
})  # fmt: skip
"""Settings of the training of a network, which a method without one does not read."""


def ignored(config: RunConfig) -> set[str]:
    """Return the settings that decide nothing in this run: labels, and what the method, task or protocol ignores."""
    out = {"preset", "recipe", "version"}
    if config.network != "gra_net":
        out |= NETWORK
    if config.network not in ("gra_net", "residual"):
        out |= {"width"}
    if config.network == "hog":
        out |= TRAINING | ({"seed"} if not config.label_noise else set())
    if config.network not in ("gra_net", "residual") and config.start in ("zero", "dirac"):
        out |= {"start"}  # no residual units: the start is Glorot's
    if not config.label_noise:
        out |= {"noise"}
    if not isinstance(config.gate, str):
        out |= {"gate_rate"}
    if config.task in ("gender", "age_group") and config.network != "savchenko":
        out |= {"age_width"}
    if config.task == "age_regression":
        out |= {"label_smoothing"}
    if config.protocol not in ("grouped", "random"):
        out |= {"folds"}
        if not (config.tuning or config.train_faces or config.held_out):
            out |= {"split_seed"}
    return out


SHAPE = (
    "network", "width", "attention", "upsampling", "groups", "modules", "mask_depths", "skips", "masks", "age_width",
    "task", "dataset", "gate", "precision", "batch_norm_momentum", "averaging", "batch_size",
)  # fmt: skip
"""Settings that need a compiled network of their own; for all others weights and rates are set back."""


UNSHAPED = {name: field.default for name, field in RunConfig.model_fields.items() if name not in SHAPE}
"""All other settings, at their defaults."""


def shape(config: RunConfig) -> RunConfig:
    """Return `config` with all settings but those of `SHAPE` at their defaults: equal where one network serves.

    A frozen gate is a weight of the network with trainable ones; any other kind of gate is a network of its own.
    """
    gate = config.gate if isinstance(config.gate, str) else "trainable"
    return config.model_copy(update={**UNSHAPED, "gate": gate})


def configure(preset: str = "laptop", recipe: str = "tuned", **fields: Any) -> RunConfig:
    """Return the configuration of a preset under a recipe with `fields` changed.

    Raises:
        UserError: an unknown preset, recipe or field, or a value outside its range, on one line.
    """
    for name, known, got in (("preset", PRESETS, preset), ("recipe", RECIPES, recipe)):
        if got not in known:
            raise UserError(f"{name}: expected one of {', '.join(known)}, got {got!r}")
    try:
        return RunConfig(**{"preset": preset, "recipe": recipe, **RECIPES[recipe], **PRESETS[preset], **fields})  # type: ignore[index]
    except ValidationError as error:
        raise UserError(explain(error, RunConfig.model_fields)) from None


def configure_tasks(dataset: Dataset, preset: str = "laptop", **fields: Any) -> dict[Task, RunConfig]:
    """Return the configuration of every task of a data set under its honest protocol, with `fields` changed.

    Raises:
        UserError: as `configure`.
    """
    common = {**PROTOCOLS.get(dataset, {}), **fields, "dataset": dataset}
    return {task: configure(preset, task=task, **common) for task in TASKS.get(dataset, ("gender",))}
