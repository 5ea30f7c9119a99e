"""What people type is understood as the help says."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import App

from deployments.order_commands import order
from deployments.signup_commands import signup


@pytest.mark.parametrize("command", [order, signup], ids=["order", "signup"])
@pytest.mark.parametrize("file", ["-", "request.json"])
def test_a_request_comes_from_a_file_or_from_standard_input(command: App, file: str) -> None:
    _, bound, _ = command.parse_args(["place", "x-1", "--file", file, "--wait"])

    assert (bound.arguments["file"], bound.arguments["wait"]) == (Path(file), True)
