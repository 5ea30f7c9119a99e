"""Turns words into a page: one frame, one stylesheet, and everything that comes from outside is text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from gateway.pages.sessions import forget_said, said

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

_templates = Environment(
    loader=PackageLoader("gateway.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def page(request: Request, template: str, status_code: int = 200, **words: Any) -> HTMLResponse:
    """Return the page; what the one before wanted to be said is said on it."""
    notice = said(request)
    frame = {"session": getattr(request.state, "session", None), "notice": notice, "path": request.url.path}
    html = _templates.get_template(f"{template}.html").render(words | frame)
    response = HTMLResponse(html, status_code)
    if notice is not None:
        forget_said(response)
    return response


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "\N{EN DASH}"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


_templates.filters |= {"moment": _moment, "in_words": _in_words, "took": _took}
