"""What sentences say is what code and figures say: numbers of README and notebooks have a source, names exist."""

import importlib
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import typer
from conftest import ROOT

from gralib import ages, cli, doctor
from gralib.config import PRESETS, PROTOCOLS, TASKS, RunConfig, configure
from gralib.data.decoding import SIZE
from gralib.evaluation import search
from gralib.labels import GENDERS
from gralib.metrics import LEVEL
from gralib.training import grids, probed
from gralib.visitors import start

PAGES = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "data/README.md", "reports/records/README.md")
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
REFERENCES = (
    r"(?:[Ss]ections?|Fig\.|Eq\.|contribution) \d[\d.]*(?:(?:,| and| to) \d[\d.]*)*"
    r"|; 7\.1\)|\(7\.1\)|\bC\d+\b|\b(?:19|20)\d\d\b"
)
"""Where the paper or a claim is meant, or a year."""
MATHEMATICS = (
    r"(?:γ|gamma|\bK) ?(?:=|is|near|frozen at) ?(?:0|1/2|½|1)(?!\d)|[\[(][01](?:, | [+−-] )[1K][\])]|\(1 [+−] \w\)"
    r"|\b1×1\b|\b3×3\b|\(1-\\gamma\)|\\gamma=[01](?!\d)"
    r"|between -?[01] and 1\b|gate (?:of |held at |\*?)[01](?!\d)|adds 1 "
)
"""What equations (1 to 6) and kernels are made of."""


def word(number):
    """Return a number as a word."""
    return WORDS[number]


@cache
def real():
    """Return rows and faces of the real sets as they were counted, by name of the set."""
    raw = json.loads((ROOT / "reports/reliability.json").read_text())["raw"]["inputs"]["real"]
    return {name: found["as ever"] for name, found in raw.items()}


@cache
def counted():
    """Return trainable parameters of the published size, and its gates."""
    layers = json.loads((ROOT / "reports/network.json").read_text())
    checks = json.loads((ROOT / "reports/equations.json").read_text())["checks"]
    value = next(check["value"] for check in checks if check["claim"] == "C2" and check["value"] > 1e6)
    return int(value), [layer for layer in layers if layer["name"].endswith("_gate")]


def code(name, kind):
    """Return the step by which the cells of a notebook change faces."""
    text = (ROOT / "notebooks" / f"{name}.ipynb").read_text()
    step = int(re.search(rf'change\(eight, \\"{kind}\\", (\d+)\)', text)[1])
    assert step in (*probed.TURNS, *probed.MOVES)
    return step


def by_hand():
    """Return the age that the tour divides by hand, as the library divides it."""
    category, remainder = (float(part) for part in ages.encode(37, 10))
    left = 10 * remainder
    return ["Take 37 years", f"37 = {category:.0f} · 10 + {left:.0f}", f"category {category:.0f}",
            f"{left:.0f} of 10 years are left", f"a remainder of {remainder:.1f}",
            f"10 · ({category:.0f} + {remainder:.1f})"]  # fmt: skip


def persons():
    return pd.read_csv(ROOT / "gralib/data/formats/fgnet_sizes.csv")["picture"].str[:3].nunique()


def shares(values):
    *most, last = (f"{100 * value:.0f}" for value in values)
    return f"{', '.join(most)} and {last} %"


