"""
The whole benchmark: ``python -m benchmarks``.

``--quick`` is a small one, ``--only one bulk …`` shows some parts and writes nothing, ``--draw`` writes the last results anew.

Writes ``benchmarks/results.json``, the tables in ``docs/performance.md`` and the picture in ``docs/images/performance.png``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Collection
from pathlib import Path

from benchmarks import results as kept
from benchmarks.chart import NoPlottingLibrary, draw
from benchmarks.document import tables, write_tables
from benchmarks.plan import PARTS, QUICK, WHOLE

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "benchmarks" / "results.json"
DOCUMENT = PROJECT / "docs" / "performance.md"
PICTURE = PROJECT / "docs" / "images" / "performance.png"


def say(line: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measure(parts: Collection[str], *, quick: bool) -> kept.Results:
    """The results of ``parts``."""
    # Imported here: it imports Prefect, which takes seconds and reads its settings at that moment.
    from benchmarks.course import run  # noqa: PLC0415 - see above

    os.environ["HUB_WORKER_TYPE"] = "hub-warm"
    return asyncio.run(run(QUICK if quick else WHOLE, parts, say))


def main() -> int:
    """Measure, then write the tables and the picture; 1 when there is no picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small numbers, about four minutes; shows that everything works")
    parser.add_argument("--draw", action="store_true", help="only write the tables and the picture of the last run anew")
    what = ", ".join(f"{name} ({meaning})" for name, meaning in PARTS.items())
    parser.add_argument("--only", choices=PARTS, nargs="+", metavar="PART", help=f"show these parts and write nothing: {what}")
    wanted = parser.parse_args()
    if wanted.only:
        say(tables(measure(wanted.only, quick=wanted.quick)))
        return 0
    if not wanted.draw:
        measure(PARTS, quick=wanted.quick).save(RESULTS)
    results = kept.read(RESULTS)
    write_tables(results, DOCUMENT)
    say(f"results: {RESULTS.relative_to(PROJECT)}, tables: {DOCUMENT.relative_to(PROJECT)}")
    try:
        draw(results, PICTURE)
    except NoPlottingLibrary as missing:
        say(str(missing))
        return 1
    say(f"picture: {PICTURE.relative_to(PROJECT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
