"""The commands `gra predict` and `gra networks`."""

import csv
import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gralib.errors import UserError, expanded, from_root

place = partial(typer.Option, metavar="PATH", parser=expanded)
"""An option that is a path; `~` in it is a home."""


def predict(
    photos: Annotated[list[Path], typer.Argument(
        help="Photographs, or folders of them.", metavar="PHOTO...", parser=expanded)],
    faces: Annotated[str, typer.Option(help="all, largest, or whole: each picture is a face cut out already.")] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table.")] = False,
    draw: Annotated[Path | None, place(help="Picture to write, or folder; faces and answers on it.")] = None,
    networks: Annotated[str, typer.Option(help="Folder of other networks, made by gra networks.")] = "",
) -> None:  # fmt: skip
    """Guess age and gender of the faces in photographs, with the small networks that come with the project."""
    from gralib.visitors import reading, shipped

    if faces not in ("all", "largest", "whole"):
        raise UserError(f"--faces: expected all, largest or whole, got {faces!r}")
    if as_json and as_csv:
        raise UserError("--json, --csv: expected one of them")
    folder = from_root(networks) if networks else shipped.FOLDER
    found = []
    for rows, picture in reading.answers(photos, faces, folder, draw):
        found += rows
        if not (as_json or as_csv):
            print(*map(reading.sentence, rows), sep="\n")
        if picture:
            print(f"drawn: {picture}", file=sys.stderr)
    if as_json:
        print(json.dumps(found, indent=1))
    if as_csv:
        table = csv.DictWriter(sys.stdout, reading.COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(found)
    print(reading.caution(*shipped.open_networks(folder)), file=sys.stderr)
    if all(row["note"] for row in found):
        raise UserError("no face could be read in any of the pictures")


def networks(
    runs: Annotated[list[str], typer.Argument(help="Finished runs made here: of gender, of age_category, perhaps of "
                                              "age_regression.", metavar="RUN...")],
    out: Annotated[Path | None, place(help="Folder to write. Default: that of the shipped networks.")] = None,
    fgnet: Annotated[Path | None, place(help="FG-NET as downloaded, to measure age on its photographs.")] = None,
    adience: Annotated[Path | None, place(help="Adience as downloaded, for gender and age group.")] = None,
) -> None:  # fmt: skip
    """Make the small networks that gra predict reads: export, round, pack, calibrate, measure, and write their card."""
    from gralib import backend
    from gralib.training import records
    from gralib.visitors import shipped

    found = [records.made_here(name) for name in runs]
    backend.start(1)
    from gralib.visitors import elsewhere, modelcard, shipping

    folder = shipping.write(found, out or shipped.FOLDER, lambda made: elsewhere.measured(made, fgnet, adience))
    print(modelcard.write(folder))
