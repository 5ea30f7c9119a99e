"""
The command `hub`.

Commands are imported when they are called, so that `hub --help` does not wait for Prefect. An error of ours is one sentence and exit
code 1; a bug of ours is a traceback.
"""

from __future__ import annotations

import sys
from typing import Any

from cyclopts import App

_app = App(
    name="hub", help="Orders, sign-ups and releases across Stripe, SendGrid, Shippo, Slack, GitHub and others, exactly once, on Prefect."
)
_app.command("deployments.up_command:up", name="up", help="Start everything on this machine, and stay until Ctrl-C.")
_app.command("deployments.doctor:doctor", name="doctor", help="Check everything, and say what to do about what is wrong.")
_app.command("deployments.guarantees:guarantees", name="guarantees", help="What is promised, where it is enforced, and the residue.")
_app.command("deployments.demo:demo", name="demo", help="Run real orders through the whole stack, show what happened, stop.")
_app.command("deployments.order_commands:order", name="order", help="One order: place, show, explain, retry, resolve.")
_app.command("deployments.order_commands:orders", name="orders", help="All orders.")
_app.command("deployments.attention_commands:attention", name="attention", help="What a person has to look at: list.")
_app.command("deployments.approval_commands:approvals", name="approvals", help="What waits for a person's answer: list, decide.")
_app.command("deployments.signup_commands:signup", name="signup", help="One sign-up: place, show, explain, retry, resolve.")
_app.command("deployments.release_commands:release", name="release", help="One release: start, show, explain, retry, resolve.")
_app.command("deployments.reconcile_commands:reconcile", name="reconcile", help="Compare the ledger with the providers now.")
_app.command("deployments.forget_command:forget", name="forget", help="Erase a person, and keep the accounts.")
_app.command("deployments.notice_commands:notices", name="notices", help="What providers told us: list, count, show, replay.")
_app.command(
    "deployments.notification_commands:notifications", name="notifications", help="What customers and the team are told: list, preview."
)
_app.command(
    "deployments.provider_commands:providers",
    name="providers",
    help="Whether each provider may be called now, and how fast: list, pause, resume, limit, breaker.",
)
_app.command("deployments.recover_commands:recover", name="recover", help="After a restore from a back-up: begin, status, end.")
_app.command("deployments.stock_commands:stock", name="stock", help="Pieces on the shelf: set, list.")
_app.command("deployments.key_commands:keys", name="keys", help="Keys of the gateway: add, list, revoke.")
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
    """Whether ``failure`` was written for the person at the terminal: every error class of our own says what to do."""
    return type(failure).__module__.split(".")[0] in {"blocks", "deployments", "hub"}
