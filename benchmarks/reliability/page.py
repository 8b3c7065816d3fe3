"""reports/about/reliability.md from the figures of reliability.json."""

import csv
import json

import hostile
import mutants
import sections
from inputs import CASES
from markdown import table, yes

from gralib.reproduce import BAND

GOALS: dict[str, tuple[str, float]] = {
    "same_twice_tensorflow": ("exactly", True), "same_twice_jax": ("exactly", True), "kills": ("at least", 500),
    "killed_runs_that_differ": ("at most", 0), "killed_tables_that_differ": ("at most", 0),
    "killed_done_again": ("at most", 0), "killed_epochs_repeated": ("at most", 0),
    "killed_processes_left": ("at most", 0), "killed_calls_otherwise": ("at most", 0),
    "power_losses": ("at least", 100), "power_losses_otherwise": ("at most", 0),
    "disk_earlier_results_intact": ("exactly", True), "disk_as_ever_with_space": ("exactly", True),
    "two_at_once_as_one": ("exactly", True), "two_at_once_records_more_than_wanted": ("at most", 0),
    "shared_store_processes": ("at least", 8), "shared_store_minutes": ("at least", 30),
    "shared_store_runs_twice": ("at most", 0), "shared_store_records_otherwise": ("at most", 0),
    "hostile_inputs": ("at least", 25_000), "hostile_slowest_s": ("at most", hostile.SLOWEST_S),
    "hostile_peak_mib": ("at most", hostile.PEAK_MIB), "uploads": ("at least", 2000),
    "uploads_slowest_s": ("at most", hostile.SLOWEST_S), "uploads_peak_mib": ("at most", hostile.UPLOAD_PEAK_MIB),
    "broken_sentences": ("at least", 30), "broken_sentences_missed": ("at most", 0), "band_greatest": ("at most", BAND),
    "wheel_same_twice": ("exactly", True), "archive_same_twice": ("exactly", True),
    "parts_as_locked": ("exactly", True), "container_as_locked": ("exactly", True),
    "pythons_that_differ": ("at most", 0),
    "decoding_cpu_time_ratio": ("at most", 1.1), "input_cases": ("at least", 35),
    "real_sets_as_ever": ("exactly", True), "packages_audited": ("at least", 251),
    "packages_vulnerable": ("at most", 0), "packages_older_than_two_years": ("at most", 0),
    "coverage_branches_percent": ("at least", 95), "coverage_files_below_90": ("at most", 0),
    "mutants_unexplained": ("at most", 0),
}  # fmt: skip
FEWER = "Tried less often, or for less time, than the goal asks: a whole `make reliability` takes some ten hours."
WHY = {
    **dict.fromkeys(("kills", "power_losses", "hostile_inputs", "uploads"), FEWER),
    **dict.fromkeys(("shared_store_processes", "shared_store_minutes"), FEWER),
    "packages_older_than_two_years": "seaborn, named by the project's owner: its last release works with the locked "
    "packages, as the tests show, and it has no living successor.",
}


def reached(name: str, value: float) -> str:
    """Return the goal of a figure and whether it is reached; nothing where there is no goal."""
    if name not in GOALS:
        return ""
    side, goal = GOALS[name]
    ok = {"exactly": value == goal, "at least": value >= goal, "at most": value <= goal}[side]
    return f"{side} {yes(goal)}: {'reached' if ok else '**missed**'}"


