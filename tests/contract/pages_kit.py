"""What the tests of pages for people share: somebody at a browser without JavaScript, and what everybody needs of a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any, Self
from urllib.parse import urljoin

import httpx

_VOID = {"meta", "link", "input", "img", "br", "hr"}
_WITHIN_A_LINE = {"a", "bdi", "code", "em", "span", "strong", "time"}
_FIELDS = {"input", "select", "textarea"}
HOSTILE = {
    "markup": "<b>Bold</b><img src=x onerror=alert(1)>",
    "script": "</td></table><script>alert('o-1')</script>",
    "attribute": '" autofocus onfocus="alert(1)',
    "template": "{{ 7 * 7 }}{% raw %}",
    "from right to left": "\u202egnp.exe\u2066 \u05d0\u05d1\u05d2 \u0627\u0628",
    "long": "x" * 10_000,
}


@dataclass
class Element:
    """An element of a page with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        """Every element in it of this tag with these attributes; ``class_`` and ``for_`` are written so."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [one for one in self.walk() if tag in (None, one.tag) and wanted.items() <= one.attributes.items()]

    def walk(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    @property
    def text(self) -> str:
        """What a person reads in it."""
        return " ".join("".join(self.words()).split())

    def words(self) -> Iterator[str]:
        for child in self.children:
            yield from child.words() if isinstance(child, Element) else (child,)
        if self.tag not in _WITHIN_A_LINE:
            yield " "


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Element:
    """The page as a tree; every element that was begun is ended, in turn."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert [one.tag for one in reader.open] == ["document"]
    return reader.open[0]


def wanting(page: Element) -> list[str]:
    """What is wrong with the page for somebody who cannot see it, has no mouse, or does not trust what is in it."""
    (html,) = page.all("html")
    ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    levels = [int(one.tag[1]) for one in page.all() if one.tag in ("h1", "h2", "h3", "h4")]
    labelled = {label.attributes.get("for") for label in page.all("label") if label.text}
    fields = [one for one in page.all() if one.tag in _FIELDS and one.attributes.get("type") != "hidden"]
    heads = [th for th in page.all("th") if th.attributes.get("scope") not in ("col", "row")]
    leading = [one for one in page.all("a") if not one.text or one.attributes.get("href", "").startswith("javascript:")]
    faults = {
        "no language": html.attributes.get("lang") != "en",
        "no title": not page.all("title")[0].text,
        "not one main part": len(page.all("main")) != 1,
        "no way past the header": page.all("a")[0].attributes.get("href") != f"#{page.all('main')[0].attributes.get('id')}",
        "not one first heading": levels.count(1) != 1,
        "headings leave a level out": any(later - earlier > 1 for earlier, later in pairwise(levels)),
        "an id twice": len(set(ids)) != len(ids),
        "a field without a label": any(one.attributes.get("id") not in labelled for one in fields),
        "a button without words": any(not one.text for one in page.all("button")),
        "a link without words, or with a script": bool(leading),
        "a heading of a table that heads nothing": bool(heads),
        "a script, or a style of its own": bool(page.all("script") or page.all("style")),
        "an attribute that acts": any(name.startswith("on") or name == "style" for one in page.all() for name in one.attributes),
        "a label that names nothing": any(
            name not in ids for one in page.all() for name in one.attributes.get("aria-labelledby", "").split()
        ),
        "a picture without words": any(not one.attributes.get("aria-label") for one in page.all("svg")) or bool(page.all("img")),
    }
    return [fault for fault, there in faults.items() if there]


class Visitor:
    """Somebody with a browser at the gateway's pages."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def sign_in(self, key: str, **more: str) -> httpx.Response:
        return await self.http.post("/ui/sign-in", data={"key": key, **more}, headers={"Origin": self.url})

    async def see(self, path: str, status: int = 200) -> Element:
        """The page at ``path``; a redirect is followed."""
        answer = await self.http.get(path, follow_redirects=True)
        assert answer.status_code == status, f"{path}: {answer.status_code}, {answer.text[-500:]}"
        return read(answer.text)

    async def press(self, page: Element, button: str, number: int = 0, **typed: str) -> Element:
        """Fill in the form that has the button, press it, and return the page that follows."""
        answer = await self.send(page, button, number, **typed)
        assert answer.status_code == 303, answer.text[-500:]
        return await self.see(urljoin(self.url, answer.headers["location"]))

    async def send(self, page: Element, button: str, number: int = 0, **typed: str) -> httpx.Response:
        form = [one for one in page.all("form") if any(button in each.text for each in one.all("button"))][number]
        (pressed,) = [one for one in form.all("button") if button in one.text]
        values = {one.attributes["name"]: one.attributes.get("value", "") for one in form.all("input")} | typed
        if "name" in pressed.attributes:
            values[pressed.attributes["name"]] = pressed.attributes["value"]
        return await self.http.post(form.attributes["action"], data=values, headers={"Origin": self.url})


def notice_on(page: Element) -> str:
    """What the page says that came of the button."""
    (notice,) = page.all("div", class_="notice")
    return notice.text


def rows_of(page: Element, caption: str) -> list[list[str]]:
    """The rows of the table with this caption, as texts."""
    (table,) = [one for one in page.all("table") if [each.text for each in one.all("caption")] == [caption]]
    return [[cell.text for cell in row.children if isinstance(cell, Element)] for row in table.all("tbody")[0].all("tr")]


def described(page: Element) -> dict[str, str]:
    """What stands in the lists of names and values."""
    pairs: dict[str, Any] = {}
    for one in page.all("dl"):
        cells = [cell for cell in one.children if isinstance(cell, Element)]
        pairs |= {name.text: value.text for name, value in zip(cells[::2], cells[1::2], strict=True)}
    return pairs
