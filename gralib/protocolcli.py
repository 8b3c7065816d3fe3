"""The commands `gra protocol …`: what the protocol still needs, training it, and whether rules came before runs."""

import sys
from typing import Annotated

import typer

from gralib.errors import UserError, from_root
from gralib.words import Root

app = typer.Typer(no_args_is_help=True, help="The rules behind the verdicts (reports/protocol.yaml) and their runs.")
SIMULATION = "reports/tables/protocol-simulation.csv"
Dataset = Annotated[str, typer.Option(help="Only the runs of this data set.")]
Workers = Annotated[int, typer.Option(help="Runs side by side, one thread each.", min=1)]


@app.command("runs")
def runs_command(workers: Workers = 2) -> None:
    """Say how many runs every claim needs, how many are done, and how long the rest will take."""
    from gralib.evaluation import claims
    from gralib.evaluation.protocol import load
    from gralib.training import batch, records

    protocol = load()
    known = claims.known_runs(records.gather()[0])
    asked = protocol.all_configs(claims.ended(protocol, known))
    for claim in protocol.general.order:
        configs = protocol.configs(claim)
        print(f"{claim}: {len(configs)} runs, {sum(config in known for config in configs)} done")
    done = {config: known[config] for config in asked if config in known}
    minutes = batch.minutes_left(asked, done, workers)
    wait = "none finished yet, so nobody knows how long" if minutes != minutes else f"about {minutes / 60:.1f} hours"
    print(f"all: {len(asked)} runs, each once, {len(done)} done, {len(asked) - len(done)} left: {wait}")


@app.command("run")
def run_command(dataset: Dataset = "utkface", root: Root = "", workers: Workers = 2) -> None:
    """Train what is left of the protocol's runs on one data set, stage by stage; stop it any time and call it again."""
    from gralib.evaluation import claims
    from gralib.evaluation.protocol import load
    from gralib.training import batch, records

    protocol, faces = load(), _real_faces(dataset, root)
    for number in range(protocol.stages):
        known = claims.known_runs(records.gather()[0])
        asked = protocol.stage(number, claims.ended(protocol, known))
        configs = [config for config in asked if config.dataset == dataset]
        found, problems = batch.run_grid(configs, root, faces, workers, then=probe)
        print(f"stage {number + 1}: {len(found)} of {len(configs)} runs finished", file=sys.stderr)
        if problems:
            raise UserError("; ".join(problems))
        for run in found:
            probe(run, faces, protocol)


def _real_faces(dataset: str, root: str):
    from gralib.data.faces import open_faces

    faces = open_faces(dataset, root)
    if faces.synthetic:
        raise UserError(f"{dataset}: expected real faces, as drawn ones earn no verdict; name them with --root")
    return faces


def probe(run, faces, protocol=None) -> None:
    """Look into a trained network where a score of the protocol asks for it and its weights are here."""
    from gralib.evaluation.outcomes import probe_of
    from gralib.evaluation.protocol import load
    from gralib.training import inspection, perturb

    wanted = (protocol or load()).scores_of(run.record.config) if (run.folder / "weights.npz").exists() else set()
    probes = {probe_of(score) for score in wanted}
    if "orientation" in probes:
        perturb.probe(run, faces)
    if "blocks" in probes:
        inspection.probe(run, faces)


@app.command("across")
def across_command(dataset: Dataset = "adience", root: Root = "") -> None:
    """Ask the networks trained on the other data sets about this one's faces; `gra report` shows the matrix."""
    from gralib.evaluation.protocol import load
    from gralib.progress import Bar
    from gralib.report.text import plural
    from gralib.training import across, records

    asked, faces = set(load().plain_configs()), _real_faces(dataset, root)
    runs = [
        run for run in records.gather()[0] if run.record.config in asked and not run.record.synthetic
        and run.record.config.dataset != dataset and run.record.config.task != "age_regression"
        and across.askable(run.record.config.task, faces.table).any() and (run.folder / "weights.npz").exists()
    ]  # fmt: skip
    if not runs:
        raise UserError(f"{dataset}: expected networks of other data sets, their weights here; see gra protocol run")
    for run in Bar(runs, desc=f"asked about {dataset}", unit="network"):
        across.probe(run, faces)
    print(f"{plural(len(runs), 'network')} asked about the faces of {dataset}; gra report shows the matrix")


@app.command("check")
def check_command() -> None:
    """Compare the commit of every rule with its first run; fails where a rule is younger than a run it judges."""
    from gralib.evaluation import ruledates
    from gralib.evaluation.protocol import load
    from gralib.training import records

    protocol = load()
    found = ruledates.check(protocol, records.gather()[0])
    for checked in found:
        print(("FAILS " if checked.fails else "") + checked.line)
    for amendment in protocol.general.amendments:
        print(f"amendment of {amendment.date}, {', '.join(amendment.claims)}: {amendment.reason}")
    if failing := [checked.claim for checked in found if checked.fails]:
        raise UserError(f"protocol: expected every rule before its runs; younger: {', '.join(failing)}")


@app.command("simulate")
def simulate_command() -> None:
    """Try the whole procedure on numbers whose truth is known, and write the table."""
    from gralib.evaluation import simulation
    from gralib.files import write_text

    write_text(from_root(SIMULATION), simulation.table().to_csv(index=False, float_format="%.4g"))
    print(from_root(SIMULATION))
