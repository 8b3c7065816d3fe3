"""A user's mistake is one line that says the field or file, what was expected and what came."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gralib import errors


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: float = Field(0.5, gt=0)


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: Inner = Inner()
    word: str = "a"

    @field_validator("word")
    @classmethod
    def short(cls, value):
        if len(value) > 3:
            raise ValueError("expected a short word")
        return value


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        ({"inner": {"level": 0}}, (), "inner.level: expected greater than 0, got 0"),
        ({"word": "long word"}, (), "word: expected a short word, got 'long word'"),
        ({"wrod": 1}, (), "wrod: unknown"),
        ({"wrod": 1, "word": 2}, ("inner", "word"),
         "word: expected a valid string, got 2; wrod: unknown; the fields are inner, word"),
        ({"inner": {"x": 1}}, ("level",), "inner.x: unknown; the fields are level"),
        (1, (), "expected a valid dictionary or instance of Model"),
    ],
)  # fmt: skip
def test_each_field_is_named_with_what_was_expected_and_what_came(given, known, said):
    with pytest.raises(ValidationError) as error:
        Model.model_validate(given)
    assert errors.explain(error.value, known) == said


def test_a_mistake_is_one_line_in_a_notebook_too():
    error = errors.UserError("a:\n  b")
    assert str(error) == "a:   b" and error._render_traceback_() == ["UserError: a:   b"]
    assert errors.FailedTraining("x")._render_traceback_() == ["FailedTraining: x"]


def test_what_cannot_be_written_is_named():
    for error, said in ((OSError(28, "No space left on device"), "No space left on device"), (OSError("odd"), "odd")):
        with pytest.raises(errors.UserError, match=f"^p: could not be written: {said}$"), errors.writing("p"):
            raise error


def test_a_home_stands_for_itself_and_a_relative_path_starts_at_the_root(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(errors, "ROOT", tmp_path)
    assert errors.expanded("~/x") == Path("/home/me/x") and errors.from_root("~/x") == Path("/home/me/x")
    assert errors.from_root("x/y") == tmp_path / "x/y" and errors.from_root("/x") == Path("/x")
    with pytest.raises(errors.UserError, match="~nobody-of-that-name/x: expected a path; no such home"):
        errors.expanded("~nobody-of-that-name/x")
