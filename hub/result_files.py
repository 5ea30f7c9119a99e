"""The files in which Prefect keeps results for the hub: old ones go by themselves, and those that mention a person at once."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

FOLDER = "results"
"""Below ``HUB_HOME``; `hub up` tells Prefect to keep its results there."""
DAY_SECONDS = 86_400
LOOK_EVERY_SECONDS = 3_600
_LOOKED = ".looked"


def delete_old_results(home: Path, days: float) -> int:
    """
    Delete the results that were written more than ``days`` ago, and return how many; at most once an hour there is anything to do.

    Nothing depends on them: a task whose result is gone runs again, and the ledger tells it what is done. Who has one open reads on.
    """
    looked, now = home / FOLDER / _LOOKED, time.time()
    if not looked.parent.is_dir() or (looked.exists() and now - looked.stat().st_mtime < LOOK_EVERY_SECONDS):
        return 0
    looked.touch()
    return _delete([file for file in _files(home) if now - _written_at(file) > days * DAY_SECONDS])


def delete_results_with(home: Path, words: Collection[str]) -> int:
    """Delete the results in which one of ``words`` stands, and return how many."""
    wanted = {variant.encode().lower() for word in words for variant in _as_written(word)}
    return _delete([file for file in _files(home) if _holds(file.path, wanted)])


def _as_written(word: str) -> set[str]:
    """Return the word as JSON has it, and as JSON within JSON does, which is how Prefect keeps most results."""
    once = json.dumps(word)[1:-1]
    return {word, once, json.dumps(once)[1:-1]}


def _files(home: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(home / FOLDER) as found:
            yield from (entry for entry in found if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."))
    except FileNotFoundError:
        return


def _written_at(file: os.DirEntry[str]) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return math.inf  # another sweep was quicker


def _holds(path: str, wanted: set[bytes]) -> bool:
    try:
        content = Path(path).read_bytes().lower()
    except FileNotFoundError:
        return False
    return any(word in content for word in wanted)


def _delete(files: list[os.DirEntry[str]]) -> int:
    for file in files:
        Path(file.path).unlink(missing_ok=True)
    return len(files)
