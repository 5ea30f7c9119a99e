"""What people type is understood as the help says."""

from __future__ import annotations

from pathlib import Path

import pytest
from cyclopts import App
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.command_line import app
from deployments.order_commands import order
from deployments.signup_commands import signup


@pytest.mark.parametrize("command", [order, signup], ids=["order", "signup"])
@pytest.mark.parametrize("file", ["-", "request.json"])
def test_a_request_comes_from_a_file_or_from_standard_input(command: App, file: str) -> None:
    _, bound, _ = command.parse_args(["place", "x-1", "--file", file, "--wait"])

    assert (bound.arguments["file"], bound.arguments["wait"]) == (Path(file), True)


def test_without_prefect_reconciling_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(SystemExit) as ended:
        app(["reconcile"])

    assert ended.value.code == 1
    assert capsys.readouterr().err == "hub: Prefect does not answer (ConnectError); start it with `hub up`, or see `hub doctor`\n"