GROUPS = len(ages.GROUP_NAMES)
GAMMAS = start.rows.__defaults__[0]
SIDES = f"{SIZE}×{SIZE}"
FOLDS_OF_PERSONS = configure("laptop", task="age_category", **{**PROTOCOLS["fgnet"], "dataset": "fgnet"}).folds
FACTS = {
    "README.md": lambda: [
        f"{SIDES} face pictures", f"a {SIDES} picture to its answer, with {word(len(counted()[1]))} attention blocks",
        "Python " + ", ".join(f"{a}.{b}" for a, b in doctor.PYTHONS[:-1]) + " or {}.{}".format(*doctor.PYTHONS[-1]),
        f"the notebooks of all {word(len(TASKS))} data sets", f"or {word(grids.RUNS_A_JOB)} runs of a grid",
        f"{round(counted()[0] / 1e6)} million parameters", f"# {word(FOLDS_OF_PERSONS)} folds",
        "as NFS 4 does",
    ],
    "adience.ipynb": lambda: [
        f"one of {word(GROUPS)} age groups", f"one of {word(GROUPS)} age *groups*", f"one of {word(GROUPS)} classes",
        f"Adience has {real()['adience'][0]:,} faces from 168 Flickr users", "nobody is 21 to 24", "adults of 25 to 32",
        "few above 60", "The five official folds", "runs fold 0", "30-odd albums",
    ],
    "afad.ipynb": lambda: ["between 15 and 40", "AFAD has 164,432 pictures", "ages 15 to 40 and a few above"],
    "age_decomposition.ipynb": lambda: [
        "Categories are {}, {} and {} years wide".format(*grids.WIDTHS),
        f"better than *{RunConfig.model_fields['age_width'].default}-year categories",
        "one number between 0 and 1 for all ages",
    ],
    "attention_types.ipynb": lambda: [f"The paper offers {word(len(grids.ATTENTIONS))} ways"],
    "depth.ipynb": lambda: [
        "{}, {} and {} attention modules a stage".format(*map(word, grids.DEPTHS)).capitalize(),
        f"better than *{grids.DEPTHS[0]} module a stage",
    ],
    "fgnet.ipynb": lambda: [
        f"FG-NET has {real()['fgnet'][0]:,} photographs of {persons()} people", "from babies to 69",
        "175 are greyscale", f"hangs on {persons()} persons", f"{persons()} trainings",
        f"{word(FOLDS_OF_PERSONS)} folds of",
        "The few faces above 40", f"{real()['fgnet'][0]:,} faces are few", f"{persons()} of them",
    ],
    "gate_ablation.ipynb": lambda: ["frozen at 0, 1/4, 1/2, 3/4 and 1, and trainable"],
    "label_noise.ipynb": lambda: [
        f"with {shares(grids.NOISE)} of the age categories", f"better than *{grids.NOISE[0]:.0f} % wrong labels",
        f"at {word(len(grids.NOISE))} shares of wrong labels",
    ],
    "model_tour.ipynb": lambda: [
        f"the network has {round(counted()[0] / 1e6)} million trainable parameters", "The paper says 33 million",
        f"The published size is width {PRESETS['paper']['width']}", f"exactly {word(len(counted()[1]))} fewer",
        f"it left the {word(len(counted()[1]))} gates out",
        f"{word(len(counted()[1]))} stages with one attention block each",
        "Pixels 0 to 255", "from 16 to 4 positions a side", f"and {word(len(GENDERS))} outputs", "with K near 0",
        "F only where γ is 1", *by_hand(),
    ],
    "orientation.ipynb": lambda: [
        f"moved by up to {word(RunConfig.model_fields['shift'].default)} pixels",
        f"turned by {code('orientation', 'turn')} degrees, and moved by {code('orientation', 'move')} pixels",
    ],
    "play.ipynb": lambda: ["between nought and one (6.2)"],
    "recipe.ipynb": lambda: [
        f"a rate of {RunConfig.model_fields['learning_rate'].default}",
        f"the same {word(len(search.LEVELS['learning_rate']))} values",
    ],
    "start.ipynb": lambda: [
        "γ = {:g}, ½ and {:g} from top to bottom".format(*(gamma for gamma in GAMMAS if gamma != 0.5)),
    ],
    "utkface.ipynb": lambda: [f"UTKFace has {real()['utkface'][0]:,} pictures", "ages 1 to 116", "Adults of 20 to 40"],
    "wikipedia.ipynb": lambda: [
        f"lists {real()['wikipedia'][0]:,} pictures", "from -74 to 1996 years", "2,643 rows have no gender",
        "in 18,016 no face",
        "in 4,096 there is a second", "age 0 to 100, gender known, face score above 1",
        f"keeps {real()['wikipedia'][1]:,}",
        '"20,284 celebrities"',
    ],
}  # fmt: skip
"""Sentences with numbers, by file: what code or a figure tells is read there, the rest was counted on real files."""
SHARED = (SIDES, f"{LEVEL:.0%}".replace("%", " % interval"))
"""The same in all notebooks."""


GIVEN = "says right, or what to look at"
"""In cells of exercises: their numbers are given, and test_exercises works out what is right."""


