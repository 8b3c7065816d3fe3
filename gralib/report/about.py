"""What stands behind the numbers: how to read them, choices, contradictions, what is untested, lists, the paper's
figures made anew."""

from typing import Any

import pandas as pd

from gralib.config import TITLES, RunConfig
from gralib.errors import from_root
from gralib.evaluation.protocol import parse
from gralib.evaluation.verdicts import POWER
from gralib.report import words
from gralib.report.evidence import Book, to
from gralib.report.text import POINTS, SURE, cell, figure, link, page, plural, table

FIGURES = {
    "Fig. 2": ("flow", "a picture becomes a gender, and an age from category and remainder"),
    "Fig. 3": ("sample-faces", "sample faces, drawn by a program and no photographs; above each its age and gender"),
    "Fig. 4": ("gate-effect", "what a gate does to a mask at its ends and between, calculated from its equation"),
    "Fig. 5": ("attention-block", "trunk and mask of a block, joined by the gate"),
    "Fig. 6": ("soft-mask-branch", "max-poolings down, upsamplings back, a skip connection, a mask"),
    "Fig. 7": ("architecture", "the network as Keras built it; shapes and trainable parameters"),
    "Fig. 8": ("label-division", "an age divided into a category and a remainder inside it"),
}
"""Our counterparts of the paper's figures, by its number: file and caption."""
CAPTIONS = {
    "Fig. 1": "Comparative study of some Gender and Age classification methods proposed in past few years.",
    "Fig. 2": "Schematic diagram depicting the flowchart of the proposed model.",
    "Fig. 3": "Sample facial images taken from FG-NET dataset",
    "Fig. 4": "Effect of Gates at extreme values on the output of Gated Attention Network.",
    "Fig. 5": "Schematic diagram representing Gated Attention block.",
    "Fig. 6": "Illustration of Soft Mask Branch.",
    "Fig. 7": "Overall architecture used in the present work for classification of age and gender from facial images",
    "Fig. 8": "Decomposition of original age label into labels for different models",
}
"""The paper's captions in its words."""
KEPT = {
    "benchmarks": "speed beside what people would use instead",
    "reliability": "kills, full disks, broken files, mutants",
    "scaling": "several devices in one training, and what the whole study costs",
}
"""Pages that `make bench`, `make reliability` and `make scaling` write."""


ASKED = "; networks trained elsewhere were asked about its faces"


def write(book: Book) -> None:
    """Write all pages about the study, and their index."""
    made = {
        "reading": ("How to read this", "verdicts, differences, intervals", _reading()),
        "choices": ("Choices", "what the paper leaves open, and what was chosen", _choices(book)),
        "untested": ("Not tested", "what could not be tested, and why", _untested(book)),
        "contradictions": ("Contradictions", "where the paper disagrees with itself or arithmetic", _contradictions()),
        "figures": ("The paper’s figures", "made anew, beside its captions", _figures(book)),
        "methods": ("Methods", "earlier methods as the paper quotes them", _methods()),
        "provenance": ("Provenance", "where every number comes from", _provenance(book)),
        "checklist": ("Checklist", "the machine learning reproducibility checklist", _checklist(book)),
        "changes": ("What moved", "the first study's verdicts beside these, and what left the report", _changes(book)),
    }
    for name, (title, _, text) in made.items():
        book.pages[f"about/{name}.md"] = page(title, text)
    rows = [(link(title, f"{name}.md"), says) for name, (title, says, _) in made.items()]
    rows.insert(-2, (link("Runs", "runs.md"), "every run, with what made it"))
    rows += [(link(name.capitalize(), f"{name}.md"), says) for name, says in KEPT.items() if _is_kept(book, name)]
    book.pages["about/README.md"] = page("About", table(("page", "what it says"), rows))


def _is_kept(book: Book, name: str) -> bool:
    return (book.folder / f"about/{name}.md").is_file()


