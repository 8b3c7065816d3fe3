"""Words against numbers: sentences of report, notebooks and README are made false one by one; a named test must fail.

In a clone of the last commit. The pages of the report are compared by one test with what publishing writes: it is run
once with all their sentences broken, and must name every page. The others are broken in rounds, of a file one at a
time, and the test of each must fail: those of README and notebooks are asked by file.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from common import ROOT

BOOK = "tests/report/test_book.py::test_what_is_committed_is_what_publishing_writes"
WORDS = "tests/test_words.py"
NUMBERS, ALL_NUMBERS = (
    f"{WORDS}::test_a_sentence_says_the_number_that_code_and_figures_have",
    f"{WORDS}::test_no_number_of_the_prose_is_without_a_source",
)
MEASURED, COMMANDS = (
    f"{WORDS}::test_a_page_of_measurements_says_what_was_measured",
    f"{WORDS}::test_commands_and_targets_exist",
)


class Broken(NamedTuple):
    """A sentence: its file, what to look for, what to put there (a number in the first group becomes one more where
    that is '+1'), and the test that must notice."""

    file: str
    find: str
    put: str
    test: str


PAGES = [
    Broken("reports/README.md", r"Of (\d+) claims about training", "+1", BOOK),
    Broken("reports/claims/C1.md", r"\*\*Verdict\.\*\* \*\*supported\*\*", "**Verdict.** **contradicted**", BOOK),
    Broken("reports/claims/C2.md", r"33,019,013", "33,019,010", BOOK),
    Broken("reports/claims/C4.md", r"(\d+) seeds \(0 to", "+1", BOOK),
    Broken("reports/claims/C9.md", r" years of it", " points of it", BOOK),
    Broken("reports/claims/C15.md", r"minus 1\.0 points", "minus 1.0 years", BOOK),
    Broken("reports/experiments/recipe.md", r"(\d+) recipes drawn at random", "+1", BOOK),
    Broken("reports/datasets/utkface.md", r"\| found \| – \| [\d,]+ \|", "| found | – | 23,807 |", BOOK),
    Broken("reports/datasets/fgnet.md", r" people| persons", " families", BOOK),
    Broken("reports/about/runs.md", r"(\d+) runs in all", "+1", BOOK),
    Broken("reports/about/choices.md", r"Seed s tests fold s mod 5", "Seed s tests fold s mod 4", BOOK),
    Broken("reports/about/provenance.md", r"tensorflow \| [^|]+ \| (\d+)", "+1", BOOK),
    Broken("reports/tables/claims.csv", r"supported", "contradicted", BOOK),
    Broken("reports/claims.json", r'"verdict": "supported"', '"verdict": "inconclusive"', BOOK),
]
OTHERS = [
    Broken("reports/about/reliability.md", r"\| kills \| (\d+)", "+1", f"{MEASURED}[reliability]"),
    Broken("reports/about/reliability.md", r"process, MiB", "process, GiB", f"{MEASURED}[reliability]"),
    Broken("reports/about/benchmarks.md", r"of (18) runs", "+1", f"{MEASURED}[benchmarks]"),
    Broken("reports/about/scaling.md", r"on a Slurm of two nodes", "on a Slurm of three nodes", f"{MEASURED}[scaling]"),
    Broken("gralib/visitors/networks/README.md", r"(\d+) % of the ages", "+1",
           f"{WORDS}::test_the_card_of_the_shipped_networks_says_what_was_measured"),
    Broken("README.md", r"32×32 face pictures", "64×64 face pictures", f"{NUMBERS}[README.md]"),
    Broken("README.md", r"3\.12 or 3\.13", "3.12 or 3.14", f"{NUMBERS}[README.md]"),
    Broken("README.md", r"33 million parameters", "23 million parameters", f"{NUMBERS}[README.md]"),
    Broken("README.md", r"all five data sets", "all six data sets", f"{NUMBERS}[README.md]"),
    Broken("README.md", r"ten folds of persons", "five folds of persons", f"{NUMBERS}[README.md]"),
    Broken("README.md", r"or six runs of a grid", "or eight runs of a grid", f"{NUMBERS}[README.md]"),
    Broken("README.md", r"`gra reproduce C4`", "`gra reproduce C40`", f"{COMMANDS}[README.md]"),
    Broken("README.md", r"`make help`", "`make assistance`", f"{COMMANDS}[README.md]"),
    Broken("notebooks/utkface.ipynb", r"23,708 pictures", "23,780 pictures", f"{NUMBERS}[utkface.ipynb]"),
    Broken("notebooks/utkface.ipynb", r"95 % interval", "90 % interval", f"{ALL_NUMBERS}[utkface.ipynb]"),
    Broken("notebooks/wikipedia.ipynb", r"38,138", "38,318", f"{NUMBERS}[wikipedia.ipynb]"),
    Broken("notebooks/fgnet.ipynb", r"82 people", "28 people", f"{NUMBERS}[fgnet.ipynb]"),
    Broken("notebooks/adience.ipynb", r"five official folds", "four official folds", f"{NUMBERS}[adience.ipynb]"),
    Broken("notebooks/afad.ipynb", r"164,432", "146,432", f"{NUMBERS}[afad.ipynb]"),
    Broken("notebooks/model_tour.ipynb", r"exactly three fewer", "exactly two fewer", f"{NUMBERS}[model_tour.ipynb]"),
    Broken("notebooks/label_noise.ipynb", r"50 and 70 %", "50 and 60 %", f"{NUMBERS}[label_noise.ipynb]"),
    Broken("notebooks/orientation.ipynb", r"15 degrees", "15 pixels", f"{NUMBERS}[orientation.ipynb]"),
    Broken("notebooks/recipe.ipynb", r"a rate of 0\.001", "a rate of 0.01", f"{NUMBERS}[recipe.ipynb]"),
    Broken("notebooks/age_decomposition.ipynb", r"20 years wide", "20 months wide",
           f"{NUMBERS}[age_decomposition.ipynb]"),
]  # fmt: skip


def broken(text: str, how: Broken) -> str:
    """Return a text with one sentence false; ends the program where it has no such sentence."""

    def instead(found: re.Match) -> str:
        if how.put != "+1":
            return how.put
        start, end = (place - found.start() for place in found.span(1))
        return f"{found[0][:start]}{int(found[1]) + 1}{found[0][end:]}"

    changed, count = re.subn(how.find, instead, text, count=1)
    if not count or changed == text:
        sys.exit(f"sentences: {how.file}: expected a sentence with {how.find!r}")
    return changed


def failing(clone: Path, tests: list[str]) -> tuple[set[str], str]:
    """Run tests in the clone and return which failed, and what was said; ends the program where they did not run."""
    env = {**os.environ, "PYTHONPATH": str(clone), "KERAS_BACKEND": "none"}
    words = [sys.executable, "-m", "pytest", "-vv", "-rf", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(words, cwd=clone, env=env, capture_output=True, text=True)
    failed = {test for test in tests if re.search(rf"^FAILED {re.escape(test)}( |$)", done.stdout, re.MULTILINE)}
    if done.returncode not in (0, 1) or " skipped" in done.stdout or bool(failed) != bool(done.returncode):
        sys.exit(f"sentences: {', '.join(tests)} did not run:\n{done.stdout[-2000:]}{done.stderr[-1000:]}")
    return failed, done.stdout


def rounds(sentences: list[Broken]) -> list[list[Broken]]:
    """Return the sentences in rounds, of each file one at a time: a test that fails is about its file's."""
    found: list[list[Broken]] = []
    for one in sentences:
        free = next((r for r in found if one.file not in {other.file for other in r}), None)
        if free is None:
            found.append(free := [])
        free.append(one)
    return found


