"""What this machine's own runs add: drawn faces, other presets. Rendered beside what is committed, never in it."""

from gralib.config import Dataset
from gralib.errors import from_root
from gralib.evaluation.study import Study, is_standard, studies
from gralib.report.evidence import Book
from gralib.report.text import SURE, fold, plural, scored, table
from gralib.training import records
from gralib.training.records import Run


def on_this_machine(book: Book, name: Dataset) -> str:
    """Return the scores of runs on a data set that no rule asks for; nothing where there are none."""
    asked = {run.record.run_id for run in book.counted}
    mine = [
        run for run in book.runs if run.record.config.dataset == name and is_standard(run)
        and not run.record.config.tuning and run.record.run_id not in asked
        and (run.record.synthetic or not (book.protocol.scores_of(run.record.config) or is_kept(run)))
    ]  # fmt: skip
    if not mine:
        return ""
    said = "These runs show that the study works here. No rule asks for them, so they earn no verdict."
    return "## Other runs\n\n" + said + "\n\n" + "\n".join(_study(study) for study in studies(mine))


def is_kept(run: Run) -> bool:
    """Tell whether a run is among the committed ones; of these no rule asks for those of rules that were amended."""
    return run.folder.parent == from_root(records.KEPT)


def _study(study: Study) -> str:
    kind = "synthetic" if study.first.record.synthetic else "real"
    rows = [(row["score"], kind, *scored(row)) for row in study.scores.to_dict(orient="records")]
    headers = ("score", "faces", "measured", f"{SURE} interval", "same answer for all", "test faces")
    runs = sum(len(runs) for runs in study.runs.values())
    return fold(f"{study.label}: {plural(runs, 'run')}", table(headers, rows))
