"""Measure reliability on this machine and write reports/reliability.json and reports/about/reliability.md.

python benchmarks/reliability/run.py [PART…] (or: make reliability). Parts: twice, killed, disk, together, hostile,
inputs, decoding, pythons, packages, coverage, mutants; all of them when none is named, about two hours on two cores.
Each part's raw result is kept under build/reliability/COMMIT/, COMMIT being the last one that changed what is measured,
and read back there.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import covered
import decoding
import disk
import hostile
import inputs
import killed
import mutants
import packages
import pythons
import together
import twice
from common import BUILD, HERE, ROOT, code_commit
from page import page

from gralib.files import write_text

TOOLS = ROOT / "build" / "reliability" / "tools"
REPORT = ROOT / "reports" / "reliability.json"


def bad_data() -> dict:
    """Read damaged trees in a process of its own."""
    command = [sys.executable, str(HERE / "hostile.py"), str(hostile.INPUTS), str(hostile.SEED)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout)


PARTS: dict[str, Callable[[], dict]] = {
    "hostile": bad_data,
    "mutants": lambda: mutants.measure(TOOLS),
    "killed": killed.measure,
    "twice": twice.measure,
    "together": together.measure,
    "disk": disk.measure,
    "coverage": covered.measure,
    "inputs": inputs.measure,
    "decoding": decoding.measure,
    "pythons": pythons.measure,
    "packages": lambda: packages.measure(TOOLS),
}


TESTED = ("hostile", "coverage", "mutants", "pythons", "inputs")
"""Parts that the tests decide too."""


def once(name: str) -> dict:
    """Return a raw result with the commit it was made at: read back if there is one of this code, else made now."""
    commit = code_commit("tests") if name in TESTED else code_commit()
    path = BUILD.with_name(commit[:12]) / f"{name}.json"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(PARTS[name]()))
    return {"commit": commit, **json.loads(path.read_text())}


def figures(raw: dict) -> dict:
    """Return the figures of the page by name; only those of parts that were run."""
    found: dict = {}
    if made := raw.get("twice"):
        for engine in twice.ENGINES:
            same = [made[engine][name]["identical"] for name in ("again", "interrupted", "one worker, two workers")]
            found[f"same_twice_{engine}"] = all(same) and made[engine]["one worker, two workers"]["alone identical"]
        for when, key in (("one epoch", "one_epoch"), ("once", "end")):
            apart = made["tensorflow, jax"][when]
            found |= {f"engines_{k}_{key}": apart[k] for k in ("greatest", "median")}
            found[f"engines_score_{key}"] = apart["score"][1] - apart["score"][0]
    if made := raw.get("killed"):
        found["kills"] = len(made["kills"])
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
    if made := raw.get("hostile"):
        found |= {"hostile_inputs": made["inputs"], "hostile_slowest_s": made["slowest_s"],
                  "hostile_peak_mib": made["peak_mib"]}  # fmt: skip
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
        found["packages_audited"] = made["audit"]["audited"]
        found["packages_not_audited"] = made["audit"]["not audited"]
        if made["audit"]["audited"]:
            found["packages_vulnerable"] = len(made["audit"]["vulnerable"])
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


def main(names: list[str]) -> None:
    """Measure the parts and write the page; parts that are not named stay as the page has them."""
    if unknown := set(names) - set(PARTS):
        sys.exit(f"reliability: expected parts among {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    for name in names or PARTS:
        if name in ("mutants", "packages"):
            install()
        print(f"reliability: {name}", file=sys.stderr, flush=True)
        made = once(name)
        raw = json.loads(REPORT.read_text())["raw"] if REPORT.exists() else {}
        raw[name] = made
        result = {"figures": figures(raw), "machine": machine(), "raw": raw}
        write_text(REPORT, json.dumps(result, indent=1) + "\n")
        write_text(REPORT.parent / "about" / "reliability.md", page(result))


if __name__ == "__main__":
    main(sys.argv[1:])