READING = {
    "difference": "by how much the first of two conditions is better than the second, of accuracy in points, of an "
                  "age error in years; always signed, and paired by test face where both answer for the same faces",
    "margin": "the difference that matters, fixed in the rule; the blue band of figures",
    "could have been seen": "the true difference that a study of this spread finds in {power} of its repetitions; the "
                            "grey bar of figures",
    "seed and fold": "a seed stands for weights, order, augmentation and training faces together, and tests a fold of "
                     "its own, so that as many seeds as folds test every face once",
    "interval": "at {sure}, Student’s t over the folds’ means; of a rule with two looks a repeated interval (O’Brien "
                "and Fleming), so wide at the first that both hold the truth together in {sure}; one fold has none",
    "*p*": "two-sided, of a single look; a verdict rests on the interval",
    "group": "test faces that are drawn together: of one photograph, person or time stamp",
    "primary and parts": "one comparison decides a claim; its parts stand beside it, corrected for their number (Holm)",
    "did not train": "a run that says the same of every face; it is shown and counted, and its seed left out",
    "same answer for all": "the best constant of the training faces: their commonest class, or median age",
    "exploratory": "something of it was seen before its rule was written, so it can’t decide",
    "recipe": "how networks are trained: `keras` is the paper’s words and Keras’ defaults, `tuned` was chosen on "
              "validation faces",
    "synthetic": "faces drawn by a program; they show that the study runs and never earn a verdict",
}  # fmt: skip
VERDICT_WORDS = {
    "supported": "the interval lies on the claim’s side; of “no worse” above minus the margin",
    "contradicted": "the interval lies on the other side, or holds zero, so close to it that no difference matters",
    "inconclusive": "the study could not see which; the page says how many seeds it takes at least",
    "not testable": "the paper gives nothing to compare with, or nothing comparable trained",
    "not run": "runs that the rule asks for are missing",
}


def _reading() -> str:
    verdicts = table(("verdict", "means"), [(f"**{name}**", says) for name, says in VERDICT_WORDS.items()])
    said = [(name, says.format(sure=SURE, power=f"{POINTS * POWER:.0f} %")) for name, says in READING.items()]
    return f"{verdicts}\n{table(('word', 'means'), said)}"


def _choices(book: Book) -> str:
    rules = [(choice.choice, choice.reason) for choice in book.protocol.general.choices]
    settings = []
    plain = next(c for c in book.protocol.plain_configs() if c.dataset == "utkface")
    for name, field in RunConfig.model_fields.items():
        text = " ".join((field.description or "").split())
        if "not stated" in text.lower() or "our choice" in text.lower():
            settings.append((f"`{name}`", field.default, getattr(plain, name), text))
    return (
        "Written down with the rules, before their runs.\n\n" + table(("choice of the protocol", "because"), rules)
        + "\n## Settings the paper leaves open\n\n"
        + table(("setting", "default", "in this study", "meaning"), settings)
    )  # fmt: skip


def _untested(book: Book) -> str:
    waiting = [(link(f"{c.id}", f"../claims/{c.id}.md"), c.claim, f"**{book.first(c.id)['verdict']}**",
                words.finding(book.first(c.id))) for c in book.ordered
               if book.first(c.id)["verdict"] in ("not testable", "not run")]  # fmt: skip
    sets = {run.record.config.dataset for run in book.counted}
    why = "no run on its real pictures counts; loader, protocol and notebook run on synthetic ones in its layout"
    rest = [
        (link(title, f"../datasets/{name}.md"), f"{why}{ASKED if name in set(book.elsewhere['tested']) else ''}")
        for name, title in TITLES.items() if name not in sets
    ]  # fmt: skip
    return table(("claim", "in short", "verdict", "because"), waiting) + "\n" + table(("data set", "why"), rest)


def read(name: str) -> Any:
    """Return what a YAML file of the report holds."""
    return parse(from_root(f"reports/{name}.yaml").read_text())


def _contradictions() -> str:
    return table(("place", "what shows it"), [(item["place"], item["shown"]) for item in read("contradictions")])


def _changes(book: Book) -> str:
    """Return claim by claim what the first study said, what this one says, and what was amiss; then what left."""
    told = read("changes")
    rows = []
    for claim in book.ordered:
        first = told["first"].get(claim.id, {"verdict": "not asked", "amiss": ""})
        row = book.first(claim.id)
        rows.append((link(claim.id, f"../claims/{claim.id}.md"), claim.claim, first["verdict"], f"**{row['verdict']}**",
                     words.finding(row), first["amiss"]))  # fmt: skip
    headers = ("claim", "in short", "first study", "now", "what was found now", "what was amiss in the first")
    said = (
        "The first study had three words beside *not testable*, of which *not reproduced* meant losing and not knowing "
        "alike. Split, recipe, rules and seeds are others now, so a verdict that moved says something of the first "
        "study too."
    )
    left = table(("what left", "why"), [(item["what"], item["why"]) for item in told["left"]])
    return f"{said}\n\n{table(headers, rows)}\n## What left the report\n\n{left}"


