"""What the house looks like: imports point inwards, no name of ours hides a library, and nothing says where it was made."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "hub": {"hub"},
    "blocks": {"blocks", "hub"},
    "tasks": {"tasks", "blocks", "hub"},
    "flows": {"flows", "tasks", "blocks", "hub"},
    "deployments": {"deployments", "flows", "tasks", "blocks", "hub"},
    "gateway": {"gateway", "blocks", "hub"},
    "sandbox": {"sandbox"},
}
OUTBOUND = {
    "stripe",
    "sendgrid",
    "python_http_client",
    "slack_sdk",
    "shippo",
    "twilio",
    "github",
    "httpx",
    "aiohttp",
    "requests",
    "urllib3",
}
MAY_NOT_IMPORT = {
    "hub": OUTBOUND | {"prefect"},
    "tasks": OUTBOUND,
    "flows": OUTBOUND,
    "gateway": OUTBOUND | {"prefect"},
    "sandbox": {"prefect", "stripe", "sendgrid", "slack_sdk"},
}
VERIFIERS = {
    "gateway/openers/stripe_webhooks.py": "from stripe import WebhookSignature",
    "gateway/openers/sendgrid_webhooks.py": "from sendgrid import EventWebhook",
    "gateway/openers/slack_webhooks.py": "from slack_sdk.signature import Clock, SignatureVerifier",
}
"""The official verifiers of signatures speak to nobody; nothing else of an SDK comes into the gateway."""
NOT_OURS = ("integration-hub", "integration_hub")


@cache
def modules(package: str) -> tuple[tuple[Path, ast.Module], ...]:
    return tuple((path, ast.parse(path.read_text())) for path in sorted((ROOT / package).rglob("*.py")))


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that is named in an import, wherever it stands, also in functions and under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"importlib.import_module", "import_module", "__import__"}:
            yield from (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def without_verifier(path: Path, tree: ast.Module) -> ast.Module:
    allowed = VERIFIERS.get(path.relative_to(ROOT).as_posix())
    return ast.Module([node for node in tree.body if ast.unparse(node) != allowed], [])


def packages() -> list[Path]:
    return [init.parent for top in MAY_IMPORT for init in sorted((ROOT / top).rglob("__init__.py"))]


def test_the_table_of_this_test_knows_every_package() -> None:
    tops = {init.parent.name for init in ROOT.glob("*/__init__.py")}

    assert tops - {"tests", "benchmarks"} == set(MAY_IMPORT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_inwards_only(package: str) -> None:
    ours = set(MAY_IMPORT) | {"tests", "benchmarks"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, tree in modules(package)
        for name in imports(tree)
        if name.partition(".")[0] in (ours - MAY_IMPORT[package]) | {""}
    ]

    assert not wrong


@pytest.mark.parametrize("package", MAY_NOT_IMPORT)
def test_only_accounts_speak_to_providers_and_our_words_need_no_prefect(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, tree in modules(package)
        for name in imports(without_verifier(path, tree))
        if name.partition(".")[0] in MAY_NOT_IMPORT[package]
    ]

    assert not wrong


def test_nothing_of_ours_hides_a_library() -> None:
    """A folder can land first on sys.path (Prefect's file entrypoints, `python file.py`): a stripe.py there replaces the SDK."""
    libraries = {name for name, owners in importlib.metadata.packages_distributions().items() if not set(owners) & set(NOT_OURS)}
    ours = {path.name for path in packages()} | {"tests"}
    ours |= {
        path.stem for package in [*MAY_IMPORT, "tests"] for path in (ROOT / package).rglob("*.py") if path.stem[0] not in "_0123456789"
    }
    ours -= {"env"}  # Alembic wants this name for the script of the migrations

    assert not ours & (libraries | sys.stdlib_module_names)


def test_no_module_has_the_name_of_one_of_our_folders() -> None:
    namesakes = [path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py") if path.stem in MAY_IMPORT]

    assert not [path for path in namesakes if path.parent.name != "deployments"]


def test_no_module_is_longer_than_three_screens() -> None:
    long = {
        str(path.relative_to(ROOT)): n
        for package in MAY_IMPORT
        for path, _ in modules(package)
        if (n := len(path.read_text().splitlines())) > 300
    }

    assert not long


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - the git of the checkout
    if listed.returncode:
        pytest.skip("not a git checkout")
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path.relative_to(ROOT), path.read_text()
        except UnicodeDecodeError:
            continue  # a picture


def test_no_file_says_on_which_machine_it_was_made() -> None:
    place = re.compile(r"(?<![\w./<}-])/(?:work|root|home|Users)/[\w.]+")

    assert not [f"{path}: {found[0]}" for path, text in texts() if (found := place.search(text))]


def test_no_file_names_a_package_registry() -> None:
    registry = re.compile(
        r"py" r"pi\.(org|\w+)|python" r"hosted\.org|npm" r"js\.(org|com)|https?://\S+/simple\b|artifac" r"tory", re.IGNORECASE
    )

    assert not [f"{path}: {found[0]}" for path, text in texts() if (found := registry.search(text))]
