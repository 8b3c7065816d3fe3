"""A page a claim: the paper's words, the rule with its dates, the difference, its parts, where it flips, its runs."""

from collections.abc import Sequence
from math import isfinite

from gralib.evaluation.claims import Claim
from gralib.evaluation.ruledates import check
from gralib.evaluation.rules import Rule
from gralib.evaluation.verdicts import LEVEL
from gralib.metrics import METRICS
from gralib.report import answers, exploratory, flips, plots, words
from gralib.report.evidence import Book, run_ids, to
from gralib.report.experiments import EXPERIMENTS
from gralib.report.text import (
    SHORT,
    SURE,
    Row,
    code,
    figure,
    fold,
    in_words,
    level,
    link,
    listing,
    page,
    plain,
    plural,
    size,
    table,
)
from gralib.training.records import Run

NOTEBOOK_OF_EXACT = "model_tour"


def write(book: Book) -> None:
    """Write the page of every claim, its figure, and their index."""
    order = {line.claim: line.line for line in check(book.protocol, book.runs)}
    for claim in book.ordered:
        book.pages[_place(claim.id)] = _page(book, claim, order[claim.id])
    rows = [
        (link(claim.id, f"{claim.id}.md"), claim.claim, claim.where, f"**{book.first(claim.id)['verdict']}**",
         words.finding(book.first(claim.id)))
        for claim in book.ordered
    ]  # fmt: skip
    intro = "Those that decide most come first, calculations last. Each page has the rule with its date, and the runs."
    book.pages["claims/README.md"] = page(
        "Claims", intro, table(("claim", "in short", "where", "verdict", "because"), rows)
    )


def _place(claim: str) -> str:
    return f"claims/{claim}.md"


def _page(book: Book, claim: Claim, order: str) -> str:
    rule, rows = book.rule(claim.id), book.rows(claim.id)
    story = book.story(_place(claim.id), NOTEBOOK_OF_EXACT if rule.rule == "exact" else claim.grid)
    said = f"> “{claim.words}” — the paper, section {claim.where}" if claim.words else ""
    parts = [said, answers.block(claim, rule, rows)]
    if rule.rule == "exact":
        parts += [_exact_figure(book, claim), _checks(claim, rows), _dates(book, claim, rule, order)]
        parts += ["## Make it again", code("gra checks"), story]
    else:
        parts += [
            _dates(book, claim, rule, order),
            _difference(book, claim, rows),
            _parts(rows, len(rule.looks)),
            _other(rows),
        ]
        parts += [
            exploratory.section(book, claim.id),
            flips.section(book, claim.id),
            _again(book, claim, rule, rows),
            story,
        ]
    return page(f"{claim.id}: {claim.short}", *parts)


def _dates(book: Book, claim: Claim, rule: Rule, order: str) -> str:
    """Return recipe, commit and date of the rule beside the first run's date."""
    date, row = book.dates.get(claim.id), book.first(claim.id)
    commit = f"`{date.commit[:SHORT]}`, {date.date}" if date and date.date else "not committed, or no history here"
    rows = [("recipe", f"`{rule.recipe}`")] if rule.primary else []
    rows += [("rule committed", commit)]
    rows += [("first run finished", row["first_run"] or "no run yet")] if rule.primary else []
    rows += [("in order", order.partition(": ")[2].partition("; amended")[0])] if row["first_run"] else []
    rows += [("not planned", rule.why)] if rule.why else []
    rows += [
        (f"amended {amendment.date}", amendment.reason)
        for amendment in book.protocol.general.amendments if claim.id in amendment.claims
    ]  # fmt: skip
    rules = link("protocol.yaml", book.source(_place(claim.id), "reports/protocol.yaml"))
    return f"## The rule\n\nAs {rules} has it, written down before the runs.\n\n" + table(
        ("of the rule", "as committed"), rows
    )


def _difference(book: Book, claim: Claim, rows: Sequence[Row]) -> str:
    """Draw the differences of a claim; nothing where none is known."""
    mine = [row for row in rows if isfinite(row["value"])]
    if not mine:
        return ""
    names = [words.short(row) for row in mine]
    alt = "; ".join(f"{name} {words.estimated(row)}" for name, row in zip(names, mine, strict=True))
    drawn = book.draw(_place(claim.id), claim.id, plots.forest(mine, names), f"{claim.id}: {alt}")
    pages = [
        link(title, to(_place(claim.id), f"experiments/{name}.md"))
        for name, (title, ids, _) in EXPERIMENTS.items() if claim.id in ids
    ]  # fmt: skip
    more = f"Score by score: {listing(pages)}." if pages else ""
    return f"## The difference\n\n{drawn}\n\n" + " ".join(filter(None, (_seen(rows[0]), more)))


def _seen(row: Row) -> str:
    """Return what the study could have seen, and what stands behind the number."""
    if not isfinite(row["value"]):
        return ""
    unit, said = row["unit"], []
    if isfinite(row["detectable"]):
        said.append(f"A true difference of {size(row['detectable'], unit)} would have been seen in most repetitions.")
    if isfinite(row["room"]) and row["room"]:  # nothing where the same answer for all is one of the two
        way = f"{size(row['room'], unit)} {'above' if row['room'] > 0 else 'below'}"
        said.append(f"The weaker side, over all its conditions, stands {way} the same answer for all.")
    if row["margin"]:
        said.append(f"Less than {size(row['margin'], unit)} does not matter, by the rule.")
    if left := row["not_trained"]:
        said.append(f"Left out: {plural(int(left), 'seed')}, of which a run did not train.")
    if pairs := row["pairs_left_out"]:
        said.append(f"Left out: {plural(int(pairs), 'comparison')} no better than the same answer for all.")
    return " ".join(said)


