"""What is declared is what is there: packages, dependencies, settings."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from deployments.stack_settings import StackSettings
from deployments.warm.settings import WorkerSettings
from hub.settings import Settings

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
DECLARED = [Requirement(line) for line in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]]
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]


def entries() -> list[tuple[str, Version, str]]:
    """Every line of the lock that names a library, with its version and the lines below; one that differs by Python stands there twice."""
    text = (ROOT / "requirements.lock").read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(.*\n(?:[ ].*\n)*)", text, re.MULTILINE)
    return [(canonicalize_name(name), Version(version), below) for name, version, below in found]


def locked() -> dict[str, tuple[Version, str]]:
    """Every locked library: its version, and the lines below it."""
    return {name: (version, below) for name, version, below in entries()}


def test_every_package_is_named_because_discovery_skips_tasks() -> None:
    there = {
        ".".join(init.parent.relative_to(ROOT).parts) for top in ROOT.iterdir() if top.name[0] != "." for init in top.rglob("__init__.py")
    }

    assert {name for name in there if name.partition(".")[0] not in ("tests", "benchmarks")} == set(PACKAGES)


def test_what_packages_hold_besides_python_is_shipped_with_them() -> None:
    data: dict[str, list[str]] = PROJECT["tool"]["setuptools"]["package-data"]
    forgotten = [
        str(path.relative_to(ROOT))
        for top in {package.partition(".")[0] for package in PACKAGES}
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
        if not any(fnmatch(str(path.relative_to(ROOT / top)), pattern) for pattern in data.get(top, []))
    ]

    assert not forgotten


@pytest.mark.parametrize("wanted", DECLARED, ids=lambda wanted: wanted.name)
def test_the_lock_holds_a_version_that_we_say_we_need(wanted: Requirement) -> None:
    version, _ = locked()[canonicalize_name(wanted.name)]

    assert wanted.specifier.contains(version, prereleases=True)


def test_everything_locked_has_a_hash_and_nothing_comes_from_elsewhere() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    assert len(entries()) == len([line for line in lines if re.match(r"[A-Za-z0-9]", line)]) > len(DECLARED)
    assert not [name for name, _, below in entries() if "--hash=sha256:" not in below]
    assert not [line for line in lines if " @ " in line or line.startswith("-")]


def test_fastapi_stays_below_the_version_that_prefect_does_not_import_with() -> None:
    fastapi = next(wanted for wanted in DECLARED if wanted.name == "fastapi")

    assert not fastapi.specifier.contains("0.155.0")
    assert locked()["fastapi"][0] < Version("0.155")


EXAMPLE = (ROOT / ".env.example").read_text()
NAMED = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("name", [f"HUB_{name.upper()}" for name in Settings.model_fields])
def test_the_example_environment_names_every_setting(name: str) -> None:
    assert NAMED.count(name) == 1


def test_the_example_environment_has_a_sentence_for_each_name() -> None:
    lines = EXAMPLE.splitlines()
    bare = [line for above, line in pairwise(lines) if re.match(r"(# )?[A-Z][A-Z0-9_]+=", line) and not re.match(r"# .+\.$", above)]

    assert not bare


@pytest.mark.parametrize("name", NAMED)
def test_the_example_environment_names_nothing_that_nobody_reads(name: str) -> None:
    field = name.removeprefix("HUB_").lower()
    known = {*Settings.model_fields, *StackSettings.model_fields, *(f"worker_{field}" for field in WorkerSettings.model_fields)}
    sources = (path.read_text() for package in PACKAGES for path in (ROOT / package.replace(".", "/")).glob("*.py"))

    assert name.startswith("PREFECT_") or {field, name.lower()} & known or any(f'"{name}"' in text for text in sources)


@pytest.mark.parametrize("field", Settings.model_fields)
def test_every_setting_says_what_it_is(field: str) -> None:
    assert Settings.model_fields[field].description
