"""The first page: three sentences, one figure, one line a claim."""

from collections.abc import Sequence
from math import isfinite

from gralib.config import TITLES
from gralib.evaluation.verdicts import VERDICTS
from gralib.metrics import METRICS
from gralib.report import plots, words
from gralib.report.evidence import Book, to
from gralib.report.text import Row, between, difference, fold, link, listing, page, plural, table
from gralib.training.records import Run

PAGE = "README.md"


def write(book: Book) -> None:
    """Write the first page and its figure."""
    said = (what_came_out(book), what_was_trained(book), what_it_means(book))
    parts = [WHAT, "\n".join(f"- {sentence}" for sentence in said)]
    parts += [_figure(book), _table(book), READ, _contents()]
    parts.append(fold("Left out", "\n".join(f"- {problem}" for problem in book.problems)) if book.problems else "")
    book.pages[PAGE] = page("GRA_Net, reproduced", *parts)


WHAT = (
    "GRA_Net is a gated residual attention network that reads age and gender from small pictures of faces. "
    "Here its paper is checked, claim by claim."
)
READ = (
    "A difference is by how much the first of two is better, paired by test face where both answer for the same faces. "
    "Of a calculation the value found stands in its place. Rules were written down before their "
    "runs; each page says when. [How to read this](about/reading.md)."
)
SECTIONS = {
    "claims": "a page a claim: words, rule, figure, parts, runs",
    "experiments": "what was compared, with every score",
    "datasets": "who is in them, how they are split, scores by age, gender and race label",
    "notebooks": "the story, step by step",
    "about": "choices, runs, what could not be tested, checklist, speed, reliability",
}


TITLES_OF = {"datasets": "Data sets"}


def _contents() -> str:
    return "\n".join(
        f"- {link(TITLES_OF.get(name, name.capitalize()), f'{name}/README.md')}: {says}"
        for name, says in SECTIONS.items()
    )


def what_came_out(book: Book) -> str:
    """Return the first sentence: verdicts by name, of claims that need training and of calculations."""
    exact = [c.id for c in book.stated if book.rule(c.id).rule == "exact"]
    trained = [c.id for c in book.ordered if c.id not in exact]
    rest = f"; of {plural(len(exact), 'calculation')}, {_verdicts(book, exact)}" if exact else ""
    return f"**What came out.** Of {plural(len(trained), 'claim')} about training, {_verdicts(book, trained)}{rest}."


def _verdicts(book: Book, ids: Sequence[str]) -> str:
    by = {verdict: [c for c in ids if book.first(c)["verdict"] == verdict] for verdict in VERDICTS}
    return listing([
        f"{len(mine)} {'is' if len(mine) == 1 else 'are'} **{verdict}** ({', '.join(mine)})"
        for verdict, mine in by.items() if mine
    ])  # fmt: skip


def what_was_trained(book: Book) -> str:
    """Return the second sentence: networks, faces, size and time behind the verdicts."""
    runs = book.counted
    if not runs:
        asked = book.protocol.all_configs()
        begun = sum(config in book.known for config in asked)
        said = f"{begun:,} of the {len(asked):,} runs" if begun else "no run"
        are = "are" if begun > 1 else "is"
        return f"**What was trained.** Nothing yet that decides: {said} that rules ask for {are} recorded."
    sets = {run.record.config.dataset for run in runs}
    hours = sum(run.record.seconds for run in runs) / 3600
    published = max((c.stated for c in book.stated if c.stated), default=0)
    where = listing(sorted(TITLES[name] for name in sets))
    return (
        f"**What was trained.** Behind the verdicts stand {plural(len(runs), 'run')} on real faces of {where}, "
        f"{between([run.record.faces['train'] for run in runs])} faces each, {between(_sizes(runs))} trainable "
        f"parameters (the paper’s have {published:,.0f}), {hours:,.0f} hours of training; "
        f"{link('in all', 'about/runs.md')} {plural(len(book.runs), 'run')} are recorded."
    )


def _sizes(runs: Sequence[Run]) -> list[int]:
    own = [run.record.trainable_parameters for run in runs if run.record.config.network == "gra_net"]
    return own or [run.record.trainable_parameters for run in runs]


def what_it_means(book: Book) -> str:
    """Return the third sentence: the claim that matters most among those judged, with number and power."""
    judged = [c for c in book.ordered if isfinite(book.first(c.id)["value"]) and book.rule(c.id).primary]
    if not judged:
        waiting = sum(book.first(c.id)["verdict"] == "not run" for c in book.ordered)
        return f"**What it means.** Nothing is known yet of {plural(waiting, 'claim')}; their rules are fixed."
    claim = judged[0]
    row = book.first(claim.id)
    seen = difference(row["detectable"], row["unit"]).lstrip("+")
    left = [c.id for c in book.ordered if book.first(c.id)["verdict"] == "not run"]
    more = f" {plural(len(left), 'claim')} still wait{'s' if len(left) == 1 else ''} for runs." if left else ""
    return (
        f"**What it means.** The claim that decides most, {link(claim.id, f'claims/{claim.id}.md')} "
        f"({claim.short}), is **{row['verdict']}** ({row['finding']}): {words.estimated(row)}, "
        f"where {seen} could have been seen.{more}"
    )


def _figure(book: Book) -> str:
    """Draw all primary differences of claims with runs."""
    mine = [claim for claim in book.ordered if book.rule(claim.id).primary]
    rows = [{**_plan(book, claim.id), **_known(book.first(claim.id))} for claim in mine]
    alt = (
        "The primary difference of every claim with its interval, the zero line, the margin, and what could have been "
        "seen; the table below has the numbers."
    )
    return book.draw(PAGE, "claims", plots.forest(rows, [f"{claim.id} {claim.short}" for claim in mine]), alt)


def _plan(book: Book, claim: str) -> dict:
    """Return what the rule of a claim says of its figure, for where nothing is known yet."""
    primary = book.rule(claim).primary
    assert primary is not None
    nothing = dict.fromkeys(("value", "low", "high", "low_90", "high_90", "detectable"), float("nan"))
    return {**nothing, "unit": METRICS[primary.score].unit, "score": primary.score, "margin": primary.margin}


def _known(row: Row) -> dict:
    """Return the cells of a row that say something."""
    return {key: value for key, value in row.items() if value == value and value is not None}


def _table(book: Book) -> str:
    """Return one line a claim, most important first, calculations last."""
    rows = []
    for claim in book.ordered:
        row = book.first(claim.id)
        mark = (" *exploratory*" if row["exploratory"] else "") + words.slight(row) + _apart(book.rows(claim.id))
        place = to(PAGE, f"claims/{claim.id}.md")
        rows.append((link(claim.id, place), claim.claim, f"**{row['verdict']}**{mark}", words.estimated(row)))
    return table(("claim", "in short", "verdict", "difference"), rows)


def _apart(rows: Sequence[Row]) -> str:
    """Return how many parts go the other way than the first row, which decides; nothing where none does."""
    apart = words.opposed(rows)
    return f"; {plural(len(apart), 'part')} {apart[0]['verdict']}" if apart else ""
