"""The command `gra`. Every error a user can mend is one line; heavy libraries are imported when needed."""

import gc
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from gralib import words
from gralib.datacli import app as data
from gralib.errors import UserError
from gralib.protocolcli import app as protocol
from gralib.visitors import cli as visitors
from gralib.words import Root

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="GRA_Net, reproduced: check data, train, run notebooks, write the report. "
    "'make study' does all of it; these are the steps. With --debug an error shows where it came from.",
)
app.add_typer(data, name="data")
kept = typer.Typer(no_args_is_help=True, help="Records of finished runs, committed in reports/records.")
app.add_typer(kept, name="records")
app.add_typer(protocol, name="protocol")
app.command("predict")(visitors.predict)
app.command("networks")(visitors.networks)

Change = Annotated[
    list[str] | None, typer.Option("--set", help="Change a setting, as in --set width=16.", metavar="FIELD=VALUE")
]
STOPPED = 130
"""Exit status after Ctrl-C, by convention; typer's too."""


@app.command("run")
def run_command(
    task: Annotated[str, typer.Option(help="gender, age_category, age_regression or age_group.")],
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "utkface",
    root: Root = "",
    preset: Annotated[str, typer.Option(help="smoke (minutes), laptop (half an hour), paper (a GPU).")] = "laptop",
    change: Change = None,
    folds: Annotated[int, typer.Option(help="Run the first so many folds of the protocol; 0: all.", min=0)] = 1,
    again: Annotated[bool, typer.Option(help="Train although a committed record of this run exists.")] = False,
    threads: Annotated[int, typer.Option(help="Processor threads; another number rounds otherwise.", min=1)] = 1,
    progress: Annotated[str, typer.Option(help="bar, lines or none.")] = "bar",
) -> None:
    """Train one network, or read it back if that was done before. Prints the run's name."""
    from gralib.config import PROTOCOLS, configure
    from gralib.data.faces import open_faces

    standard = PROTOCOLS.get(dataset, {})
    changes = words.changes(change, {"task": "--task", "dataset": "--dataset", "preset": "--preset"})
    config = configure(preset, **{**standard, "dataset": dataset, "task": task, **changes})
    faces = open_faces(dataset, root, progress=progress == "bar")
    from gralib.evaluation.measures import scores_of
    from gralib.training.experiment import run, run_folds

    options: dict[str, Any] = {"again": again, "threads": threads, "progress": progress}
    runs = [run(config, faces, **options)] if folds == 1 else run_folds(config, faces, folds, **options)
    for finished in runs:
        for name, score in scores_of(finished).items():
            kind = "synthetic" if finished.record.synthetic else "real"
            interval = "" if score.low != score.low else f" [{score.low:.3f}, {score.high:.3f}]"
            text = f"{name} {score.value:.3f}{interval}, constant predictor {score.floor:.3f}"
            print(f"{kind} faces: {text}", file=sys.stderr)
        print(finished.record.run_id)


@app.command("grid")
def grid_command(
    names: Annotated[
        list[str], typer.Argument(help="gate_ablation, attention_types, label_noise, depth, …", metavar="NAME...")
    ],
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "utkface",
    root: Root = "",
    preset: Annotated[str, typer.Option(help="smoke, laptop or paper.")] = "laptop",
    seeds: Annotated[int, typer.Option(help="Run every setting with so many seeds; 0: as the study does.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Runs side by side, one thread each.", min=1)] = 2,
    change: Change = None,
    part: Annotated[
        int, typer.Option(help="Only this part, from 1: a few runs of one network, as a cluster's job; 0: all.", min=0)
    ] = 0,
    dry_run: Annotated[bool, typer.Option(help="Only say what is left and how long it will take.")] = False,
) -> None:
    """Train what is left of one or several grids of runs. Stop it any time; the next call goes on."""
    from gralib.data.faces import open_faces
    from gralib.training import batch, grids

    wanted = {name: grids.seeds_of(name, seeds) for name in names}
    varied = {setting: f"the grid {name}" for name in names for s in grids.GRIDS[name].settings for setting in s}
    own = {"dataset": "--dataset", "preset": "--preset", "seed": "--seeds", "task": "the grid"}
    changes, configs = words.changes(change, varied | own), []
    for name in names:
        configs += grids.configs_of(name, wanted[name], dataset, preset, **changes)
    parts = grids.parts_of(configs)
    if part > len(parts):
        raise UserError(f"part: expected 1 to {len(parts)}, got {part}")
    configs = parts[part - 1] if part else list(dict.fromkeys(configs))
    faces = open_faces(dataset, root)
    title = ", ".join(names) + (f", part {part} of {len(parts)}" if part else "")
    print(f"{title}: {batch.left_in_words(configs, batch.finished(configs, faces), workers)}", file=sys.stderr)
    if dry_run:
        return
    runs, problems = batch.run_grid(configs, root, faces, workers)
    print(*(run.record.run_id for run in runs), sep="\n", end="\n" if runs else "")
    if problems:
        raise UserError("; ".join(problems))


@app.command("orientation")
def orientation_command(
    runs: Annotated[list[str], typer.Argument(help="Names of gender runs made here.")],
    root: Root = "",
) -> None:
    """Let trained networks read turned and moved test faces (C8); the hits are kept beside the records."""
    from gralib.data.faces import open_faces
    from gralib.training import records
    from gralib.training.perturb import probe

    for run in map(records.made_here, runs):
        print(probe(run, open_faces(run.record.config.dataset, root)))


