"""The batch: decode the faces, train the runs, execute the notebooks, write the report.

`make study` is one call of it, `make grids` another. Settings: `--config dataset=fgnet preset=laptop seed=1 folds=0
root=PATH` (and `grid=depth seeds=3` for grids; without `grid` it runs all of them); without `dataset` it runs all five,
each on real pictures if `data/NAME` holds any, else on synthetic ones.
On a cluster every job below is one of the scheduler's: `profiles/slurm`.
"""

import os
import sys
from shlex import quote

from filelock import FileLock, Timeout

from gralib.config import PROTOCOLS, TASKS, configure_tasks
from gralib.data.formats import holds_files
from gralib.errors import UserError
from gralib.training.grids import GRIDS, configs_of, parts_of, seeds_of
from gralib.notebooks import refuse_unknown
from gralib.data.sources import open_source

GOAL = "grids" if "grids" in sys.argv else "study"
ALL = list(TASKS)
NAMES = [config["dataset"]] if "dataset" in config else ALL
SEED, FOLDS = config.get("seed", 0), config.get("folds", 1)
SEEDS = config.get("seeds", 0)
WANTED = [config["grid"]] if "grid" in config else list(GRIDS)
NEEDS = {"smoke": (3000, 20, 20, 0), "laptop": (4000, 240, 40, 0), "paper": (16000, 240, 240, 1)}
"""What a cluster is asked for, by preset: memory in MB, minutes a run of the study and of the grids, GPUs."""


def root(name):
    """Where the pictures of a data set are."""
    found = f"data/{name}" if holds_files(name) else f"data/synthetic/{name}"
    return Path(config.get("root") or found).expanduser()


def rooted(name):
    """The option of `gra` that says where the pictures of a data set are."""
    return f"--root {quote(str(root(name)))}"


def parameter(name):
    """The same as a parameter of a notebook."""
    return f"-p {quote(f'data_root={root(name)}')}"


def drawn(name):
    return root(name) == Path(f"data/synthetic/{name}")


def preset(name):
    return config.get("preset", "smoke" if drawn(name) else "laptop")


try:
    refuse_unknown(config, ("dataset", "root", "preset", "seed", "folds", "grid", "seeds"))
    if NAMES[0] not in ALL:
        raise UserError(f"dataset: expected one of {', '.join(ALL)}, got {NAMES[0]!r}")
    if "root" in config and "dataset" not in config:
        raise UserError("root: expected dataset=NAME with it")
    if GOAL == "grids" and "utkface" not in NAMES:
        raise UserError(f"dataset: the grids are of utkface, got {NAMES[0]!r}")
    if not isinstance(FOLDS, int) or FOLDS < 0:
        raise UserError(f"folds: expected a number from 0 (all), got {FOLDS!r}")
    if not isinstance(SEEDS, int) or SEEDS < 0:
        raise UserError(f"seeds: expected a number from 0 (as each grid says), got {SEEDS!r}")
    for name in NAMES:
        configure_tasks(name, preset(name), seed=SEED)
    RUNS = {name: configs_of(name, seeds_of(name, SEEDS), preset=preset("utkface")) for name in WANTED}
    # Differs as soon as the pictures do, so that everything made from them is made anew.
    STAMP = {name: "drawn" if drawn(name) else open_source(root(name)).stamp for name in NAMES}
except UserError as error:
    print(f"make {GOAL}: {error}", file=sys.stderr, flush=True)
    os._exit(1)
SYNTHETIC = [name for name in NAMES if drawn(name)]
PARTS = dict(enumerate(parts_of(run for runs in RUNS.values() for run in runs), 1))
"""The runs of these grids, each once, by number of the job that trains them."""


def built(name, file):
    """A file that the study of a data set makes; its folder names everything that decides it."""
    kind = "synthetic" if drawn(name) else "real"
    return f"build/{name}-{kind}-{preset(name)}-s{SEED}-f{FOLDS}/{file}"


def memory(name):
    """Memory in MB of a data set's jobs; one that ran out of it is tried again with more."""
    return lambda wildcards, attempt: attempt * NEEDS[preset(name)][0]


