import json

import pytest
from pydantic import ValidationError

from gralib.config import PRESETS, RECIPES, TRAINING, RunConfig, configure, ignored, shape
from gralib.errors import UserError

WRONG = {
    "version": 1,
    "recipe": "mine",
    "preset": "huge",
    "dataset": "imdb",
    "task": "age",
    "protocol": "lucky",
    "folds": 1,
    "fold": 5,
    "tuning": 1,
    "age_range": (60, 21),
    "split_seed": -1,
    "label_noise": 1.0,
    "noise": "random",
    "skips": 1,
    "masks": "two",
    "held_out": 0.6,
    "network": "resnet",
    "train_faces": 3,
    "width": 0,
    "attention": "none",
    "gate": True,
    "upsampling": "cubic",
    "groups": 3,
    "modules": (1, 1),
    "mask_depths": (2, 1, 3),
    "age_width": 0,
    "epochs": 0,
    "batch_size": 1,
    "learning_rate": 0,
    "precision": "float16",
    "warmup": 1.0,
    "gate_rate": 0.0,
    "weight_decay": -0.1,
    "label_smoothing": 1.0,
    "start": "ones",
    "batch_norm_momentum": 1.0,
    "averaging": 1.0,
    "mirror": True,
    "shift": 2.0,
    "zoom": 1.0,
    "cutout": 33,
    "mixup": 1.1,
    "mirrored_prediction": 1,
    "seed": True,
}
OTHER = {
    "task": "age_category",
    "protocol": "random",
    "folds": 10,
    "fold": 1,
    "tuning": True,
    "age_range": (21, 60),
    "split_seed": 1,
    "label_noise": 0.3,
    "held_out": 0.0,
    "network": "residual",
    "train_faces": 500,
    "width": 16,
    "attention": "spatial",
    "gate": 0.5,
    "upsampling": "nearest",
    "groups": 2,
    "modules": (1, 2, 1),
    "mask_depths": (1, 1, 1),
    "age_width": 5,
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.01,
    "precision": "mixed_bfloat16",
    "warmup": 0.1,
    "gate_rate": 50.0,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "start": "zero",
    "batch_norm_momentum": 0.8,
    "averaging": 0.99,
    "mirror": "alternating",
    "shift": 3,
    "zoom": 0.1,
    "cutout": 8,
    "mixup": 0.2,
    "mirrored_prediction": True,
    "seed": 1,
}


def test_runs_with_wrong_labels_have_a_version_of_their_own():
    """Up to version 3 the wrong labels were the first of the second epoch's order."""
    plain, noisy = configure("smoke"), configure("smoke", label_noise=0.3)
    assert [json.loads(config.canonical())["version"] for config in (plain, noisy)] == [3, 4]
    assert RunConfig.model_validate_json(noisy.canonical()) == noisy


def test_every_field_has_a_wrong_value_here():
    assert set(WRONG) == set(RunConfig.model_fields)


@pytest.mark.parametrize(("field", "value"), WRONG.items(), ids=str)
def test_a_wrong_value_fails_at_once_and_names_the_field(field, value):
    with pytest.raises(UserError) as error:
        configure(**{"preset": "laptop", field: value})  # True is no number, and 2.0 no whole one
    text = str(error.value)
    assert field in text
    assert str(value) in text
    assert "\n" not in text


@pytest.mark.parametrize("task", ["age_category", "age_regression"])
def test_labels_cannot_be_wrong_where_there_is_one_class(task):
    with pytest.raises(UserError, match=r"^label_noise: expected 0 where one age category holds everybody, got 0\.3$"):
        configure("laptop", task=task, age_width=117, label_noise=0.3)
    assert configure("laptop", task="gender", age_width=117, label_noise=0.3).label_noise == 0.3
    assert configure("laptop", task=task, age_width=116, label_noise=0.3).label_noise == 0.3


def test_an_unknown_field_fails_with_the_right_names():
    with pytest.raises(UserError, match=r"widht: unknown; the fields are .*width, attention"):
        configure("laptop", widht=8)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_must_be_finite(value):
    with pytest.raises(UserError, match="learning_rate"):
        configure("laptop", learning_rate=value)


