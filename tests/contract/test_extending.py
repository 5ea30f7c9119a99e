"""docs/extending.md works as it stands: its files, put into a copy of the project, pass their own tests there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^\*\*`([^`]+)`\*\*\n\n((?:```\w+\n.*?^```\n\n?)+)", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("blocks", "deployments", "flows", "gateway", "hub", "sandbox", "tasks", "tests", "prefect.yaml", "prefect.toml", "pyproject.toml")
OF_THE_PAGE = (
    "tests/contract/test_points.py",
    "tests/unit/test_erasing.py",
    "tests/unit/test_readings.py::test_every_event_that_is_read_has_a_sample_and_every_sample_is_expected_to_mean_something",
    "tests/unit/test_readings.py::test_the_sample_means_what_we_expect",
)


def test_whoever_follows_the_page_has_a_processor_of_their_own_that_works(tmp_path: Path) -> None:
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    files = follow((ROOT / "docs" / "extending.md").read_text(), tmp_path)

    style = ran(tmp_path, "ruff", "check", *(name for name in files if name.endswith(".py")))
    tests = ran(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", *OF_THE_PAGE)

    assert style.returncode == 0, style.stdout
    assert tests.returncode == 0, tests.stdout + tests.stderr


def follow(page: str, project: Path) -> list[str]:
    """Do what the page says: write its files, change what it changes. Returns the names of all of them."""
    found = BLOCK.findall(page)
    assert len(found) > 10
    for name, fences in found:
        for language, content in FENCE.findall(fences):
            if language == "diff":
                change(project / name, content)
            else:
                assert not (project / name).exists(), f"{name} is there already"
                (project / name).write_text(content)
    return sorted({name for name, _ in found})


def change(file: Path, diff: str) -> None:
    """Change the one place that the diff shows."""
    lines = diff.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    text = file.read_text()
    assert text.count(before) == 1, f"{file.name} has this {text.count(before)} times:\n{before}"
    file.write_text(text.replace(before, after))


def ran(project: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *arguments], cwd=project, capture_output=True, text=True, timeout=200, check=False)  # noqa: S603 - our own tools