def write(clone: Path, how: Broken) -> str:
    """Break a sentence in the clone and return the file's text before."""
    path = clone / how.file
    before = path.read_text()
    path.write_text(broken(before, how))
    return before


def git(clone: Path, *words: str) -> None:
    """Call git in the clone."""
    who = ("-c", "user.name=reliability", "-c", "user.email=reliability@localhost")
    subprocess.run(["git", "-C", str(clone), *who, *words], check=True, capture_output=True)


def pages(clone: Path) -> list[list]:
    """Return the sentences of the report's pages, all broken at once, and whether the test named their page."""
    for how in PAGES:
        write(clone, how)
    git(clone, "commit", "-qam", "broken")
    failed, said = failing(clone, [BOOK])
    return [[*how, bool(failed) and f"M {how.file}" in said] for how in PAGES]


def measure() -> dict:
    """Return for every sentence whether its test noticed."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        if bad := failing(clone, sorted({how.test for how in OTHERS} | {BOOK}))[0]:
            sys.exit(f"sentences: {', '.join(bad)}: fails before anything is broken")
        for some in rounds(OTHERS):
            before = {how.file: write(clone, how) for how in some}
            failed, _ = failing(clone, sorted({how.test for how in some}))
            rows += [[*how, how.test in failed] for how in some]
            for file, text in before.items():
                (clone / file).write_text(text)
        rows += pages(clone)
    return {"sentences": rows}
