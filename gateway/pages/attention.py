"""What waits for a person: each with what the runbook says, and a button for what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.pages.rendering import page
from gateway.pages.runbook import runbook
from hub.attention import APPROVAL, NOTICE, attention_list
from hub.kinds import KINDS
from hub.notice_views import replay_notice
from hub.resolving import untold

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.pages.guards import Asked
    from gateway.pages.sessions import Session
    from hub.attention import Attention

MOST = 100


async def attention(request: Request) -> Response:
    """Show what waits for a person, longest first, as far as the key opens it."""
    session: Session = request.state.session
    found = [item for item in await attention_list(MOST) if session.opens(_needed(item, "read"))]
    subjects = [(item.kind, item.id) for item in found if item.kind in KINDS]
    told_of = await untold(subjects) if subjects else {}
    items = [
        (item, runbook().entry_for(item), told_of.get((item.kind, item.id), []), session.opens(_needed(item, "write"))) for item in found
    ]
    return page(request, "attention", items=items, most=MOST)


async def show_runbook(request: Request) -> Response:
    """Show the whole runbook."""
    return page(request, "runbook", whole=runbook().whole)


async def replay(asked: Asked) -> str:
    """Have a notice handled again."""
    number = asked.request.path_params["id"]
    await replay_notice(number, by=asked.by)
    return f"Notice {number} is due again; it is handled within half a minute."


def _needed(item: Attention, what: str) -> str:
    match item.kind:
        case kind if kind == NOTICE:
            return f"operations:{what}"
        case kind if kind == APPROVAL:
            return f"orders:{what}"
        case kind:
            return f"{kind}s:{what}"