def prose(name):
    """Return what a person reads of a file: Markdown without code, addresses, numbers of lists, and exercises."""
    path = ROOT / name
    if name.endswith(".ipynb"):
        cells = nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown" and GIVEN not in cell.source)
    else:
        text = path.read_text()
    return re.sub(r"\]\([^)]*\)|<http[^>]*>|^\d\. ", "]", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", FACTS)
def test_a_sentence_says_the_number_that_code_and_figures_have(name):
    text = " ".join(prose(name).split())
    for sentence in FACTS[name]():
        assert " ".join(sentence.split()) in text, f"{name}: expected {sentence!r}"


@pytest.mark.parametrize("name", ["README.md", *NOTEBOOKS])
def test_no_number_of_the_prose_is_without_a_source(name):
    text = " ".join(re.sub(r"```.*?```|`[^`]*`", "", prose(name), flags=re.DOTALL).split())
    for sentence in sorted([*FACTS.get(name, list)(), *SHARED], key=len, reverse=True):
        text = text.replace(sentence, "")
    left = re.sub(f"{REFERENCES}|{MATHEMATICS}", "", text)
    assert not re.findall(r".{0,40}\d.{0,20}", left)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere_and_names_of_the_library_exist(name):
    text = (ROOT / name).read_text()
    for link in set(re.findall(r"\]\(([^)#]+)", text)):
        assert link.startswith("http") or ((ROOT / name).parent / link).exists(), link
    for dotted in set(re.findall(r"`(gralib(?:\.\w+)+)`", text)):
        module, _, last = dotted.rpartition(".")
        assert hasattr(importlib.import_module(module), last) or importlib.import_module(dotted), dotted


@pytest.mark.parametrize("name", [*PAGES, *NOTEBOOKS])
def test_commands_and_targets_exist(name):
    text = prose(name)
    group = typer.main.get_command(cli.app)
    for words in set(re.findall(r"(?:`|bin/|^)gra ([a-z]+(?: [a-z-]+)?)", text, re.MULTILINE)):
        command, *more = words.split()
        assert command in group.commands, words
        inner = getattr(group.commands[command], "commands", None)
        assert not inner or more[0] in inner, words
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets
    claims = set(re.findall(r"^- id: (C\d+)", (ROOT / "reports/claims.yaml").read_text(), re.MULTILINE))
    assert len(claims) == 21 and set(re.findall(r"\bC\d+\b", text)) <= claims


MEASURED = {
    "reliability": ("benchmarks/reliability", "from page import page"),
    "benchmarks": ("benchmarks", "from page import page"),
    "scaling": ("benchmarks", "from scaling import page"),
}


@pytest.mark.parametrize("name", MEASURED)
def test_a_page_of_measurements_says_what_was_measured(name):
    folder, code = MEASURED[name]
    said = f"import json; {code}; print(page(json.load(open({str(ROOT / 'reports' / name)!r} + '.json'))), end='')"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT / folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.split() == (ROOT / f"reports/about/{name}.md").read_text().split()


def test_figures_of_reliability_are_those_of_what_was_tried():
    said = "import json, run; print(json.dumps(run.figures(json.loads(run.REPORT.read_text())['raw'])))"
    words = [sys.executable, "-c", said]
    done = subprocess.run(words, cwd=ROOT / "benchmarks/reliability", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert json.loads(done.stdout) == json.loads((ROOT / "reports/reliability.json").read_text())["figures"]


def test_the_card_of_the_shipped_networks_says_what_was_measured(tmp_path):
    from gralib.visitors import modelcard, shipped

    for path in shipped.FOLDER.iterdir():
        (tmp_path / path.name).symlink_to(path) if path.name != shipped.CARD else None
    assert modelcard.write(tmp_path).read_text() == (shipped.FOLDER / shipped.CARD).read_text()


def test_published_notebooks_tell_the_story_of_the_stored_ones():
    for path in sorted((ROOT / "reports/notebooks").glob("*.ipynb")):
        stored = nbformat.read(ROOT / "notebooks" / path.name, as_version=4).cells
        shown = nbformat.read(path, as_version=4).cells
        assert [c.source for c in shown if c.cell_type == "markdown"] == [
            c.source for c in stored if c.cell_type == "markdown"
        ], path.name


def test_protocols_of_the_stories_have_as_many_folds_as_they_say():
    assert PROTOCOLS["adience"]["protocol"] == "official"
    assert Path(ROOT / "notebooks/adience.ipynb").read_text().count("five official folds") == 1
