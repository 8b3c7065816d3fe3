"""Words that several commands take: where pictures are, and NAME=VALUE."""

import json
from typing import Annotated, Any

import typer

from gralib.errors import UserError

Root = Annotated[str, typer.Option(help="Folder or archive as downloaded. Default: data/NAME, else synthetic faces.")]


def read(pairs: list[str] | None) -> dict[str, Any]:
    """Return 'name=value' words as a dict; values are read as JSON where they are JSON, else as text.

    Raises:
        UserError: a word of another form, or a name that is there twice.
    """
    settings: dict[str, Any] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise UserError(f"{pair}: expected NAME=VALUE")
        if name in settings:
            raise UserError(f"{name}: expected one value, got two")
        try:
            settings[name] = json.loads(text)
        except json.JSONDecodeError:
            settings[name] = text
    return settings


def changes(pairs: list[str] | None, decided: dict[str, str]) -> dict[str, Any]:
    """Return `read` of words that change a run's configuration.

    Args:
        pairs: the words.
        decided: fields that may not be changed so, and what decides them instead.

    Raises:
        UserError: as `read`, such a field, or one that no configuration has.
    """
    from gralib.config import RunConfig

    settings = read(pairs)
    for name in settings:
        if name in decided:
            raise UserError(f"{name}: expected no --set for it; {decided[name]} decides it")
        if name not in RunConfig.model_fields:
            raise UserError(f"{name}: unknown; the fields are {', '.join(RunConfig.model_fields)}")
    return settings
