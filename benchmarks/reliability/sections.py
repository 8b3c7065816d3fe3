"""Sections of the page: killed commands, lost power, hostile inputs, uploads, one store, words, band, supply."""

import hostile
from markdown import table, yes

from gralib.reproduce import BAND


def doors(raw: dict) -> list[str]:
    """Say how every command that writes took being killed."""
    rows = [[name, len(d["kills"]), d["missed"], sum(k["status"] != 0 for k in d["kills"]),
             sum(bool(k["differs"]) for k in d["kills"]), d["first change_s"], d["seconds"]]
            for name, d in raw["doors"].items()]  # fmt: skip
    return [
        "Every command killed",
        "kill -9 of a command's process group at a seeded moment, half of them drawn from the whole call, half from "
        "what follows its first change of a file; then the same call again, and what it leaves compared with that of a "
        "call left alone. `missed` counts calls that had ended by then.",
        "",
        *table(["command", "kills", "missed", "next call failed", "came out otherwise", "first change, s",
                "whole call, s"], rows),
    ]  # fmt: skip


def blackout(raw: dict) -> list[str]:
    """Say what lost power does."""
    rows = [[name, d["losses"], d["events"], len(d["otherwise"])] for name, d in raw["writers"].items()]
    ends = [end for d in raw["writers"].values() for end in d["otherwise"]]
    return [
        "Power lost",
        "A writer's calls (create, sync, rename, remove) are recorded until the power goes before one of them; then "
        "the "
        "folder is put together again as POSIX promises it: a file that was not synced is empty, cut short, zeros or "
        "whole by chance, and a folder has the names of its last sync and by chance some changes after it "
        "(`tests/power.py`). The same is asked for again and must leave the same bits.",
        "",
        *table(["writer", "losses", "calls it makes", "came out otherwise"], rows),
        *([*(f"- {end}" for end in ends), ""] if ends else []),
    ]


def _ends(ends: dict[str, int]) -> list[str]:
    return table(["what was done: how it ended", "inputs"], [[name, count] for name, count in ends.items()])


def bad_data(raw: dict) -> list[str]:
    """Say how damaged inputs ended."""
    kinds = raw["kinds"]
    rows = [[kind, d["inputs"], d["slowest_s"], d["peak_mib"]] for kind, d in kinds.items()]
    ends = {f"{kind}, {end}": count for kind, d in kinds.items() for end, count in d["ends"].items()}
    return [
        "Bad data",
        f"Damaged inputs (seed {hostile.SEED}): trees and archives of the five layouts; a finished run's files, half "
        "of "
        "them with checksums that agree; the protocol; exported networks, as written, packed or sealed anew; decoded "
        "faces in the cache. Each was read with every row accounted for, or as it was written, made anew, or refused "
        "in "
        f"one line; none ended otherwise. An input may take {hostile.SLOWEST_S} s, the process {hostile.PEAK_MIB} MiB.",
        "",
        *table(["kind", "inputs", "slowest, s of processor", "peak of the process, MiB"], rows),
        *_ends(ends),
    ]


def uploads(raw: dict) -> list[str]:
    """Say how damaged uploads ended."""
    return [
        "Uploads",
        f"{raw['inputs']} damaged JPEG, PNG and WebP pictures of drawn faces, under names such as scripts and paths, "
        "given to the page of `make play` or to `gra predict` (whole, largest and all faces): each was read, or named "
        f"with a reason, and nothing else. The slowest took {raw['slowest_s']} s of processor, of "
        f"{hostile.SLOWEST_S} allowed, the process {raw['peak_mib']} MiB at its peak of {hostile.UPLOAD_PEAK_MIB}. "
        "That the page answers this machine alone, refuses a foreign Host header and serves nothing outside its "
        "folder is a test "
        "(`tests/visitors/test_play_browser.py`).",
        "",
        *_ends(raw["ends"]),
    ]


