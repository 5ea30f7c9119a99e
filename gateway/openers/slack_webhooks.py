"""Slack signs ``v0:timestamp:body``, for events (JSON) and for buttons (a form) alike."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from slack_sdk.signature import Clock, SignatureVerifier

from gateway.openers.delivery import Delivery, NotGenuine, unix_seconds
from gateway.openers.identities import Unreadable, as_object, compact, kind_of, made_from, object_in, plain_id
from hub.notices import Notice

PROVIDER = "slack"
URL_VERIFICATION = "url_verification"


class _Arrival(Clock):
    def __init__(self, at: float) -> None:
        self._at = at

    def now(self) -> float:
        return self._at


def verify(delivery: Delivery, secret: str) -> None:
    """
    It is from Slack, signed at most 300 s ago or ahead: Slack signs every repetition anew.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    verifier = SignatureVerifier(secret, _Arrival(delivery.received_at))
    date = unix_seconds(delivery.header("X-Slack-Request-Timestamp"))
    if not verifier.is_valid(delivery.body, date, delivery.header("X-Slack-Signature")):
        raise NotGenuine("the signature is another one, stale, or from the future")


def answer(delivery: Delivery) -> bytes | None:
    """
    Return what Slack wants to hear: the challenge when somebody enters our URL, nothing at all after a click; None: it does not matter.

    Source: https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
    """
    if delivery.body[:1] != b"{":
        return b""
    asked = object_in(delivery.body)
    return compact({"challenge": asked.get("challenge")}) if asked.get("type") == URL_VERIFICATION else None


def notices(delivery: Delivery) -> list[Notice]:
    """Return the event, or the click on a button; the content is JSON in both cases."""
    if delivery.body[:1] == b"{":
        return _event(delivery.body)
    payloads = parse_qs(delivery.body.decode(), strict_parsing=True, max_num_fields=20).get("payload", [])
    if len(payloads) != 1:
        raise Unreadable("a form without the one field `payload`")
    return [_interaction(payloads[0])]


def _event(body: bytes) -> list[Notice]:
    outer = object_in(body)
    if outer.get("type") == URL_VERIFICATION:
        return []
    if outer.get("type") != "event_callback":  # e.g. app_rate_limited, which has no id
        return [Notice(provider=PROVIDER, event_id=made_from(PROVIDER, outer), kind=kind_of(outer.get("type")), content=body)]
    kind = kind_of(as_object(outer.get("event")).get("type"))
    return [Notice(provider=PROVIDER, event_id=plain_id(outer.get("event_id")), kind=kind, content=body)]


def _interaction(payload: str) -> Notice:
    """Return what somebody did in Slack. Clicks have no id: who, at which message, which button, when."""
    said = object_in(payload)
    kind = kind_of(said.get("type"))
    if kind != "block_actions":
        return Notice(provider=PROVIDER, event_id=made_from(PROVIDER, said), kind=kind, content=payload.encode())
    actions = [as_object(action) for action in said.get("actions") or [{}]]
    clicks = [[action.get(name) for name in ("action_id", "block_id", "value", "action_ts")] for action in actions]
    who = [_within(said, *path) for path in (("team", "id"), ("user", "id"), ("container", "message_ts"), ("message", "ts"))]
    return Notice(provider=PROVIDER, event_id=made_from(PROVIDER, kind, who, clicks), kind=kind, content=payload.encode())


def _within(outer: dict[str, Any], first: str, second: str) -> Any:
    inner = outer.get(first)
    return inner.get(second) if isinstance(inner, dict) else None
