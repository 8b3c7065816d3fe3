"""A command of `gra` with variables that the library else holds: python otherwise.py NAME=VALUE... -- WORDS.

What is set so stands in the run's record (`environment`, `settings`), as every other variable of these families.
"""

import os
import sys

from gralib import surroundings

if __name__ == "__main__":
    split = sys.argv.index("--")
    given = dict(word.split("=", 1) for word in sys.argv[1:split])
    for name in given:
        surroundings.HELD.pop(name, None)
    os.environ.update(given)
    sys.argv = ["gra", *sys.argv[split + 1 :]]
    from gralib.cli import main

    main()
