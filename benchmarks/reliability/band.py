"""The same on another processor: how far scores move under fewer instructions, other threads, another backend.

`gralib.reproduce.BAND` states how far they may; here it is held against what is measured.
"""

import json

from common import BUILD, drawn, good, gra, otherwise, study_root
from twice import ENGINES, OTHER, only_run

from gralib.files import write_text
from gralib.reproduce import apart
from gralib.training.records import Run

SUBJECTS = 300
TASKS = {"gender": ("--set", "width=2"), "age_category": ("--set", "network=separable", "--set", "width=2")}
SEEDS = 3
VARIANTS: dict[str, tuple[str, dict[str, str], tuple]] = {
    "once": ("tensorflow", {}, ()),
    **{name: ("tensorflow", variables, ()) for name, variables in OTHER["tensorflow"].items()},
    "two threads": ("tensorflow", {}, ("--threads", 2)),
    "JAX": ("jax", {}, ()),
    **{f"JAX, {name}": ("jax", variables, ()) for name, variables in OTHER["jax"].items()},
}
"""By name: backend, variables that make it compute as another processor would, further words."""


def trained(name: str, task: str, seed: int) -> Run:
    """Return a run as a variant computes it, trained when first asked for."""
    backend, variables, more = VARIANTS[name]
    place = "-".join((name, task, str(seed))).replace(" ", "-").replace(",", "")
    root = study_root(BUILD / "band" / place)
    words = ("run", "--task", task, "--preset", "smoke", "--root", drawn("utkface", SUBJECTS), *TASKS[task],
             "--set", f"seed={seed}", "--set", "epochs=8", "--progress", "none", *more)  # fmt: skip
    good(otherwise(root, variables, *words, **ENGINES[backend]) if variables else gra(root, *words, **ENGINES[backend]))
    return Run(only_run(root))


def measure(seeds: int) -> dict:
    """Return for every task, seed and variant how far its scores are from the first run's, in standard errors."""
    (BUILD / "band").mkdir(parents=True, exist_ok=True)
    kept = BUILD / "band" / "so-far.json"
    pairs = json.loads(kept.read_text()) if kept.exists() else []
    done = {(pair["variant"], pair["task"], pair["seed"]) for pair in pairs}
    for seed in range(seeds):
        for task in TASKS:
            for name in list(VARIANTS)[1:]:
                if (name, task, seed) in done:
                    continue
                first, other = trained("once", task, seed), trained(name, task, seed)
                found = [{"score": key, **one._asdict()} for key, one in apart(first, other).items()]
                settings = other.record.environment["settings"]
                variables = {key: settings[key] for key in VARIANTS[name][1]}
                pairs.append({"variant": name, "task": task, "seed": seed, "faces": len(first.rows), "scores": found,
                              "variables": variables, "same": first.predictions.equals(other.predictions)})  # fmt: skip
                write_text(kept, json.dumps(pairs))
    return {"pairs": pairs, "seeds": seeds}
