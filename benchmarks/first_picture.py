"""Seconds from a fresh kernel to a notebook's first picture: python benchmarks/first_picture.py [NOTEBOOK...].

Cells are run from the top with the parameters as they are stored, until one shows a picture or a widget.
"""

import json
import sys
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SHOWS = ("image/png", "application/vnd.jupyter.widget-view+json")
LONGEST = 300


def seconds(path: Path) -> tuple[float, str]:
    """Return how long the first picture took, and the cell that shows it; NaN where a cell fails or none shows one."""
    began = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(path.parent))
    try:
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] != "code":
                continue
            asked = client.execute("".join(cell["source"]))
            while True:
                message = client.get_iopub_msg(timeout=LONGEST)
                if message["parent_header"].get("msg_id") != asked:
                    continue
                content = message["content"]
                if message["msg_type"] == "error":
                    return float("nan"), f"{content['ename']}: {content['evalue']}"
                if any(kind in content.get("data", {}) for kind in SHOWS):
                    return time.perf_counter() - began, cell["id"]
                if content.get("execution_state") == "idle":
                    break
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return float("nan"), "no picture"


if __name__ == "__main__":
    for path in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        took, where = seconds(path)
        print(f"{path.stem:20} {took:5.1f} s  {where}", flush=True)
