"""`hub notices`: what providers told us, how far it is, and having it handled again."""

from __future__ import annotations

import sys
from typing import Literal

from cyclopts import App
from rich.console import Console
from rich.table import Table

from deployments.options import Flag
from deployments.problems import Problem
from deployments.telling_stories import print_json
from hub.notice_views import count_notices, list_notices, replay_all, replay_notice, view_notice
from hub.notices import NoticeState

notices = App(name="notices", help="What providers told us: list, count, show, replay.")

Replayable = Literal["failed", "quarantined", "early", "not_for_us"]


@notices.command(name="list")
async def list_them(*, state: NoticeState | None = None, provider: str | None = None, limit: int = 50) -> None:
    """
    List notices, newest first.

    Args:
        state: Only those of this state.
        provider: Only those of this provider.
        limit: How many.
    """
    table = Table("notice", "provider", "kind", "state", "about", "received", "outcome")
    for one in await list_notices(state, provider, limit):
        moment = one.received_at.astimezone()
        table.add_row(str(one.id), one.provider, one.kind, one.state, one.subject or "", f"{moment:%m-%d %H:%M:%S}", one.outcome or "")
    Console().print(table)


@notices.command
async def count() -> None:
    """Count notices by provider, kind and state."""
    table = Table("provider", "kind", "state", "notices")
    for provider, kind, state, number in await count_notices():
        table.add_row(provider, kind, state, str(number))
    Console().print(table)


@notices.command
async def show(notice_id: int, *, content: Flag = False) -> None:
    """
    Show one notice.

    Args:
        notice_id: Its number.
        content: Also what the provider sent, exactly as it came; it may hold personal data.
    """
    view, sent = await view_notice(notice_id)
    print_json(view.model_dump(mode="json"))
    if content:
        sys.stdout.write("(cleared away)\n" if sent is None else sent.decode(errors="replace") + "\n")


@notices.command
async def replay(notice_id: int | None = None, *, state: Replayable | None = None) -> None:
    """
    Have a notice that was not applied handled again, or all of one state.

    Args:
        notice_id: Its number.
        state: All of this state instead.
    """
    if notice_id is not None and state is None:
        await replay_notice(notice_id)
        sys.stdout.write(f"notice {notice_id} is due again; the sweep handles it within half a minute\n")
    elif state is not None and notice_id is None:
        sys.stdout.write(f"{await replay_all(NoticeState(state))} notices are due again; the sweep handles them within half a minute\n")
    else:
        raise Problem("name one notice, or a state with --state")
