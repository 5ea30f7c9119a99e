"""
The deliveries of a repository's webhook, which GitHub lists and repeats only when it is asked to.

Source: https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.callback_delivery import Delivery
from sandbox.callback_signing import iso
from sandbox.calls import Answer, Call, Rejected
from sandbox.github_objects import HOOK_ID, NAME

_MOST_PER_PAGE = 100
_NO_CONNECTION = "failed to connect to host"
_GONE = Answer(404, {"message": "Not Found", "status": "404"})


def list_deliveries(call: Call) -> Answer:
    """Answer with what was sent to the hook, newest first; ``status`` (success, failure), ``per_page`` and ``cursor`` narrow it."""
    wanted = call.values.get("status")
    shown = [_shown(one) for one in _sent(call)]
    found = [one for one in shown if wanted is None or (one["status"] == "OK") == (wanted == "success")]
    size = min(int(call.values.get("per_page") or 30), _MOST_PER_PAGE)
    first = int(call.values.get("cursor") or 0)
    headers = {"Content-Type": "application/json"}
    if len(found) > first + size:
        here = f"{call.base_url}{call.path}?per_page={size}&cursor={first + size}" + (f"&status={wanted}" if wanted else "")
        headers["Link"] = f'<{here}>; rel="next"'
    return Answer(200, json.dumps(found[first : first + size]), headers)


def redeliver(call: Call) -> Answer:
    """Send a past delivery once more, under its old id."""
    identity = next((one.id for one in _sent(call) if _number(one) == int(call.parts["id"])), None)
    if identity is None or call.world.callbacks.redeliver(identity) is None:
        raise Rejected(_GONE)
    return Answer(202, {})


def _sent(call: Call) -> list[Delivery]:
    """Return what was sent to the repository's hook and is not under way, newest first; what is withheld has not got through."""
    repository = f"{call.parts['owner']}/{call.parts['repo']}"
    if call.parts["hook"] != str(HOOK_ID):
        raise Rejected(_GONE)
    return [
        one
        for one in call.world.callbacks.deliveries()
        if one.first.provider == NAME and one.state != "waiting" and one.first.content["repository"]["full_name"] == repository
    ]


def _number(delivery: Delivery) -> int:
    return int(delivery.id.removeprefix("dlv_")[:13], 16)


def _shown(delivery: Delivery) -> dict[str, Any]:
    delivered = delivery.state == "delivered"
    return {
        "id": _number(delivery),
        "guid": delivery.first.identity,
        "delivered_at": iso(delivery.sent_at or delivery.at),
        "redelivery": not delivery.numbers and delivery.state != "withheld",
        "duration": 0.05,
        "status": "OK" if delivered else _NO_CONNECTION if delivery.status is None else f"Invalid HTTP Response: {delivery.status}",
        "status_code": delivery.status or 0,
        "event": delivery.first.kind,
        "action": delivery.first.content.get("action"),
        "installation_id": None,
        "repository_id": 1,
        "throttled_at": None,
    }
