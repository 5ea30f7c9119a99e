"""How Stripe shows objects: one with its parts expanded, lists with cursors, and a simple search."""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sandbox.calls import Answer, Call
from sandbox.stripe_forms import invalid, whole_number
from sandbox.stripe_objects import NAME

_EXPANDABLE = {"latest_charge": "charge", "charge": "charge", "payment_intent": "payment_intent", "customer": "customer"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_CLAUSE = re.compile(r"""\s*(?P<field>\w+)(?:\[["'](?P<key>[^"']+)["']\])?\s*(?P<op>:|<=|>=|<|>)\s*["']?(?P<value>[^"']*)["']?\s*""")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ":": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def shown(call: Call, item: dict[str, Any]) -> Answer:
    """Return the answer that shows one object, with what ``expand`` asks for in place of ids."""
    return Answer(200, _expanded(call, item, _wanted(call)))


def listed(call: Call, kind: str, url: str, *, parent: str | None = None, fits: Callable[[dict[str, Any]], bool] | None = None) -> Answer:
    """Return one page of a kind, newest first, as ``limit``, ``created``, ``starting_after`` and ``ending_before`` ask."""
    limit = whole_number(call.values, "limit", default=10, most=100)
    times = _times(call)
    items = (
        item
        for item in call.store.newest_first(NAME, kind, parent=parent)
        if all(_COMPARE[name](item["created"], moment) for name, moment in times.items()) and (fits is None or fits(item))
    )
    if after := call.values.get("starting_after"):
        page = _first(_after(items, after, kind), limit + 1)
    elif before := call.values.get("ending_before"):
        newer = list(_until(items, before, kind))
        page = newer[-limit:]
        return _page(call, page, url, more=len(newer) > limit)
    else:
        page = _first(items, limit + 1)
    return _page(call, page[:limit], url, more=len(page) > limit)


def searched(call: Call, kind: str, url: str) -> Answer:
    """
    Return what a query such as ``metadata['order']:'o-1' AND status:'succeeded'`` finds.

    As at Stripe, the index lags behind: objects younger than the settlement time are not found yet.
    Source: https://docs.stripe.com/search#data-freshness
    """
    query = call.values.get("query")
    if not isinstance(query, str) or not query.strip():
        raise invalid("Missing required param: query.", param="query", code="parameter_missing")
    clauses = [_CLAUSE.fullmatch(part) for part in re.split(r"\s+AND\s+", query)]
    if not all(clauses):
        raise invalid("We were unable to parse your search query.", param="query")
    limit = whole_number(call.values, "limit", default=10, most=100)
    indexed = call.store.newest_first(NAME, kind, made_before=time.time() - call.world.settle_seconds)
    found = _first((item for item in indexed if all(clause is not None and _says(item, clause) for clause in clauses)), limit + 1)
    data = [_expanded(call, item, _wanted(call, "data.")) for item in found[:limit]]
    return Answer(200, {"object": "search_result", "url": url, "has_more": len(found) > limit, "data": data, "next_page": None})


def _page(call: Call, items: list[dict[str, Any]], url: str, *, more: bool) -> Answer:
    data = [_expanded(call, item, _wanted(call, "data.")) for item in items]
    return Answer(200, {"object": "list", "url": url, "has_more": more, "data": data})


def _wanted(call: Call, prefix: str = "") -> list[str]:
    fields = call.values.get("expand") or []
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise invalid("Invalid array", param="expand")
    for field in fields:
        if field.removeprefix(prefix) not in _EXPANDABLE:
            raise invalid(f"This property cannot be expanded ({field}).", param="expand")
    return [field.removeprefix(prefix) for field in fields]


def _expanded(call: Call, item: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    whole = {field: call.store.get(NAME, _EXPANDABLE[field], item[field]) for field in fields if isinstance(item.get(field), str)}
    return {**item, **{field: value for field, value in whole.items() if value is not None}}


def _times(call: Call) -> dict[str, int]:
    """Return ``created`` as comparisons with seconds since 1970."""
    asked = call.values.get("created", {})
    ranges = asked if isinstance(asked, dict) else {"gte": asked, "lte": asked}
    for name, text in ranges.items():
        if name not in _COMPARE or not str(text).isdecimal():
            raise invalid(f"Invalid timestamp: created[{name}]={text}", param="created")
    return {name: int(text) for name, text in ranges.items()}


def _says(item: dict[str, Any], clause: re.Match[str]) -> bool:
    value = item.get(clause["field"])
    if clause["key"] is not None:
        value = value.get(clause["key"]) if isinstance(value, dict) else None
    if value is None:
        return False
    if isinstance(value, int) and clause["value"].isdecimal():
        return _OPERATORS[clause["op"]](value, int(clause["value"]))
    return clause["op"] == ":" and str(value) == clause["value"]


def _first(items: Iterable[dict[str, Any]], how_many: int) -> list[dict[str, Any]]:
    return [item for item, _ in zip(items, range(how_many), strict=False)]


def _after(items: Iterator[dict[str, Any]], cursor: str, kind: str) -> Iterator[dict[str, Any]]:
    for item in items:
        if item["id"] == cursor:
            return items
    raise invalid(f"No such {kind}: '{cursor}'", param="starting_after", code="resource_missing")


def _until(items: Iterator[dict[str, Any]], cursor: str, kind: str) -> Iterator[dict[str, Any]]:
    for item in items:
        if item["id"] == cursor:
            return
        yield item
    raise invalid(f"No such {kind}: '{cursor}'", param="ending_before", code="resource_missing")
