"""The commands `gra data …`: what files there are and what they hold, how to get them, drawing them."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gralib.errors import UserError
from gralib.words import Root

if TYPE_CHECKING:
    from gralib.data.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Look at a data set, or draw a synthetic one.")
Dataset = Annotated[
    str, typer.Argument(help="Name of the data set: fgnet, afad, wikipedia, utkface or adience.", metavar="NAME")
]


@app.command("check")
def data_check(
    name: Dataset,
    root: Root = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Read every file, decode every picture once, and account for all of them."""
    from gralib.data.audit import contradictions
    from gralib.data.faces import open_faces
    from gralib.data.formats import find_root, load
    from gralib.data.manifest import account, summary

    place = find_root(name, root)
    manifest = load(name, place)
    found: dict[str, Any] = {"dataset": name, "all rows": summary(manifest.rows)}
    counts, trouble = account(manifest.rows), ""
    try:
        faces = open_faces(name, place, progress=not as_json)
        counts = faces.account
        people = summary(faces.table) | contradictions(faces.table)
        found |= {"faces": people, "fingerprint": faces.fingerprint, "synthetic": faces.synthetic}
    except UserError as error:
        trouble = str(error)
    if as_json:
        print(json.dumps({**found, "account": counts.to_dict(orient="records")}, indent=1))
    else:
        print(counts.to_string(index=False))
        _say(found, manifest, trouble)
    if trouble:
        raise UserError(f"{trouble}; how to get the pictures: gra data how-to {name}")


def _say(found: dict[str, Any], manifest: "Manifest", trouble: str) -> None:
    """Print who is in a data set, and what of it is not here."""
    from gralib.data.formats import missing
    from gralib.registry import data_sets

    if trouble and not manifest.kept.empty:
        print("as the names say, before any picture was decoded")
    for part in ("all rows", "faces"):
        if part in found:
            print(f"{part}: " + ", ".join(f"{key} {value}" for key, value in found[part].items()))
    if lost := missing(manifest):
        print(f"{lost} fewer than published: gra data how-to {manifest.dataset} says how to get what is not here")
    if not manifest.source.synthetic:
        print(f"published: {data_sets()[manifest.dataset].pictures or 'nobody says how many'} pictures")
    if not trouble:
        print(f"{'synthetic' if found['synthetic'] else 'real'} faces, fingerprint {found['fingerprint']}")


@app.command("repeats")
def data_repeats(root: Root = "") -> None:
    """Measure UTKFace's repeated photographs: how their labels disagree (table), what the rule rests on (figure)."""
    from gralib.data.faces import open_faces
    from gralib.report import label_floor

    print(*label_floor.write(open_faces("utkface", root)), sep="\n")


@app.command("how-to")
def data_how_to(name: Dataset) -> None:
    """Say how to get a data set: address, licence, size, what to accept, where to put it."""
    from gralib.data.download import how_to

    print(how_to(name))


@app.command("fetch")
def data_fetch(
    name: Dataset,
    url: Annotated[str, typer.Option(help="Another address of the same files.")] = "",
) -> None:
    """Download what can be had without a form into data/NAME; goes on where it was interrupted."""
    from gralib.data.download import fetch

    for path in fetch(name, url):
        print(path)


@app.command("synthesize")
def data_synthesize(
    layout: Annotated[
        str, typer.Option(help="Layout to write: fgnet, afad, wikipedia, utkface or adience.")
    ] = "utkface",
    out: Annotated[str, typer.Option(help="Folder to make. Default: data/synthetic/LAYOUT.")] = "",
    subjects: Annotated[int, typer.Option(help="Drawn people; each has two to five pictures.", min=1)] = 400,
    seed: Annotated[int, typer.Option(help="Same seed, same pictures.", min=0)] = 0,
) -> None:
    """Draw synthetic faces and write them as the real data set is published, its flaws included."""
    from gralib.data.formats import draw
    from gralib.errors import from_root
    from gralib.registry import data_sets

    if layout not in data_sets():
        raise UserError(f"layout: expected one of {', '.join(data_sets())}, got {layout!r}")
    folder = from_root(out or f"data/synthetic/{layout}")
    try:
        count = draw(layout, folder, subjects, seed)
    except (ValueError, FileExistsError) as error:
        raise UserError(str(error)) from None
    print(f"{folder}: {count} files")
