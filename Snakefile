"""The batch: decode the faces, train the runs, execute the notebooks, write the report.

`make study` is one call of it, `make grids` another. Settings: `--config dataset=fgnet preset=laptop seed=1 folds=0
root=PATH` (`seeds=3` for grids); without `dataset` it runs all five, each on real pictures if `data/NAME` holds any, else on synthetic ones.
"""

import os
import sys

from gralib.config import TASKS, configure_tasks
from gralib.errors import UserError
from gralib.grids import GRIDS
from gralib.notebooks import refuse_unknown
from gralib.sources import open_source

ALL = list(TASKS)
NAMES = [config["dataset"]] if "dataset" in config else ALL
SEED, FOLDS = config.get("seed", 0), config.get("folds", 1)


def seeds(name):
    """How many seeds a grid runs."""
    return config.get("seeds", GRIDS[name].seeds)



def root(name):
    """Where the pictures of a data set are."""
    real = Path(f"data/{name}")
    return Path(config.get("root") or (real if real.is_dir() and any(real.iterdir()) else f"data/synthetic/{name}"))


def drawn(name):
    return root(name) == Path(f"data/synthetic/{name}")


def preset(name):
    return config.get("preset", "smoke" if drawn(name) else "laptop")


try:
    refuse_unknown(config, ("dataset", "root", "preset", "seed", "folds", "seeds"))
    if NAMES[0] not in ALL:
        raise UserError(f"dataset: expected one of {', '.join(ALL)}, got {NAMES[0]!r}")
    if "root" in config and "dataset" not in config:
        raise UserError("root: expected dataset=NAME with it")
    if not isinstance(FOLDS, int) or FOLDS < 0:
        raise UserError(f"folds: expected a number from 0 (all), got {FOLDS!r}")
    for name in NAMES:
        configure_tasks(name, preset(name), seed=SEED)
    # Differs as soon as the pictures do, so that everything made from them is made anew.
    STAMP = {name: "drawn" if drawn(name) else open_source(root(name)).stamp for name in NAMES}
except UserError as error:
    print(f"make study: {error}", file=sys.stderr, flush=True)
    os._exit(1)
SYNTHETIC = [name for name in NAMES if drawn(name)]


def built(name, file):
    """A file that the study of a data set makes; its folder names everything that decides it."""
    kind = "synthetic" if drawn(name) else "real"
    return f"build/{name}-{kind}-{preset(name)}-s{SEED}-f{FOLDS}/{file}"


onstart:
    for name in NAMES:
        faces = f"synthetic faces, as data/{name} holds no pictures" if drawn(name) else f"real faces in {root(name)}"
        wait = "some minutes" if preset(name) == "smoke" else "long; stop it any time, the next call goes on"
        print(f"{name}: {faces}; {preset(name)} preset: {wait}.", flush=True)


onerror:  # what did work is reported, and what failed is named
    shell("gra report")


rule all:
    input:
        "build/report.done",


rule synthesize:
    output:
        "data/synthetic/{name}/SYNTHETIC.txt",
    shell:
        "rm -rf data/synthetic/{wildcards.name} && gra data synthesize --layout {wildcards.name}"


for name in NAMES:

    rule:
        name:
            f"{name}_faces"
        input:
            [f"data/synthetic/{name}/SYNTHETIC.txt"] if name in SYNTHETIC else [],
        output:
            built(name, "faces.json"),
        params:
            stamp=STAMP[name],
            dataset=name,
            root=root(name),
        shell:
            "gra data check {params.dataset} --root '{params.root}' --json > {output}"

    rule:
        name:
            f"{name}_train"
        input:
            built(name, "faces.json"),
        output:
            built(name, "{task}.run"),
        wildcard_constraints:
            task="|".join(TASKS[name]),
        params:
            words=f"--dataset {name} --root '{root(name)}' --preset {preset(name)} --set seed={SEED} --folds {FOLDS}",
        shell:
            "gra run --task {wildcards.task} {params.words} --progress lines > {output}"

    rule:
        name:
            f"{name}_notebook"
        input:
            f"notebooks/{name}.ipynb",
            [built(name, f"{task}.run") for task in TASKS[name]],
        output:
            built(name, f"{name}.html"),
        log:
            built(name, f"{name}.log"),
        params:
            words=f"{name} -p data_root='{root(name)}' -p preset={preset(name)} -p seed={SEED} -p folds={FOLDS}",
            out=built(name, name),
        shell:
            "gra notebook {params.words} --out {params.out} 2> {log} || (cat {log} >&2; exit 1)"


for name in GRIDS:

    rule:
        name:
            f"grid_{name}"
        input:
            f"notebooks/{name}.ipynb",
            built("utkface", "faces.json"),
        output:
            built("utkface", f"{name}.html"),
        log:
            built("utkface", f"{name}.log"),
        threads: workflow.cores
        params:
            words=f"--root '{root('utkface')}' --preset {preset('utkface')} --seeds {seeds(name)}",
            given=f"-p data_root='{root('utkface')}' -p preset={preset('utkface')} -p seeds={seeds(name)}",
            grid=name,
            out=built("utkface", name),
        shell:
            "gra grid {params.grid} {params.words} --workers {threads} > /dev/null && "
            "(gra notebook {params.grid} {params.given} --out {params.out} 2> {log} || (cat {log} >&2; exit 1))"


rule grids:
    input:
        [built("utkface", f"{name}.html") for name in GRIDS],
    output:
        touch("build/grids.done"),
    shell:
        "mkdir -p reports/notebooks && cp {input} reports/notebooks/ && gra report"


rule tour:
    input:
        "notebooks/model_tour.ipynb",
        "gralib/attention.py",
        "gralib/network.py",
    output:
        "build/model_tour.html",
    log:
        "build/model_tour.log",
    shell:
        "gra notebook model_tour --out build/model_tour 2> {log} || (cat {log} >&2; exit 1)"


rule report:
    input:
        [built(name, f"{name}.html") for name in NAMES],
        "build/model_tour.html",
    output:
        touch("build/report.done"),
    shell:
        "mkdir -p reports/notebooks && cp {input} reports/notebooks/ && gra report"