def page(result: dict) -> str:
    """Return the results as Markdown."""
    raw = result["raw"]
    machine = ", ".join(f"{k} {v}" for k, v in result["machine"].items())
    lines = ["# Reliability", "", f"Written by `make reliability`. {machine}.", ""]
    missing = [name for name in SECTIONS if name not in raw]
    if missing:
        lines += [f"Not run: {', '.join(missing)}.", ""]
    short = [[name, WHY.get(name, "Not looked into.")] for name, value in result["figures"].items()
             if "missed" in reached(name, value)]  # fmt: skip
    lines += table(["figure", "measured", "goal"],
                   [[name, yes(value), reached(name, value)] for name, value in result["figures"].items()])  # fmt: skip
    lines += table(["goal that is missed", "why"], short) if short else []
    for name, section in SECTIONS.items():
        if name in raw:
            title, *rest = section(raw[name])
            lines += [f"## {title}", "", *rest, f"Measured at commit {raw[name]['commit'][:10]}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def twice(raw: dict) -> list[str]:
    """Say what is the same twice, and how far apart what is not."""
    rows = [[engine, name, yes(d["identical"]), f"{d['greatest']:.2g}", f"{d['median']:.2g}",
             f"{d['answers that differ']} of {d['faces']}", f"{d['score'][0]:.3f}, {d['score'][1]:.3f}"]
            for engine in raw if engine != "commit" for name, d in raw[engine].items() if "greatest" in d]  # fmt: skip
    grids = [[e, yes(raw[e]["one worker, two workers"]["identical"]), raw[e]["one worker, two workers"]["runs"],
              yes(raw[e]["one worker, two workers"]["alone identical"])] for e in ("tensorflow", "jax")]  # fmt: skip
    return [
        "Same twice",
        "Gender, the smoke preset at width 2 for 8 epochs, on synthetic faces; each time in a process of its own, "
        "from an empty folder; compared with the first run (`tensorflow, jax`: one engine with the other, initial "
        "weights being equal). Identical means the bytes of weights, predictions and history, and the record but for "
        "when and how long. `interrupted` was ended by kill -9 after its fourth epoch and called again. What is held "
        "to AVX2 or runs without oneDNN stands in for another processor; it is the same one. There, with another "
        "number of threads and on another engine sums are rounded differently, and every step of a training enlarges "
        "what the one before left: compare scores with their intervals then, not outputs.",
        "",
        *table(["engine", "beside the first run", "identical", "greatest difference of an output", "median",
                "other answers", "scores"], rows),
        "A grid of six runs, trained by one worker and by two, and one of them alone:",
        "",
        *table(["engine", "identical", "runs", "alone identical"], grids),
    ]  # fmt: skip


def killed(raw: dict) -> list[str]:
    """Say where a study was killed and what came of it."""
    chance = sum("at" not in kill for kill in raw["kills"])
    rows = [[i, s["kills"], len(s["runs that differ"]), len(s["tables that differ"]), len(s["done again"]),
             len(s["epochs repeated"]), s["left behind"]["files"], s["left behind"]["kib"]]
            for i, s in enumerate(raw["studies"])]  # fmt: skip
    aims = [kill["at"] for kill in raw["kills"] if "at" in kill]
    return [
        "Killed anywhere",
        f"A small study (draw, decode, train two networks, execute a notebook, report; {raw['reference_s']:.0f} s in "
        f"one call, with whatever else the machine did) was ended {len(raw['kills'])} times by kill -9 of its process "
        f"group and called again each time: {chance} times at a random moment, drawn from the first 5 % of that time "
        f"or from the first 50 %, and {len(aims)} times as soon as a certain file was there. "
        "Compared are weights, predictions, histories, records and the report's tables "
        "with those of a study that was left alone. `done again` counts files of finished parts that were written "
        "anew, `epochs repeated` epochs that a checkpoint held already.",
        "",
        *table(["what it was doing", "kills"], [[name, count] for name, count in raw["phases"].items()]),
        *table(["study", "kills", "runs that differ", "tables that differ", "done again", "epochs repeated",
                "unfinished files left", "their KiB"], rows),
        f"Killed as soon as these were there: {', '.join(f'`{aim}`' for aim in aims)}.",
        "",
        *([f"Not met before the last kill: {', '.join(f'`{aim}`' for aim in raw['aims missed'])}.", ""]
          if raw["aims missed"] else []),
    ]  # fmt: skip


def disk(raw: dict) -> list[str]:
    """Say how commands end where nothing can be written."""
    if "left out" in raw:
        return ["Full disk and read-only folders", f"Left out: {raw['left out']}.", ""]
    places = [place for place, made in raw.items() if isinstance(made, dict) and "ends" in made]
    rows = [[place, end["when"], end["status"], *((yes(end["one line"]), yes(end["earlier results intact"]),
             end["message"]) if end["status"] else ("", "", ""))]
            for place in places for end in raw[place]["ends"]]  # fmt: skip
    after = [[place, yes(raw[place]["succeeds with space"]), yes(raw[place]["as ever"]), len(raw[place]["left behind"])]
             for place in places]  # fmt: skip
    return [
        "Full disk and read-only folders",
        "A small file system in memory lies under one folder at a time; it is read-only, or a filler leaves so much. "
        "A status of 0 means that the space was enough.",
        "",
        *table(["folder", "disk", "status", "one line", "earlier results intact", "message"], rows),
        *table(["folder", "the same call succeeds with space", "result as ever", "unfinished files left"], after),
    ]


def together(raw: dict) -> list[str]:
    """Say what comes of two at once."""
    keys = ("statuses", "both say the same", "records written", "records wanted", "as one alone")
    rows = [[name, *(yes(raw[name][k]) if not isinstance(raw[name][k], list) else raw[name][k] for k in keys)]
            for name in ("run", "grid")]  # fmt: skip
    return [
        "Two at once",
        "Two processes ask for the same at the same time, from a cold folder, decoding included. A record that was "
        f"written twice would count twice. The run of 2 epochs printed {raw['run']['epochs trained']} epochs in all.",
        "",
        *table(["what", *keys], rows),
    ]


def inputs(raw: dict) -> list[str]:
    """Say how data sets end as people really have them."""
    real = [[name, d["rows"], d["as ever"][0], d["faces"], d["as ever"][1], d["copies"]]
            for name, d in raw["real"].items() if d]  # fmt: skip
    lost = [name for name, d in raw["real"].items() if not d]
    with CASES.open(encoding="utf-8", newline="") as file:
        (case, kind, *others), *rows = csv.reader(file)
    return [
        "Data sets as people have them",
        f"{raw['cases']} small inputs after public bug reports and re-uploads (`tests/input_cases.csv` says what "
        "is right); a test makes each and holds it to this table.",
        "",
        *table([kind, case, *others], [[what, name, *rest] for name, what, *rest in rows]),
        "The real sets, read with the same code. Of Wikipedia the pictures are not here: counted as faces are the rows "
        f"that fit the rule.{' Not here: ' + ', '.join(lost) + '.' if lost else ''}",
        "",
        *table(["set", "rows", "always", "faces", "always", "copies excluded"], real),
    ]


def decoded(raw: dict) -> list[str]:
    """Say how long decoding takes beside what it took."""
    title = "Decoding, beside what it was"
    if "left out" in raw:
        return [title, f"Left out: {raw['left out']}.", ""]
    rows = [[i, f"{before:.2f}", f"{now:.2f}"]
            for i, (before, now) in enumerate(zip(*raw["seconds"].values(), strict=True), start=1)]  # fmt: skip
    return [
        title,
        f"{raw['faces']:,} UTKFace pictures decoded one after the other with the code of {raw['before']}, before data "
        "sets as people have them were read, and with this one, in turn in one process. Seconds of **CPU time**: the "
        "machine did other things too, so no clock was read.",
        "",
        *table(["round", "before", "now"], rows),
    ]  # fmt: skip


def pythons(raw: dict) -> list[str]:
    """Say what every Python makes of the same."""
    rows = [[f["python"], f["drawn"], f["fingerprint"], f["tests"]] for f in raw["found"].values()]
    runs = [[name, version, yes(d["identical"]), f"{d['greatest']:.2g}", f"{d['answers that differ']} of {d['faces']}"]
            for name, versions in raw["apart"].items() for version, d in versions.items()]  # fmt: skip
    kinds = {json.dumps(f["packages"]) for f in raw["found"].values()}
    same = ", ".join(f"{name} {version}" for name, version in json.loads(min(kinds)).items())
    return [
        "Every Python that the lock is for",
        "An environment each from `requirements.lock`, which has one version of every package for all "
        f"(`--fork-strategy fewest`; {same}{'' if len(kinds) == 1 else ', **not the same in all**'}): synthetic "
        "pictures are drawn, decoded and learnt from (`tests/tiny.py`), and a part of the tests is run. Identical "
        f"means the bytes of weights, predictions and history, compared with {next(iter(raw['found']))}'s."
        + (f" Not to be had where this was measured: {', '.join(raw['not here'])}." if raw["not here"] else ""),
        "",
        *table(["Python", "hash of the drawn pictures", "fingerprint of the faces", "tests"], rows),
        *table(["run", "Python", "identical", "greatest difference of an output", "other answers"], runs),
    ]  # fmt: skip


def packages(raw: dict) -> list[str]:
    """Say what is known of the packages."""
    return [
        "Packages",
        f"Licences of all {raw['locked']} locked packages, as they state them themselves: "
        "[licences.csv](../licences.csv).",
        "",
        *table(["licence", "packages"], [[k, v] for k, v in raw["licences"].items()]),
        "Age of the latest release of the packages that `pyproject.toml` names:",
        "",
        *table(["package", "latest release"], sorted(raw["latest release"].items(), key=lambda x: (x[1], x[0]))),
    ]


def coverage(raw: dict) -> list[str]:
    """Say what the tests reach."""
    below = [[name, share] for name, share in raw["below"].items()]
    return [
        "Coverage",
        f"{raw['percent']} % of lines and branches of `gralib`, {raw['branches_percent']} % of its {raw['branches']} "
        f"branches, by the test suite and what it starts: the command, workers, notebooks' kernels ({raw['tests']}).",
        "",
        *(table(["file below 90 %", "lines and branches, %"], below) if below else []),
    ]


def mutation(raw: dict) -> list[str]:
    """Say which mutants live, and why."""
    known, unknown = mutants.explained(raw["survivors"])
    return [
        "Mutants",
        "One thing is made wrong at a time, at a seeded sample of the places of the modules below, "
        "and the tests of that module are run. Tests are added until they notice: what was noticed with the tests of "
        "an earlier commit is not tried again while the module stays as it is. Last tried: "
        + ", ".join(f"{count} at {commit}" for commit, count in raw["commits"].items())
        + ".",
        "",
        *table(["module", "mutants", "noticed"], [[n, f["mutants"], f["noticed"]] for n, f in raw["files"].items()]),
        *table(["mutant that lives", "why"], [[f"`{text}`", why] for text, why in known.items()]),
        *(table(["mutant that lives unexplained"], [[f"`{text}`"] for text in unknown]) if unknown else []),
    ]


SECTIONS = {
    "twice": twice, "killed": killed, "disk": disk, "together": together, "inputs": inputs,
    "decoding": decoded, "pythons": pythons, "packages": packages, "coverage": coverage, "mutants": mutation,
    "doors": sections.doors, "blackout": sections.blackout, "hostile": sections.bad_data, "uploads": sections.uploads,
    "shared": sections.shared, "sentences": sections.sentences, "band": sections.band, "audit": sections.audit,
    "supply": sections.supply,
}  # fmt: skip
