"""What the gateway answers when a request is wrong or the database is down: what to do about it, and nothing of what was sent."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from fastapi import status
from fastapi.responses import JSONResponse

from hub.incoming import in_words

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.exceptions import RequestValidationError

log = logging.getLogger(__name__)

NAMED_AT_MOST = 20
_JSON = re.compile(r"application/([a-z0-9.-]+\+)?json\s*(;.*)?", re.IGNORECASE)
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Name each wrong field and what is wrong with it, 20 at most; what was sent is not echoed."""
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return JSONResponse({"detail": "the body is not JSON"}, status_code=status.HTTP_400_BAD_REQUEST)
    unread = any(tuple(fault["loc"]) == ("body",) and fault["type"] != "missing" for fault in faults)
    if unread and not _JSON.fullmatch(request.headers.get("content-type", "")):
        return JSONResponse(
            {"detail": "send JSON, with the header Content-Type: application/json"}, status_code=status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
        )
    problems = [{"field": _field(fault["loc"]), "problem": in_words(fault)} for fault in faults[:NAMED_AT_MOST]]
    detail = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
    more = f"; and {len(faults) - NAMED_AT_MOST} more" if len(faults) > NAMED_AT_MOST else ""
    return JSONResponse({"detail": detail + more, "errors": problems}, status_code=status.HTTP_422_UNPROCESSABLE_CONTENT)


def _field(place: tuple[int | str, ...]) -> str:
    """Return the dotted path without its first part (body, path, query). Names that look like no field may be values in the wrong place."""
    parts = [str(part) if isinstance(part, int) or _FIELD.fullmatch(part) else "(unknown)" for part in place[1:]]
    return ".".join(parts) or str(place[0])


async def database_down(request: Request, error: Exception) -> JSONResponse:
    """Answer 503. Whether a commit in flight got through is not known, so the advice is to repeat, which is harmless everywhere here."""
    code = getattr(getattr(error, "orig", error), "sqlstate", None)
    log.error("%s %s: the database does not answer (%s %s)", request.method, request.scope["route"].path, type(error).__name__, code)
    detail = "the database does not answer; send the same request again in a moment, nothing happens twice"
    return JSONResponse({"detail": detail}, status_code=status.HTTP_503_SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})
