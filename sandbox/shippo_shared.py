"""What Shippo's endpoints share: required fields, things kept and found, pages of lists, and how a mistake is said."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from sandbox.calls import Answer, Call, Rejected
from sandbox.shippo_objects import NAME

Fields = tuple[str, ...]
LONGEST_METADATA = 100


def require(values: dict[str, Any], names: tuple[str, ...], field: str | None = None) -> None:
    """
    Pass when every field is there.

    Raises:
        Rejected: At least one is missing; the answer names them all, below ``field`` if that is given.
    """
    wrong = {name: ["This field is required."] for name in names if values.get(name) in (None, "", [])}
    if wrong:
        raise invalid({field: [wrong]} if field else wrong)


def reference(values: dict[str, Any]) -> str:
    """
    Return the ``metadata`` text of a request.

    Raises:
        Rejected: It is longer than Shippo keeps.
    """
    metadata = str(values.get("metadata") or "")
    if len(metadata) > LONGEST_METADATA:
        raise invalid({"metadata": [f"Ensure this field has no more than {LONGEST_METADATA} characters."]})
    return metadata


def asynchronous(values: dict[str, Any]) -> bool:
    """Whether the caller does not wait for the result, which is Shippo's default."""
    return values.get("async", True) not in (False, "false")


def one(call: Call, kind: str, identity: str) -> dict[str, Any]:
    """
    Return an object.

    Raises:
        Rejected: There is none; 404.
    """
    found = call.store.get(NAME, kind, identity)
    if found is None:
        raise Rejected(Answer(404, {"detail": "Not found."}))
    return found


def kept(call: Call, kind: str, item: dict[str, Any]) -> dict[str, Any]:
    """Keep an object and return it."""
    call.store.put(NAME, kind, item["object_id"], item)
    return item


def public(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object as the caller may see it: a label that is not printed has no address yet."""
    return {**item, "label_url": ""} if item.get("status") == "QUEUED" and "label_url" in item else item


def page(call: Call, path: str, found: list[dict[str, Any]]) -> Answer:
    """Return one page of a list, 5 entries unless ``results`` says otherwise, with links to its neighbours."""
    try:
        page, size = max(int(call.values.get("page", 1)), 1), min(max(int(call.values.get("results", 5)), 1), 100)
    except ValueError as error:
        raise invalid({"page": ["A valid integer is required."]}) from error
    first = (page - 1) * size

    def link(number: int) -> str:
        return f"{call.base_url}{path}?{urlencode({**call.values, 'page': number})}"

    following = link(page + 1) if first + size < len(found) else None
    return Answer(200, {"next": following, "previous": link(page - 1) if page > 1 else None, "results": found[first : first + size]})


def invalid(body: dict[str, Any]) -> Rejected:
    """Return Shippo's 400 with its list of mistakes per field, to be raised."""
    return Rejected(Answer(400, body))
