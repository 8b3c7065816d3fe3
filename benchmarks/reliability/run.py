"""Measure reliability on this machine and write reports/reliability.json and reports/about/reliability.md.

python benchmarks/reliability/run.py [PART[=TRIES]…] [--advisories FILE] (or: make reliability). All parts when none is
named, about ten hours on two cores; `--help` lists them, `doors=5` kills every command five times, `shared=3,2` lets
three processes share a store for two minutes. Each part's raw result is kept under build/reliability/COMMIT/, COMMIT
being the last one that changed what is measured, and read back there; long parts go on where they were stopped.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import advisories
import band
import covered
import decoding
import disk
import doors
import hostile
import inputs
import killed
import mutants
import packages
import pythons
import sentences
import shared
import supply
import together
import twice
from common import BUILD, HERE, ROOT, code_commit
from page import page

from gralib.files import write_text

TOOLS = ROOT / "build" / "reliability" / "tools"
REPORT = ROOT / "reports" / "reliability.json"


def power(losses: int) -> dict:
    """Lose the power in a process of its own, which patches what writers call."""
    command = [sys.executable, str(HERE / "blackout.py"), str(losses)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


class Part(NamedTuple):
    """How a part is measured, and how often or long it tries; `PART=TRIES` on the command line says otherwise."""

    measure: Callable[..., dict]
    tries: tuple[int, ...] = ()


PARTS = {
    "hostile": Part(lambda inputs: hostile.measure(inputs, BUILD), (25_000,)),
    "uploads": Part(lambda inputs: hostile.tried("uploads", inputs, BUILD), (2000,)),
    "mutants": Part(lambda: mutants.measure(TOOLS)),
    "killed": Part(killed.measure),
    "doors": Part(doors.measure, (50,)),
    "blackout": Part(power, (100,)),
    "twice": Part(twice.measure),
    "band": Part(band.measure, (band.SEEDS,)),
    "together": Part(together.measure),
    "shared": Part(shared.measure, (8, 30)),
    "disk": Part(disk.measure),
    "coverage": Part(covered.measure),
    "sentences": Part(sentences.measure),
    "inputs": Part(inputs.measure),
    "decoding": Part(decoding.measure),
    "pythons": Part(pythons.measure),
    "packages": Part(lambda: packages.measure(TOOLS)),
    "supply": Part(lambda: supply.measure(TOOLS)),
    "audit": Part(lambda file: advisories.audit(Path(file), packages.locked())),
}


TESTED = {
    **dict.fromkeys(("hostile", "uploads", "blackout", "coverage", "mutants", "pythons", "inputs"), ("tests",)),
    "sentences": ("tests", "reports", "README.md"),
    "supply": ("Containerfile", "Makefile", "pyproject.toml", "reports"),
}
"""Parts that other files than the code decide too."""


def once(name: str, tries: tuple) -> dict:
    """Return a raw result with the commit it was made at: read back if there is one of this code, else made now."""
    commit = code_commit(*TESTED.get(name, ()))
    words = [name, *(Path(str(word)).name for word in tries)]
    path = BUILD.with_name(commit[:12]) / f"{'-'.join(words)}.json"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(PARTS[name].measure(*tries)))
    return {"commit": commit, **json.loads(path.read_text())}


def figures(raw: dict) -> dict:
    """Return the figures of the page by name; only those of parts that were run."""
    found: dict = {**counts(raw), **limits(raw)}
    if made := raw.get("twice"):
        for engine in twice.ENGINES:
            same = [made[engine][name]["identical"] for name in ("again", "interrupted", "one worker, two workers")]
            found[f"same_twice_{engine}"] = all(same) and made[engine]["one worker, two workers"]["alone identical"]
        for when, key in (("one epoch", "one_epoch"), ("once", "end")):
            apart = made["tensorflow, jax"][when]
            found |= {f"engines_{k}_{key}": apart[k] for k in ("greatest", "median")}
            found[f"engines_score_{key}"] = apart["score"][1] - apart["score"][0]
    if made := raw.get("killed"):
        for key in ("runs that differ", "tables that differ", "done again", "epochs repeated"):
            found[f"killed_{key.replace(' ', '_')}"] = sum(len(study[key]) for study in made["studies"])
        found["killed_processes_left"] = made["processes left"]
    if (made := raw.get("disk")) and "left out" not in made:
        places = [place for place in made.values() if isinstance(place, dict) and "ends" in place]
        ends = [end for place in places for end in place["ends"] if end["status"]]
        found["disk_calls_without_room"] = len(ends)
        found["disk_refused_in_one_line"] = sum(end["status"] == 1 and end["one line"] for end in ends)
        found["disk_earlier_results_intact"] = all(end["earlier results intact"] for end in ends)
        found["disk_as_ever_with_space"] = all(p["succeeds with space"] and p["as ever"] for p in places)
    if made := raw.get("together"):
        pairs = [made["run"], made["grid"]]
        found["two_at_once_as_one"] = all(p["as one alone"] and p["statuses"] == [0, 0] for p in pairs)
        found["two_at_once_records_more_than_wanted"] = sum(p["records written"] - p["records wanted"] for p in pairs)
    if made := raw.get("inputs"):
        found["input_cases"] = made["cases"]
        if any(made["real"].values()):
            found["real_sets_as_ever"] = inputs.as_ever(made["real"])
    if (made := raw.get("decoding")) and "left out" not in made:
        found["decoding_cpu_time_ratio"] = decoding.ratio(made)
    if made := raw.get("pythons"):
        found["pythons_tried"] = len(made["found"])
        apart = [version for runs in made["apart"].values() for version, d in runs.items() if not d["identical"]]
        found["pythons_that_differ"] = len(set(apart))
    if made := raw.get("packages"):
        old = [name for name, age in made["latest release"].items() if age == f"over {max(packages.AGES)} days"]
        found["packages_older_than_two_years"] = len(old)
    if made := raw.get("coverage"):
        found |= {"coverage_percent": made["percent"], "coverage_branches_percent": made["branches_percent"],
                  "coverage_files_below_90": len(made["below"])}  # fmt: skip
    if made := raw.get("mutants"):
        known, unknown = mutants.explained(made["survivors"])
        found["mutants"] = sum(f["mutants"] for f in made["files"].values())
        found["mutants_noticed"] = sum(f["noticed"] for f in made["files"].values())
        found |= {"mutants_explained": len(known), "mutants_unexplained": len(unknown)}
    return found


def counts(raw: dict) -> dict:
    """Return how often commands were killed, power was lost and inputs were hostile, and what came of it."""
    found: dict = {}
    calls = [kill for door in raw.get("doors", {}).get("doors", {}).values() for kill in door["kills"]]
    if calls or "killed" in raw:
        found["kills"] = len(calls) + len(raw.get("killed", {}).get("kills", ()))
        found["killed_calls_otherwise"] = sum(bool(kill["status"] or kill["differs"]) for kill in calls)
    if made := raw.get("blackout"):
        found["power_losses"] = sum(d["losses"] for d in made["writers"].values())
        found["power_losses_otherwise"] = sum(len(d["otherwise"]) for d in made["writers"].values())
    if kinds := raw.get("hostile", {}).get("kinds"):
        found["hostile_inputs"] = sum(d["inputs"] for d in kinds.values())
        found |= {f"hostile_{key}": max(d[key] for d in kinds.values()) for key in ("slowest_s", "peak_mib")}
    if made := raw.get("uploads"):
        found |= {"uploads": made["inputs"], "uploads_slowest_s": made["slowest_s"],
                  "uploads_peak_mib": made["peak_mib"]}  # fmt: skip
    if made := raw.get("shared"):
        found |= {f"shared_store_{key}": made[key] for key in ("processes", "minutes", "kills", "runs")}
        found["shared_store_runs_twice"] = len(made["written twice"])
        found["shared_store_records_otherwise"] = len(
            [*made["problems"], *made["otherwise than alone"], *made["ended by themselves"]]
        )
    return found


def limits(raw: dict) -> dict:
    """Return what false sentences, other processors and what is handed on were held against."""
    found: dict = {}
    if made := raw.get("sentences"):
        noticed = [row[-1] for row in made["sentences"]]
        found |= {"broken_sentences": sum(noticed), "broken_sentences_missed": len(noticed) - sum(noticed)}
    if made := raw.get("band"):
        found["band_runs"] = len(made["pairs"])
        found["band_greatest"] = max(score["errors"] for pair in made["pairs"] for score in pair["scores"])
    if made := raw.get("supply"):
        found |= {f"{name}_same_twice": made["twice"][name] for name in ("wheel", "archive")}
        found["parts_as_locked"] = made["parts"]["as locked"] and not made["parts"]["against the schema"]
        found["container_as_locked"] = made["container"]["locked"] > 0 and not made["container"]["otherwise"]
    if made := raw.get("audit"):
        found |= {"packages_audited": made["audited"], "packages_vulnerable": len(made["vulnerable"])}
    return found


def machine() -> dict:
    """Return what the figures were measured on."""
    return {"cores": len(os.sched_getaffinity(0)), "system": platform.platform(), "python": platform.python_version()}


def install() -> None:
    """Install the tools that the project itself does not need into build/, pinned."""
    if not TOOLS.exists():
        part = Path(f"{TOOLS}.part")
        shutil.rmtree(part, ignore_errors=True)
        words = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(part)]
        wanted = str(HERE.parent / "requirements-reliability.txt")
        subprocess.run([sys.executable, "-m", "pip", *words, "-r", wanted], check=True)
        part.rename(TOOLS)


def asked(words: list[str]) -> list[tuple[str, tuple]]:
    """Return the parts that the command line names, each with its tries; all that need no file when none is named."""
    parser = argparse.ArgumentParser(description="Measure reliability.")
    parser.add_argument("parts", nargs="*", metavar="PART[=TRIES]", help=", ".join(PARTS))
    parser.add_argument("--advisories", type=Path, help="snapshot of advisories for the part audit, see advisories.py")
    given = parser.parse_args(words)
    found = []
    for part in given.parts or [name for name in PARTS if name != "audit" or given.advisories]:
        name, _, tries = part.partition("=")
        if name not in PARTS:
            parser.error(f"expected parts among {', '.join(PARTS)}, got {name}")
        if name == "audit" and not given.advisories:
            parser.error("audit: expected --advisories FILE")
        own = (given.advisories,) if name == "audit" else PARTS[name].tries
        numbers = tries.split(",") if tries else []
        if numbers and (len(numbers) != len(own) or not all(number.isdecimal() for number in numbers)):
            parser.error(f"{name}: expected {len(own)} whole numbers behind it, got {tries!r}")
        found.append((name, tuple(map(int, numbers)) or own))
    return found


def main(words: list[str]) -> None:
    """Measure the parts and write the page; parts that are not named stay as the page has them."""
    for name, tries in asked(words):
        if name in ("mutants", "packages", "supply"):
            install()
        print(f"reliability: {name}", file=sys.stderr, flush=True)
        made = once(name, tries)
        raw = json.loads(REPORT.read_text())["raw"] if REPORT.exists() else {}
        raw[name] = made
        write(raw)


def write(raw: dict) -> None:
    """Write figures and page from raw results."""
    result = {"figures": figures(raw), "machine": machine(), "raw": raw}
    write_text(REPORT, json.dumps(result, indent=1) + "\n")
    write_text(REPORT.parent / "about" / "reliability.md", page(result))


if __name__ == "__main__":
    main(sys.argv[1:])
