"""The model card of the shipped networks: Markdown beside them, every number read from what was measured."""

from pathlib import Path

import jinja2
import pandas as pd

from gralib.files import write_text
from gralib.visitors import shipped
from gralib.visitors.elsewhere import EVERY

PERCENT = ("accuracy", "holds", "found")
"""What a measure's name says where it is a share."""


def write(folder: Path) -> Path:
    """Write the card of a folder of networks and return its path.

    Raises:
        UserError: as `gralib.visitors.shipped.open_networks`.
    """
    reader, calibration = shipped.open_networks(folder)
    measured = pd.read_csv(folder / shipped.MEASURED)
    files = [path for name, path in shipped.checked(folder).items() if name.endswith(shipped.ENDING)]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    templates = jinja2.Environment(loader=loader, trim_blocks=True, lstrip_blocks=True)
    text = templates.get_template("card.md.j2").render(
        calibration=calibration,
        networks=[
            {"file": path.name, "bytes": path.stat().st_size, "card": reader.networks[path.name.split(".")[0]].card}
            for path in files
        ],
        synthetic=reader.synthetic,
        every=EVERY,
        in_set=table(measured[measured["data"] == "UTKFace"]),
        outside={name: table(rows) for name, rows in measured.groupby("data", sort=False) if name != "UTKFace"},
        faces=measured.groupby("data", sort=False)["faces"].max().to_dict(),
    )
    write_text(path := folder / shipped.CARD, text.strip() + "\n")
    return path


def table(rows: pd.DataFrame) -> str:
    """Return measures as a Markdown table: a line a slice, a column a measure, each with its 95 % interval."""
    measures = list(dict.fromkeys(rows["measure"]))
    lines = [f"| faces | number | {' | '.join(measures)} |", f"| --- | --- |{' --- |' * len(measures)}"]
    for name, slice_ in rows.groupby("slice", sort=False):
        by_measure = slice_.set_index("measure")
        cells = [text(m, by_measure.loc[m]) if m in by_measure.index else "" for m in measures]
        lines.append(f"| {name} | {by_measure['faces'].max()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def text(measure: str, row: pd.Series) -> str:
    """Return a measure with its interval in the units it is read in: shares in percent, all else in years."""
    factor, digits, unit = (100, 1, " %") if any(word in measure for word in PERCENT) else (1, 2, "")
    value, low, high = (f"{factor * row[name]:.{digits}f}" for name in ("value", "low", "high"))
    return f"{value}{unit}" if low == "nan" else f"{value}{unit} [{low}, {high}]"