FAR = {"dataset": "fgnet", "task": "age_category", "protocol": "leave_one_out"}
ENDS = [
    ("fold", 0, 999, FAR), ("folds", 2, 100, {}), ("age_width", 1, 117, {"task": "age_category"}),
    ("width", 1, 256, {}), ("shift", 0, 16, {}), ("cutout", 0, 32, {}), ("seed", 0, 2**32 - 1, {}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "least", "most", "others"), ENDS, ids=[end[0] for end in ENDS])
def test_the_ends_of_a_range_are_inside_and_what_lies_beyond_is_not(field, least, most, others):
    for value in (least, most):
        assert getattr(configure("laptop", **others, **{field: value}), field) == value
    for value in (least - 1, most + 1):
        with pytest.raises(UserError, match=f"^{field}: "):
            configure("laptop", **others, **{field: value})


def test_a_mask_halves_its_features_as_often_as_they_have_pixels_for():
    assert configure("laptop", mask_depths=(4, 3, 2)).mask_depths == (4, 3, 2)
    for deeper in ((5, 3, 2), (4, 4, 2), (4, 3, 3)):
        with pytest.raises(UserError, match="mask_depths: expected at most 4, 3 and 2, got"):
            configure("laptop", mask_depths=deeper)


@pytest.mark.parametrize("network", ["residual", "levi_hassner", "savchenko", "separable", "hog"])
def test_the_remainder_of_an_age_is_learned_by_gra_net_alone(network):
    with pytest.raises(UserError, match=f"^network: expected gra_net for age_regression, got {network}$"):
        configure("laptop", task="age_regression", network=network)


def test_targets_are_mixed_but_for_remainders():
    assert all(configure("laptop", task=task, mixup=0.2).mixup == 0.2 for task in ("gender", "age_category"))
    with pytest.raises(UserError, match="mixup: expected 0 for age_regression"):
        configure("laptop", task="age_regression", mixup=0.2)


def test_is_frozen():
    with pytest.raises(ValidationError):
        configure("laptop").width = 3


@pytest.mark.parametrize(("field", "value"), OTHER.items(), ids=str)
def test_every_setting_changes_the_address(field, value):
    base = RunConfig(preset="laptop", width=8, task="age_category" if field == "age_width" else "gender")
    assert base.model_copy(update={field: value}).run_id("data") != base.run_id("data")


def test_the_address_knows_the_data_and_is_the_same_for_the_same():
    config = configure("laptop")
    assert config.run_id("a") == configure("laptop").run_id("a")
    assert config.run_id("a") != config.run_id("b")


def test_a_setting_at_its_default_is_not_part_of_the_address():
    """So that a setting added later leaves old runs their names."""
    assert json.loads(configure("laptop", recipe="keras").canonical()) == {"version": 3, "width": 8, "epochs": 8}


def test_the_defaults_are_a_contract():
    """A setting at its default is not in the address, so another default would give old runs another meaning."""
    assert RunConfig().model_dump() == {
        "version": 3, "preset": "laptop", "recipe": "keras", "dataset": "utkface", "task": "gender",
        "protocol": "grouped", "folds": 5, "fold": 0, "tuning": False, "age_range": None, "split_seed": 0,
        "label_noise": 0, "noise": "symmetric", "train_faces": None, "held_out": 0.1, "network": "gra_net", "width": 32,
        "attention": "mixed", "gate": "trainable", "upsampling": "bilinear", "groups": 1, "modules": (1, 1, 1),
        "mask_depths": (2, 1, 1), "skips": True, "masks": "each", "age_width": 10, "epochs": 40, "batch_size": 64,
        "learning_rate": 0.001, "warmup": 0, "gate_rate": 1, "weight_decay": 0, "label_smoothing": 0, "start": "glorot",
        "batch_norm_momentum": 0.9, "averaging": 0, "precision": "float32", "mirror": "random", "shift": 2, "zoom": 0,
        "cutout": 0, "mixup": 0, "mirrored_prediction": False, "seed": 0,
    }  # fmt: skip


