"""Results of runs go when they are old, and those that mention a person at once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from hub.result_files import DAY_SECONDS, FOLDER, LOOK_EVERY_SECONDS, delete_old_results, delete_results_with


def kept(home: Path, name: str, result: object, *, days: float = 0) -> Path:
    """A result as Prefect keeps it: JSON, with the result as JSON in a text."""
    file = home / FOLDER / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"metadata": {"storage_key": name}, "result": json.dumps(result)}))
    moment = time.time() - days * DAY_SECONDS
    os.utime(file, (moment, moment))
    return file


def test_results_go_after_so_many_days_and_younger_ones_stay(tmp_path: Path) -> None:
    old, young = kept(tmp_path, "old", 1, days=7.1), kept(tmp_path, "young", 1, days=6.9)

    assert delete_old_results(tmp_path, days=7) == 1
    assert (old.exists(), young.exists()) == (False, True)


def test_nobody_reads_the_whole_folder_twice_within_the_hour(tmp_path: Path) -> None:
    kept(tmp_path, "young", 1)
    assert delete_old_results(tmp_path, days=7) == 0
    kept(tmp_path, "old", 1, days=8)

    assert delete_old_results(tmp_path, days=7) == 0
    an_hour_ago = time.time() - LOOK_EVERY_SECONDS
    os.utime(tmp_path / FOLDER / ".looked", (an_hour_ago, an_hour_ago))
    assert delete_old_results(tmp_path, days=7) == 1


def test_where_nothing_is_kept_nothing_is_deleted_or_made(tmp_path: Path) -> None:
    assert (delete_old_results(tmp_path, days=7), delete_results_with(tmp_path, {"ada"})) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_whoever_reads_a_result_that_goes_reads_on(tmp_path: Path) -> None:
    old = kept(tmp_path, "old", 1, days=8)
    with old.open() as reader:
        assert delete_old_results(tmp_path, days=7) == 1
        assert json.load(reader)["result"] == "1"


def test_results_that_mention_a_person_go_in_whatever_letters_and_the_others_stay(tmp_path: Path) -> None:
    names = kept(tmp_path, "names", {"to_name": "Zoë Müller"})
    shouts = kept(tmp_path, "shouts", {"email": "ZOE@example.net"})
    other = kept(tmp_path, "other", {"email": "bob@example.net"})

    assert delete_results_with(tmp_path, {"Zoë Müller", "zoe@example.net"}) == 2
    assert (names.exists(), shouts.exists(), other.exists()) == (False, False, True)