def _figures(book: Book) -> str:
    parts = ["In quotation marks the paper’s caption, then ours."]
    for number, caption in CAPTIONS.items():
        if number not in FIGURES:
            parts.append(f"**{number}** “{caption}” Ours: the [table of methods](methods.md).")
            continue
        name, ours = FIGURES[number]
        place = f"figures/{name}.svg"
        shown = (
            figure(f"{number}, made anew: {ours}.", to("about/x.md", place)) if (book.folder / place).is_file() else ""
        )
        parts.append(f"**{number}** “{caption}” Ours: {ours}.\n\n{shown}")
    return "\n\n".join(parts)


def _methods() -> str:
    found = pd.read_csv(from_root("reports/literature.csv"), keep_default_na=False)
    rows = []
    for (method, year), mine in found.groupby(["method", "year"], sort=False):
        lines = mine[mine["value"] != ""].to_dict(orient="records")
        values = "; ".join(f"{row['quantity']} {row['value']} {row['unit']} ({row['database']})" for row in lines)
        others = [
            "; ".join(dict.fromkeys(filter(None, mine[key])))
            for key in ("advantages", "limitations", "protocol", "source")
        ]
        rows.append((f"{method} ({year})", "; ".join(dict.fromkeys(mine["database"])), values, *others))
    said = (
        "As the paper quotes them, under other splits or unknown ones; what is comparable with our numbers, and how "
        "far, stands on the pages of the data sets."
    )
    headers = ("method", "database", "values", "advantages", "limitations", "protocol", "source")
    return f"{said}\n\n{table(headers, rows)}"


def _provenance(book: Book) -> str:
    """Return what made the numbers: runs by data set and purpose, commits, machines, packages."""
    calculated = (
        "Numbers of training come from runs whose records are kept, those of calculations from `equations.json`, those "
        "of labels from `label-floor.csv`. A run is named by a hash of its settings and data, and its files by "
        "checksums; the same configuration on the same data is one run. [All runs](runs.md)."
    )
    makers: dict[tuple[str, ...], int] = {}
    for run in book.runs:
        made, config = run.record.environment, run.record.config
        role = "recipe search" if config.tuning else "real faces" if not run.record.synthetic else "synthetic faces"
        key = (TITLES[config.dataset], role, (made.get("commit") or "unknown")[:10], made["packages"]["keras"],
               made["backend"], made["device"], str(made["threads"]))  # fmt: skip
        makers[key] = makers.get(key, 0) + 1
    headers = ("data set", "what for", "commit", "Keras", "backend", "device", "threads", "runs")
    rows = [(*key, count) for key, count in sorted(makers.items())]
    found = table(headers, rows) if rows else "**not run**: no record yet."
    names = (
        "claims.csv",
        "claims.tex",
        "claim-parts.tex",
        "runs.csv",
        "across.csv",
        "protocol-simulation.csv",
        "label-floor.csv",
    )
    files = [link(name, f"../tables/{name}") for name in names if (book.folder / f"tables/{name}").is_file()]
    files += [link("claims.json", "../claims.json"), link("its schema", "../claims.schema.json")]
    return f"{calculated}\n\n{found}\n\nFor papers and machines: {', '.join(files)}."


def _checklist(book: Book) -> str:
    parts = []
    for part in read("checklist"):
        rows = []
        for item in part["items"]:
            place = item["evidence"]
            inside = place.removeprefix("reports/")
            known = inside != place and (inside in book.pages or (book.folder / inside).is_file())
            target = to("about/x.md", inside) if known else book.source("about/x.md", place)
            rows.append((item["ask"], item["answer"], f"{item['says']} ({link(place, target)})"))
        parts.append(f"## {part['part']}\n\n" + table(("asked", "answer", "evidence"), rows))
    counts = pd.Series([item["answer"] for part in read("checklist") for item in part["items"]]).value_counts()
    said = ", ".join(f"{cell(name)} {plural(int(count), 'time')}" for name, count in counts.items())
    return f"Pineau et al., the version of conferences; answered {said}.\n\n" + "\n".join(parts)