def test_an_address_is_a_contract():
    """Changing it orphans every committed record: raise `version` and train anew instead."""
    config = configure("laptop", recipe="keras", task="gender", epochs=18)
    assert config.run_id("74fe7af0e4033ca0") == "utkface-gender-w8-s0-8de8357360b8"


def test_one_value_has_one_address():
    one, other = (configure("laptop", gate=gate) for gate in (0.0, -0.0))
    assert one.run_id("x") == other.run_id("x") == configure("laptop", gate=0).run_id("x")
    assert configure("laptop", modules=[1, 2, 1]) == configure("laptop", modules=(1, 2, 1))


@pytest.mark.parametrize(
    ("decides_nothing", "fixed"),
    [
        ({"preset": "paper", "width": 8}, {"epochs": 9}),
        ({"recipe": "keras", **RECIPES["tuned"]}, {"recipe": "tuned"}),
        ({"age_width": 5}, {"task": "gender"}),
        ({"gate_rate": 9.0}, {"gate": 0.5}),
        ({"attention": "spatial", "gate": 1.0, "groups": 2, "modules": (2, 2, 2)}, {"network": "residual"}),
        ({"width": 16, "start": "zero"}, {"network": "levi_hassner"}),
        ({"seed": 3, "epochs": 2, "gate": 0.0, "width": 4, "shift": 0, "learning_rate": 0.1}, {"network": "hog"}),
        ({"label_smoothing": 0.1}, {"task": "age_regression"}),
        ({"folds": 7, "split_seed": 3}, {"dataset": "fgnet", "task": "age_category", "protocol": "leave_one_out",
                                         "held_out": 0.0}),
    ],
)  # fmt: skip
def test_what_a_method_or_task_ignores_is_no_part_of_the_address(decides_nothing, fixed):
    base = {"preset": "laptop", **fixed}
    one, other = configure(**base), configure(**{**base, **decides_nothing})
    assert one.run_id("x") == other.run_id("x")
    assert one == other and hash(one) == hash(other)


def test_what_a_method_reads_stays_in_the_address():
    two_heads = configure("laptop", network="savchenko")
    assert two_heads != two_heads.model_copy(update={"age_width": 5}), "its other head is the age category"
    noisy = configure("laptop", network="hog", label_noise=0.3)
    assert noisy != noisy.model_copy(update={"seed": 1}), "the seed draws the wrong labels"
    assert ignored(configure("laptop")) == {"preset", "recipe", "version", "age_width", "noise"}
    assert set(RunConfig.model_fields) >= TRAINING


def test_one_compiled_network_serves_gates_and_recipes_but_no_other_kind_of_gate():
    plain = configure("laptop")
    assert shape(plain) == shape(
        plain.model_copy(update={"gate": 0.25, "seed": 4, "learning_rate": 0.01, "start": "he"})
    )
    assert shape(plain) != shape(plain.model_copy(update={"gate": "per_channel"}))
    assert shape(plain) != shape(plain.model_copy(update={"averaging": 0.9}))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_and_survive_json(preset):
    config = configure(preset)
    assert RunConfig.model_validate_json(config.canonical()) == config
    assert RunConfig.model_validate_json(config.model_dump_json()).preset == preset


def test_the_paper_preset_is_the_published_size():
    assert configure("paper").width == 32
    assert configure("paper").learning_rate == 0.001


def test_the_kind_of_noise_is_part_of_an_address_only_with_noise():
    plain = configure(task="gender")
    assert plain.model_copy(update={"noise": "pairwise"}) == plain
    assert plain.model_copy(update={"noise": "pairwise", "label_noise": 0.1}) != plain.model_copy(
        update={"label_noise": 0.1}
    )


@pytest.mark.parametrize("setting", [{"skips": False}, {"masks": "one"}])
def test_mask_settings_are_networks_of_their_own(setting):
    assert shape(configure(task="gender", **setting)) != shape(configure(task="gender"))
    assert configure(task="gender", network="residual", **setting) == configure(task="gender", network="residual")
