"""How to get the data sets: what data/README.md says of each, and downloads of what needs no form.

Archives are kept as they come and read in place: nothing is unpacked, so nothing can land outside the folder.
"""

from pathlib import Path

import pooch
import requests

from gralib.errors import UserError, from_root
from gralib.progress import Bar
from gralib.registry import data_sets

BLOCK = 1 << 16
"""Bytes taken at a time; of a line that breaks at most so many are lost."""
TIMEOUT = 60
"""Seconds without an answer after which a download is given up."""


def how_to(name: str) -> str:
    """Return the section of data/README.md about a data set, or what its module says where there is none.

    Raises:
        UserError: an unknown data set.
    """
    if name not in data_sets():
        raise UserError(f"dataset: expected one of {', '.join(data_sets())}, got {name!r}")
    sections = from_root("data/README.md").read_text().split("\n## ")
    known = data_sets()[name]
    said = known.get or f"{known.title}: nobody wrote down how to get it; its files go into `data/{name}/`"
    return next((text for text in sections if f"`data/{name}/" in text), said).strip()


def fetch(name: str, url: str = "", sha256: str | None = None) -> list[Path]:
    """Download a data set into data/NAME and return its files; an interrupted download goes on.

    Args:
        name: of the data set.
        url: another address than the known one.
        sha256: what the file's hash must be, where known.

    Raises:
        UserError: a data set that needs a form, no answer, a file cut short, or a wrong hash.
    """
    how_to(name)
    address = url or data_sets()[name].address
    if not address:
        raise UserError(f"{name}: cannot be fetched without a person; see gra data how-to {name}")
    folder = from_root(f"data/{name}")
    try:
        return [Path(pooch.retrieve(address, sha256, address.rsplit("/", 1)[-1], folder, downloader=_resume))]
    except requests.RequestException as error:
        raise UserError(f"{address}: expected the file, got no answer: {error}") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{address}: {error}") from None


def _resume(url: str, output: str, _: pooch.Pooch) -> None:
    """Download to `output`, by way of a part file beside the final place that a later call goes on with."""
    part = Path(output).parent / f".{url.rsplit('/', 1)[-1]}.part"
    done = part.stat().st_size if part.exists() else 0
    with requests.get(url, headers={"Range": f"bytes={done}-"} if done else {}, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code != 416:  # 416: nothing is left to send
            answer.raise_for_status()
            done = done if answer.status_code == 206 else 0
            left = answer.headers.get("Content-Length")
            total = done + int(left) if left else None
            with (
                part.open("ab" if done else "wb") as file,
                Bar(total=total, initial=done, unit="B", unit_scale=True) as bar,
            ):
                for block in answer.iter_content(BLOCK):
                    bar.update(file.write(block))
    part.replace(output)
