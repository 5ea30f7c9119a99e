"""The first page, the lists of subjects, and looking for one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.status import HTTP_303_SEE_OTHER, HTTP_422_UNPROCESSABLE_CONTENT

from gateway.pages.guards import Endpoint
from gateway.pages.rendering import page
from gateway.pages.sessions import PATH
from hub.facets import Status
from hub.identity import remembered_mode
from hub.metrics import ATTENTION, BACKLOG, DUE, GATE, PARKED, STUCK, SUBJECTS, measure
from hub.recovery import in_recovery_since
from hub.release_facets import ReleaseStatus
from hub.signup_facets import SignupStatus
from hub.subject_lists import find_subjects, list_subjects

if TYPE_CHECKING:
    from enum import StrEnum

    from starlette.requests import Request

    from gateway.pages.sessions import Session
    from hub.metrics import Measured, Metric

STATUSES: dict[str, type[StrEnum]] = {"order": Status, "signup": SignupStatus, "release": ReleaseStatus}
LONGEST_SEARCH = 300


async def overview(request: Request) -> Response:
    """Show how many subjects of each kind stand where, and what is out of the ordinary."""
    measured = await measure()
    counts = {kind: [(status, _number(measured, SUBJECTS, kind, status)) for status in statuses] for kind, statuses in STATUSES.items()}
    waiting = {
        kind: [(metric.name.removeprefix("subjects_"), _number(measured, metric, kind)) for metric in (ATTENTION, DUE, PARKED)]
        for kind in STATUSES
    }
    closed = [provider for (provider, state), value in measured.numbers[GATE].items() if value and state != "open"]
    inbox: Counter[str] = Counter()
    for metric in (BACKLOG, STUCK):
        for (_, state), number in measured.numbers[metric].items():
            inbox[state] += int(number)
    words = {"mode": await remembered_mode() or "not decided", "recovering": await in_recovery_since()}
    return page(request, "overview", 200, counts=counts, waiting=waiting, closed=closed, inbox=inbox, **words)


def listed(kind: str) -> Endpoint:
    """Return the page that lists the subjects of this kind, newest first."""

    async def of_kind(request: Request) -> Response:
        status, cursor = request.query_params.get("status") or None, request.query_params.get("cursor")
        if status is not None and status not in set(STATUSES[kind]):
            raise HTTPException(HTTP_422_UNPROCESSABLE_CONTENT, f"no {kind} has this status")
        lines, following = await list_subjects(kind, status, cursor)
        onward = None if following is None else "?" + urlencode(({"status": status} if status else {}) | {"cursor": following})
        words: dict[str, Any] = {"kind": kind, "lines": lines, "statuses": list(STATUSES[kind]), "status": status, "onward": onward}
        return page(request, "list", **words, is_first=cursor is None)

    return of_kind


async def search(request: Request) -> Response:
    """Lead to what is called so; show what there is when it is more than one, or nothing."""
    session: Session = request.state.session
    wanted = request.query_params.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    found = await find_subjects(wanted, by_person=session.opens("customers:read")) if wanted else []
    found = [(kind, subject_id) for kind, subject_id in found if session.opens(f"{kind}s:read")]
    if len(found) == 1:
        kind, subject_id = found[0]
        return RedirectResponse(f"{PATH}/{kind}s/{quote(subject_id, safe='')}", HTTP_303_SEE_OTHER)
    return page(request, "search", wanted=wanted, found=found)


def _number(measured: Measured, metric: Metric, *labels: str) -> int:
    return int(measured.numbers[metric].get(labels, 0))
