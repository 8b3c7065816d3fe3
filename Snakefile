"""The batch: decode the faces, train the runs, execute the notebooks, write the report.

`make study` is one call of it. Settings: `--config preset=laptop seed=1 root=PATH`.
"""

import os
import sys

from gralib.config import TASKS, configure
from gralib.errors import UserError
from gralib.notebooks import refuse_unknown
from gralib.sources import open_source

REAL, DRAWN = Path("data/utkface"), Path("data/synthetic/utkface")
ROOT = Path(config.get("root") or (REAL if REAL.is_dir() and any(REAL.iterdir()) else DRAWN))
SYNTHETIC = ROOT == DRAWN
PRESET = config.get("preset", "smoke" if SYNTHETIC else "laptop")
SEED = config.get("seed", 0)
try:
    refuse_unknown(config, ("root", "preset", "seed"))
    configure(PRESET, seed=SEED)
    # Differs as soon as the pictures do, so that everything made from them is made anew.
    STAMP = "drawn" if SYNTHETIC else open_source(ROOT).stamp
except UserError as error:
    print(f"make study: {error}", file=sys.stderr, flush=True)
    os._exit(1)
BUILD = f"build/utkface-{'synthetic' if SYNTHETIC else 'real'}-{PRESET}-s{SEED}"

onstart:
    kind = "synthetic faces, as data/utkface holds no pictures" if SYNTHETIC else f"real faces in {ROOT}"
    wait = "some minutes" if PRESET == "smoke" else "long; stop it any time, the next call goes on"
    print(f"Study of UTKFace on {kind}; {PRESET} preset: {wait}.", flush=True)


rule all:
    input:
        "build/report.done",


rule synthesize:
    output:
        DRAWN / "SYNTHETIC.txt",
    shell:
        "rm -rf {DRAWN} && gra data synthesize --layout utkface --out {DRAWN}"


rule faces:
    input:
        [DRAWN / "SYNTHETIC.txt"] if SYNTHETIC else [],
    output:
        f"{BUILD}/faces.json",
    params:
        stamp=STAMP,
    shell:
        "gra data check utkface --root '{ROOT}' --json > {output}"


rule train:
    input:
        f"{BUILD}/faces.json",
    output:
        f"{BUILD}/{{task}}.run",
    wildcard_constraints:
        task="|".join(TASKS),
    shell:
        "gra run --task {wildcards.task} --root '{ROOT}' --preset {PRESET} --set seed={SEED} --progress lines > {output}"


rule notebook:
    input:
        "notebooks/utkface.ipynb",
        expand(f"{BUILD}/{{task}}.run", task=TASKS),
    output:
        f"{BUILD}/utkface.html",
    log:
        f"{BUILD}/utkface.log",
    shell:
        "gra notebook utkface -p data_root='{ROOT}' -p preset={PRESET} -p seed={SEED} --out {BUILD}/utkface 2> {log}"
        " || (cat {log} >&2; exit 1)"


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
        f"{BUILD}/utkface.html",
        "build/model_tour.html",
    output:
        touch("build/report.done"),
    shell:
        "mkdir -p reports/notebooks && cp {input} reports/notebooks/ && gra report"