def _parts(rows: Sequence[Row], looks: int) -> str:
    """Return the table of a claim's parts, with Holm's correction."""
    mine = [row for row in rows if row["role"] == "part"]
    if not mine:
        return ""
    intro = "They stand beside the verdict and do not decide it; *p* is corrected for their number (Holm)."
    if any(row["rule"] == "non-inferiority" for row in mine):
        intro += " Of “worse” it is against no difference, else against a loss of the margin."
    if any("matters" in row["finding"] for row in mine):
        intro += " “No difference that matters” rests on the interval, which is not corrected."
    if looks > 1:
        intro += f" Intervals hold the truth in {SURE} over all {looks} looks; *p* is of this one."
    return f"## Its parts\n\n{intro}\n\n" + table(
        ("comparison", f"difference, {SURE} interval", "p, Holm", "seeds", "faces", "verdict", "because"),
        [_part(row) for row in mine],
    )


def _part(row: Row) -> tuple[str, ...]:
    known = isfinite(row["value"])
    return (
        row["what"], words.estimated(row), _p(row["p_holm"]) if known else "", f"{row['seeds']:.0f}" if known else "",
        f"{row['faces']:,.0f}" if row["faces"] == row["faces"] and row["faces"] else "", f"**{row['verdict']}**",
        words.finding(row),
    )  # fmt: skip


def _p(value: float) -> str:
    least = (1 - LEVEL) / 50
    return "" if not isfinite(value) else f"< {least:.3f}" if value < least else f"{value:.3f}"


def _other(rows: Sequence[Row]) -> str:
    """Return the primary under the other recipe."""
    mine = [row for row in rows if row["role"] == "other recipe"]
    if not mine:
        return ""
    both = [rows[0], *mine]
    said = "The same comparison where networks are trained by the paper’s words and Keras’ defaults alone, at one look."
    lines = [(f"`{row['recipe']}`", _part(row)[1], *_part(row)[3:]) for row in both]
    headers = ("recipe", f"difference, {SURE} interval", "seeds", "faces", "verdict", "because")
    return f"## Under recipe `{mine[0]['recipe']}`\n\n{said}\n\n" + table(headers, lines)


def _again(book: Book, claim: Claim, rule: Rule, rows: Sequence[Row]) -> str:
    """Return the command that makes a claim's runs again, and the runs."""
    if rule.primary is None or not rule.planned:
        return ""
    planned = book.protocol.configs(claim.id)
    runs = list(dict.fromkeys(name for row in rows for name in run_ids(row))) if run_ids(rows[0]) else []
    what = f"trains {plural(len(planned), 'run')}" if not runs else (
        f"trains exactly the {plural(len(runs), 'run')} behind these numbers again and says whether they come out the "
        f"same ({sum(book.by_name[name].record.seconds for name in runs) / 3600:.1f} hours where they were made)"
    )  # fmt: skip
    said = f"## Make it again\n\n{code(f'gra reproduce {claim.id}')}\n\n{what[0].upper()}{what[1:]}."
    shown = runs or [book.known[config].record.run_id for config in planned if config in book.known]
    so_far = "" if runs else " recorded so far"
    return said + (
        "\n\n" + fold(f"The {plural(len(shown), 'run')}{so_far}", _runs(book, claim, shown, rows)) if shown else ""
    )


def _runs(book: Book, claim: Claim, runs: Sequence[str], rows: Sequence[Row]) -> str:
    decides = set(run_ids(rows[0]))
    beside = "beside it" if decides else "no verdict yet"
    lines = []
    for name in runs:
        run = book.by_name[name]
        config = run.record.config
        score = next(iter(rows))["score"]
        lines.append((
            link(name, book.to_run(_place(claim.id), name)), in_words(config.task), config.seed, config.fold,
            "verdict" if name in decides else beside, "yes" if run.converged else "**did not train**",
            _level(book, run, score), f"{run.record.seconds / 60:.0f}",
        ))  # fmt: skip
    return table(("run", "task", "seed", "fold", "serves the", "trained", "score alone", "minutes"), lines)


def _level(book: Book, run: Run, score: str) -> str:
    """Return the mean score of one run, where the run alone has it."""
    found = book.scores(run)
    if score in found:
        return level(found[score], METRICS[score].unit)
    key = next(iter(found))
    return f"{level(found[key], METRICS[key].unit)} {METRICS[key].title}"


def _exact_figure(book: Book, claim: Claim) -> str:
    place = f"figures/{claim.grid}"
    if not claim.grid or not (book.folder / place).is_file():
        return ""
    return figure(f"What {claim.id} says, drawn from the network: {claim.claim}", to(_place(claim.id), place))


def _checks(claim: Claim, rows: Sequence[Row]) -> str:
    lines = [(row["what"], plain(row["value"]), claim.paper, f"**{row['verdict']}**") for row in rows]
    return "## The checks\n\nCalculated, nothing is trained.\n\n" + table(
        ("check", "found", "the paper", "verdict"), lines
    )
