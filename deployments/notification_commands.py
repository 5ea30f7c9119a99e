"""`hub notifications`: every kind of message that the hub sends, and how each reads. Nothing is sent, and nothing has to run."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from deployments.previews import preview_of
from deployments.problems import Problem
from hub.composing import channel_of
from hub.notification_model import Channel
from hub.notification_types import TYPES
from hub.steps import HOUR

WIDTH = 220
"""Whatever the terminal: names that are cut cannot be typed."""

notifications = App(name="notifications", help="What customers and the team are told: list, preview.")


@notifications.command(name="list")
def list_them() -> None:
    """List the kinds of notifications, with what is known of each."""
    table = Table("type", "about", "channel", "template", "preference", "fallback", "useful for", "team's event", "in", box=None)
    for what in TYPES.values():
        fallback = "" if what.fallback is None else what.fallback.name
        useful = f"{what.useful_seconds / HOUR:.0f} h"
        known = (what.name, ", ".join(what.kinds), what.channel, what.template, what.preference or "", fallback, useful)
        table.add_row(*known, what.event or "", channel_of(what) if what.channel is Channel.SLACK else "")
    Console(width=WIDTH).print(table)


@notifications.command
def preview(type_name: str, /, *, html: Annotated[bool, Parameter(negative="")] = False) -> None:
    """
    Print a notification as the example order or sign-up would get it.

    Args:
        type_name: One that `hub notifications list` names.
        html: The HTML body of a mail instead of the plain text.
    """
    if (what := TYPES.get(type_name)) is None:
        raise Problem(f"there is no notification {type_name}; see `hub notifications list`")
    message = preview_of(what)
    if html and message.html is None:
        raise Problem(f"{type_name} goes by {what.channel} and is plain text")
    sys.stdout.write(message.html if html and message.html is not None else message.text)
    sys.stdout.write("\n")
