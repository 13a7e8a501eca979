"""Refuses the example values of README.md before anything is built. `make deploy` runs it.

    python scripts/preflight.py [PARAMETER ...]

It checks nothing else: the deploy checks the rest.
"""

import re
import sys

EXAMPLE = re.compile(r"\.ab1cd\.mongodb\.net|0123456789abcdef")


def main(given: list[str]) -> None:
    """End the program with a sentence if an example is among the parameters."""
    for parameter in given:
        if EXAMPLE.search(parameter):
            sys.exit(f"{parameter} is an example of README.md: give your own value.")


if __name__ == "__main__":
    main(sys.argv[1:])