@app.command("keep")
def keep_command(
    runs: Annotated[list[str], typer.Argument(help="Names of finished runs, as 'gra run' printed them.")],
) -> None:
    """Copy the records of runs made here to reports/records, to be committed."""
    from gralib.training import records
    from gralib.training.exchange import keep

    for run in map(records.made_here, runs):
        print(keep(run))


@app.command("export")
def export_command(
    run: Annotated[str, typer.Argument(help="Name of a finished run made here, as 'gra run' printed it.")],
    out: Annotated[Path | None, visitors.place(help="File to write. Default: network.onnx beside the weights.")] = None,
    gates: Annotated[bool, typer.Option("--gates", help="Make the gates inputs, and the masks outputs.")] = False,
) -> None:
    """Write a trained network as ONNX, for gralib.predict and other readers without Keras."""
    from gralib import backend
    from gralib.training import records

    found = records.made_here(run)
    backend.start(1)
    from gralib.export import export

    print(export(found, out, gates))


@kept.command("import")
def records_import(
    folder: Annotated[str, typer.Argument(help="Folder of runs from another machine.", metavar="FOLDER")],
) -> None:
    """Bring records made elsewhere into reports/records; refused as a whole if one is damaged or in conflict."""
    from gralib.training.exchange import merge

    new, here = merge(folder)
    print("\n".join(new), end="\n" if new else "")
    print(f"{len(new)} runs imported; already here with the same predictions: {len(here)}", file=sys.stderr)


@app.command("notebook")
def notebook_command(
    name: Annotated[str, typer.Argument(help="Name of a notebook, such as utkface.", metavar="NAME")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", help="Set a parameter, as in -p seed=1.", metavar="NAME=VALUE")
    ] = None,
    out: Annotated[str, typer.Option(help="Where to write it, without ending.")] = "",
    publish: Annotated[bool, typer.Option("--publish", help="Write reports/notebooks too, faces left out.")] = False,
) -> None:
    """Run a notebook from top to bottom and write it with its outputs."""
    from gralib import notebooks

    done = notebooks.execute(f"notebooks/{name}.ipynb", words.read(parameter), out or f"build/notebooks/{name}")
    print(done)
    if publish:
        from gralib.report.notebooks import publish as published

        print(published(done, f"reports/notebooks/{name}.ipynb"))


@app.command("checks")
def checks_command() -> None:
    """Check the claims that need no data (C1 to C3, C20), list the network's layers and draw it: for the report."""
    from gralib.model.checks import write
    from gralib.report import paper

    print(*write(), *paper.write(), sep="\n")


@app.command("report")
def report_command(
    publish: Annotated[bool, typer.Option("--publish", help="Write reports/, from committed records alone.")] = False,
) -> None:
    """Write the report from all records as Markdown: build/report, or what is committed with --publish."""
    gc.disable()  # nearly all that is made is kept: looking for what to drop was an eighth of the time
    try:
        from gralib.report.pages import build

        print(build(publish))
    finally:
        gc.enable()


@app.command("reproduce")
def reproduce_command(
    name: Annotated[str, typer.Argument(help="A claim, such as C4, or the name of a run.", metavar="NAME")],
    root: Root = "",
    dry_run: Annotated[bool, typer.Option(help="Only say which runs it takes.")] = False,
) -> None:
    """Train the runs behind a claim's number again, seeds included, and say whether they come out the same."""
    from gralib import reproduce

    wanted = reproduce.asked(name)
    print(*reproduce.commands(wanted), sep="\n", file=sys.stdout if dry_run else sys.stderr)
    for line in () if dry_run else reproduce.made_again(wanted, root):
        print(line)


@app.command("doctor")
def doctor_command(
    quick: Annotated[bool, typer.Option("--quick", help="Without starting Keras; say only what is not ok.")] = False,
) -> None:
    """Say what this machine has, what it would change, and the mend; ends non-zero if something must be mended."""
    from gralib.doctor import look, text

    found = look(quick)
    if shown := [finding for finding in found if finding.mark != "ok" or not quick]:
        print(text(shown))
    if wrong := [finding.what for finding in found if finding.mark == "problem"]:
        raise UserError(f"doctor: mend first: {', '.join(wrong)}")


def main() -> None:
    """Run the command; whatever goes wrong ends in one line and exit status 1, with --debug in a traceback too."""
    said = [word for word in sys.argv[1:] if word != "--debug"]
    os.environ["MPLBACKEND"] = "agg"  # figures go to files, no window opens
    try:
        status = app(args=said, standalone_mode=False)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        line = _line(error)
        sys.exit(line if "\n" in line else f"gra: {line}")  # help has several
    if status == STOPPED:
        print("gra: stopped; call it again to go on", file=sys.stderr)
    sys.exit(status)


def _line(error: Exception) -> str:
    """Return an error as one line that says what to do."""
    if isinstance(error, UserError):
        return str(error)
    if hasattr(error, "format_message"):  # typer's, of a word it does not take; of a group without one the help
        return _of_a_word(error, sys.argv)
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]}; nobody foresaw this: call it again with --debug to see where"


def _of_a_word(error: Any, said: list[str]) -> str:
    """Return what typer says of a word of the command; of the value of an option also what came."""
    text, names = error.format_message(), list(getattr(getattr(error, "param", None), "opts", ()))
    parts = [part for word in said for part in word.split("=", 1)]
    came = [value for name, value in pairwise(parts) if name in names]
    if not came or "Input should be " not in text:
        return text.rstrip(".")
    expected = text.rpartition("Input should be ")[2].partition(",")[0]
    return f"{names[0]}: expected {expected}, got {came[-1]!r}"
