"""Bad data: damaged trees of every layout, by the thousand, in a process of its own. python hostile.py INPUTS SEED."""

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INPUTS, SEED = 2500, 7
SLOWEST_S, PEAK_MIB = 10, 1024
"""What no input may take."""


def main() -> None:
    """Read the inputs and print how they ended."""
    sys.path.insert(0, str(ROOT / "tests"))
    import fuzz

    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(fuzz.hostile(Path(folder), int(sys.argv[1]), int(sys.argv[2]))))


if __name__ == "__main__":
    main()
