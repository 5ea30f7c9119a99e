"""
The command `hub`.

Commands are imported when they are called, so that `hub --help` does not wait for Prefect. An error of ours is one sentence and exit
code 1; a bug of ours is a traceback.
"""

from __future__ import annotations

import sys
from typing import Any

from cyclopts import App

_app = App(name="hub", help="Orders and sign-ups across Stripe, SendGrid, Shippo, Slack and others, exactly once, on Prefect.")
_app.command("deployments.up_command:up", name="up", help="Start everything on this machine, and stay until Ctrl-C.")
_app.command("deployments.doctor:doctor", name="doctor", help="Check everything, and say what to do about what is wrong.")
_app.command("deployments.role_commands:sandbox", name="sandbox", help="Run the rehearsal providers in the foreground.")
_app.command("deployments.role_commands:gateway", name="gateway", help="Run the gateway in the foreground.")
_app.command("deployments.role_commands:worker", name="worker", help="Run a worker on work pool `hub` in the foreground.")


def app(arguments: list[str] | None = None) -> Any:
    """Run the command that ``arguments`` (default: the command line) name."""
    try:
        return _app(arguments)
    except Exception as failure:
        if not _is_ours(failure):
            raise
        sys.stderr.write(f"hub: {failure}\n")
        sys.exit(1)


def _is_ours(failure: Exception) -> bool:
    """Whether ``failure`` was written for the person at the terminal; looked up by name, so that nothing is imported for it."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(failure).__mro__}
    return bool(
        names & {"deployments.problems.Problem", "hub.errors.ProviderError", "hub.database.DatabaseNotChosen", "hub.identity.OtherMode"}
    )