if workflow.is_main_process and not {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
    # Two calls of one study at once: the second waits, and then finds done what the first did.
    LOCKS = [FileLock(built(name, f".{GOAL}.lock")) for name in sorted(NAMES)]
    for lock in LOCKS:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"make {GOAL}: waiting for another call that works on this ({lock.lock_file})", flush=True)
            lock.acquire()


localrules:
    all,
    grids,
    report,


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
        update("data/synthetic/{name}/SYNTHETIC.txt"),
    shell:  # drawn once: another call may be reading what it drew
        "test -f {output} || gra data synthesize --layout {wildcards.name} || test -f {output}"


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
        resources:
            mem_mb=memory(name),
        shell:
            "gra data check {params.dataset} --root {params.root:q} --json > {output}"

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
            words=f"--dataset {name} {rooted(name)} --preset {preset(name)} --set seed={SEED} --folds {FOLDS}",
        resources:
            mem_mb=memory(name),
            runtime=NEEDS[preset(name)][1] * (FOLDS or PROTOCOLS[name].get("folds", 5)),
            gpu=NEEDS[preset(name)][3],
        shell:
            "gra run --task {wildcards.task} {params.words} --progress lines > {output}"

    rule:
        name:
            f"{name}_notebook"
        input:
            f"notebooks/{name}.ipynb",
            [built(name, f"{task}.run") for task in TASKS[name]],
        output:
            built(name, f"{name}.ipynb"),
        log:
            built(name, f"{name}.log"),
        params:
            words=f"{name} {parameter(name)} -p preset={preset(name)} -p seed={SEED} -p folds={FOLDS}",
            out=built(name, name),
        resources:
            mem_mb=memory(name),
        shell:
            "gra notebook {params.words} --out {params.out} 2> {log} || (cat {log} >&2; exit 1)"


rule grid_part:
    input:
        built("utkface", "faces.json"),
    output:
        built("utkface", "grids-part-{number}.runs"),
    params:
        grids=" ".join(WANTED),
        words=f"{rooted('utkface')} --preset {preset('utkface')} --seeds {SEEDS}",
    resources:
        mem_mb=memory("utkface"),
        runtime=lambda wildcards: NEEDS[preset("utkface")][2] * len(PARTS[int(wildcards.number)]),
        gpu=NEEDS[preset("utkface")][3],
    shell:
        "gra grid {params.grids} --part {wildcards.number} {params.words} --workers 1 > {output}"


for name in WANTED:

    rule:
        name:
            f"grid_{name}"
        input:
            f"notebooks/{name}.ipynb",
            [built("utkface", f"grids-part-{n}.runs") for n, part in PARTS.items() if set(part) & set(RUNS[name])],
        output:
            built("utkface", f"{name}.ipynb"),
        log:
            built("utkface", f"{name}.log"),
        params:
            words=f"{name} {parameter('utkface')} -p preset={preset('utkface')} -p seeds={seeds_of(name, SEEDS)}",
            out=built("utkface", name),
        resources:
            mem_mb=memory("utkface"),
        shell:
            "gra notebook {params.words} --out {params.out} 2> {log} || (cat {log} >&2; exit 1)"


rule grids:
    input:
        [built("utkface", f"{name}.ipynb") for name in WANTED],
    output:
        touch("build/grids.done"),
    shell:
        "mkdir -p build/notebooks && cp {input} build/notebooks/ && gra report"


rule tour:
    input:
        "notebooks/model_tour.ipynb",
        "gralib/model/attention.py",
        "gralib/model/network.py",
    output:
        "build/model_tour.ipynb",
    log:
        "build/model_tour.log",
    shell:
        "gra notebook model_tour --out build/model_tour 2> {log} || (cat {log} >&2; exit 1)"


rule report:
    input:
        [built(name, f"{name}.ipynb") for name in NAMES],
        "build/model_tour.ipynb",
    output:
        touch("build/report.done"),
    shell:
        "mkdir -p build/notebooks && cp {input} build/notebooks/ && gra report"