def shared(raw: dict) -> list[str]:
    """Say what several processes made of one store."""
    rows = [["processes at a time", raw["processes"]], ["minutes", raw["minutes"]], ["processes killed", raw["kills"]],
            ["ended by themselves", len(raw["ended by themselves"])], ["finished runs", raw["runs"]],
            ["unfinished when it ended, then finished", raw["unfinished"]],
            ["written twice", len(raw["written twice"])],
            ["damaged or failed", len(raw["problems"])], ["trained again alone", raw["compared"]],
            ["of these otherwise", len(raw["otherwise than alone"])]]  # fmt: skip
    return [
        "One store",
        "Processes that ask for the same runs, each in an order of its own, on one store and one cache, cold at first. "
        "Each is killed after a time drawn by chance, and another one takes its place.",
        "",
        *table(["what", "count"], rows),
    ]


def sentences(raw: dict) -> list[str]:
    """Say which false sentences were noticed."""
    rows = [[file, f"`{find}`", put, test.split("::")[-1], yes(noticed)]
            for file, find, put, test, noticed in raw["sentences"]]  # fmt: skip
    return [
        "Words against numbers",
        "Sentences made false on purpose, a count, a verdict, a seed or a unit; the test that must fail was run.",
        "",
        *table(["file", "what was looked for", "became", "test", "noticed"], rows),
    ]


def band(raw: dict) -> list[str]:
    """Say how far scores move on what stands in for another processor."""
    kinds: dict[str, list[dict]] = {}
    for pair in raw["pairs"]:
        kinds.setdefault(pair["variant"], []).append(pair)
    rows = []
    for name, pairs in kinds.items():
        scores = [score for pair in pairs for score in pair["scores"]]
        said = "; ".join(sorted({f"{k}={v}" for pair in pairs for k, v in pair["variables"].items()}))
        moved = max(abs(score["again"] - score["before"]) for score in scores if "years" not in score["score"])
        rows.append([name, said, len(pairs), sum(pair["same"] for pair in pairs), f"{moved:.3f}",
                     f"{max(score['errors'] for score in scores):.2f}"])  # fmt: skip
    return [
        "On another processor",
        f"`gra reproduce` calls a run made again identical, within the band, or different: a score may move by "
        f"{BAND:g} "
        "standard errors of the difference, paired by test face. Measured here on gender and age category of drawn "
        "faces, "
        f"{raw['seeds']} seeds, 8 epochs: one processor told to use fewer instructions (the variable stands in the "
        "run's "
        "record), two threads, and JAX, each beside the same run on one thread of TensorFlow.",
        "",
        *table(["variant", "variables in the record", "runs", "identical", "greatest move of a share",
                "greatest move, standard errors"], rows),
    ]  # fmt: skip


def audit(raw: dict) -> list[str]:
    """Say what a snapshot of advisories says of the locked packages."""
    bad = [[name, ", ".join(ids)] for name, ids in raw["vulnerable"].items()]
    return [
        "Known vulnerabilities",
        f"Of the {raw['audited']} locked packages, by `{raw['file']}` (SHA-256 {raw['sha256'][:16]}…): "
        f"{raw['advisories']} advisories, the newest of {raw['until']}. `python benchmarks/reliability/run.py audit "
        "--advisories FILE` reads another one.",
        "",
        *(table(["package", "known vulnerabilities"], bad) if bad else ["None is known.", ""]),
    ]


def supply(raw: dict) -> list[str]:
    """Say what is the same twice, what the list of parts holds, and what the Containerfile built."""
    parts, built = raw["parts"], raw["container"]
    return [
        "What is handed on",
        "Two fresh clones each made a wheel (`make wheel`) and a release archive (`make release`). The steps of "
        f"`Containerfile` were run in a fresh folder and a fresh environment: {built['steps']} steps, "
        f"{built['locked']} "
        f"locked packages installed, {len(built['otherwise'])} in another version. The list of parts (CycloneDX) has "
        f"{parts['listed']} packages, {'as locked' if parts['as locked'] else '**not as locked**'}; against its "
        "schema: "
        f"{parts['against the schema'] or 'nothing'}.",
        "",
        *table(["made twice", "the same bytes"], [[name, yes(same)] for name, same in raw["twice"].items()]),
    ]
