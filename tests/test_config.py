import json

import pytest
from pydantic import ValidationError

from gralib.config import PRESETS, RunConfig, configure
from gralib.errors import UserError

WRONG = {
    "recipe": 1,
    "preset": "huge",
    "dataset": "imdb",
    "task": "age",
    "protocol": "lucky",
    "folds": 1,
    "fold": 5,
    "age_range": (60, 21),
    "split_seed": -1,
    "label_noise": 1.0,
    "network": "resnet",
    "train_faces": 3,
    "width": 0,
    "attention": "none",
    "gate": 1.5,
    "upsampling": "cubic",
    "groups": 3,
    "modules": (1, 1),
    "mask_depths": (2, 1, 3),
    "age_width": 0,
    "epochs": 0,
    "batch_size": 1,
    "learning_rate": 0,
    "precision": "float16",
    "augment": "perhaps",
    "seed": -1,
}
OTHER = {
    "preset": "smoke",
    "task": "age_category",
    "protocol": "random",
    "folds": 10,
    "fold": 1,
    "age_range": (21, 60),
    "split_seed": 1,
    "label_noise": 0.3,
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
    "augment": False,
    "seed": 1,
}


def test_every_field_has_a_wrong_value_here():
    assert set(WRONG) == set(RunConfig.model_fields)


@pytest.mark.parametrize(("field", "value"), WRONG.items(), ids=str)
def test_a_wrong_value_fails_at_once_and_names_the_field(field, value):
    with pytest.raises(UserError) as error:
        configure(**{"preset": "laptop", field: value})
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


def test_is_frozen():
    with pytest.raises(ValidationError):
        configure("laptop").width = 3


@pytest.mark.parametrize(("field", "value"), OTHER.items(), ids=str)
def test_every_setting_changes_the_address(field, value):
    base = RunConfig(preset="laptop", width=8)
    assert base.model_copy(update={field: value}).run_id("data") != base.run_id("data")


def test_the_address_knows_the_data_and_is_the_same_for_the_same():
    config = configure("laptop")
    assert config.run_id("a") == configure("laptop").run_id("a")
    assert config.run_id("a") != config.run_id("b")


def test_a_setting_at_its_default_is_not_part_of_the_address():
    """So that a setting added later leaves old runs their names."""
    assert json.loads(configure("laptop").canonical()) == {"recipe": 2, "width": 8, "epochs": 18}


def test_an_address_is_a_contract():
    """Changing it orphans every committed record: raise `recipe` and train anew instead."""
    assert configure("laptop", task="gender").run_id("74fe7af0e4033ca0") == "utkface-gender-laptop-s0-503daa7c44fc"


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_valid_and_survive_json(preset):
    config = configure(preset)
    assert RunConfig.model_validate_json(config.canonical()) == config


def test_the_paper_preset_is_the_published_size():
    assert configure("paper").width == 32
    assert configure("paper").learning_rate == 0.001
