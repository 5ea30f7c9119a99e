"""``python -m tests.proofs.crashes``: strike everything, say what came of it, and fail when anything is red."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.proofs.crashes.matrix import whole
from tests.proofs.crashes.page import written
from tests.proofs.crashes.strikes import Strike

DOCUMENT = Path(__file__).parents[3] / "docs" / "crash-matrix.md"


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)  # noqa: T201 - a program that people watch, and whose pids are part of the proof


def main() -> None:
    """Strike, print, write the page when asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strikes", nargs="*", default=list(Strike), type=Strike, choices=list(Strike), metavar="STRIKE")
    parser.add_argument("--write", action="store_true", help="write docs/crash-matrix.md")
    given = parser.parse_args()
    matrix = asyncio.run(whole(given.strikes, say))
    page = written(matrix)
    say(page)
    if given.write:
        DOCUMENT.write_text(page)
    if matrix.troubles:
        sys.exit("\n".join(["red:", *matrix.troubles]))


if __name__ == "__main__":
    main()
