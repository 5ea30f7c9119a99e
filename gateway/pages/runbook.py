"""The runbook as the pages show it: ``docs/runbook.md`` itself, shipped with this package, and the entry that belongs to a reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markupsafe import Markup

from hub.attention import APPROVAL, NOTICE

if TYPE_CHECKING:
    from markdown_it.token import Token

    from hub.attention import Attention

GAP = "…"
PLACE = "/ui/runbook"
_APPROVAL = "A refund that waits for approval"
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Entry:
    """What the runbook says under one heading, as HTML, and where on its page that stands."""

    heading: str
    place: str
    says: Markup


def anchor(heading: str) -> str:
    """Return what a browser is sent to for the heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def fits(heading: str, reason: str) -> bool:
    """Tell whether the reason is one that the heading is about, whatever stands in its gaps."""
    return re.fullmatch(re.escape(heading.strip("`")).replace(GAP, ".+"), reason, re.DOTALL) is not None


class Runbook:
    """The runbook; ``text`` is its Markdown."""

    def __init__(self, text: str) -> None:
        self.whole = _rendered(text)
        self._sections = {
            section.partition("\n")[0]: {entry.heading: entry for entry in _entries(section)}
            for section in re.split(r"^## ", text, flags=re.MULTILINE)
        }

    def entry_for(self, item: Attention) -> Entry | None:
        """Return what to do about it; None when the runbook does not know that reason."""
        match item.kind:
            case kind if kind == APPROVAL:
                return self._sections["Orders"][_APPROVAL]
            case kind if kind == NOTICE:
                state = item.reason.partition(":")[0]
                return next((entry for heading, entry in self._sections["Webhooks"].items() if heading.startswith(f"`{state}`")), None)
            case _:
                return next((entry for heading, entry in self._sections["Needs attention"].items() if fits(heading, item.reason)), None)


@cache
def runbook() -> Runbook:
    """Return the runbook of this version."""
    return Runbook((files("gateway.pages") / "runbook.md").read_text())


def _entries(section: str) -> list[Entry]:
    parts = re.split(r"^### (.*)$", section, flags=re.MULTILINE)[1:]
    return [Entry(heading, f"{PLACE}#{anchor(heading)}", _rendered(says)) for heading, says in zip(parts[::2], parts[1::2], strict=True)]


def _rendered(text: str) -> Markup:
    """Return the HTML: headings can be linked to, links lead to where there is a page of ours, table headings say what they head."""
    tokens = _markdown.parse(text)
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(following.content))
        elif token.type == "th_open":
            token.attrSet("scope", "col")
    for token in tokens:
        _lead_somewhere(token.children or [])
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))  # noqa: S704 - our own document, HTML in it switched off


def _lead_somewhere(tokens: list[Token]) -> None:
    leads = True
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            leads = target.startswith("#")
            token.attrSet("href", PLACE + target)
        if token.type in ("link_open", "link_close"):
            token.hidden = not leads
