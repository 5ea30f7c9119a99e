"""
Slack, rehearsed: posting, updating and reading messages of channels whose id begins with C.

Source: https://docs.slack.dev/reference/methods
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.calls import Answer, Call, Operation, Provider, Rejected
from sandbox.effects import subject_of

_LONGEST_TEXT = 40_000
_MOST_MESSAGES = 999
_TEAM, _BOT, _USER, _APP = "T0REHEARSAL", "B0REHEARSAL", "U0REHEARSAL", "A0REHEARSAL"
BROADCAST = "thread_broadcast"
_STAMP = re.compile(r"^\d{1,12}(\.\d{1,6})?$")


def _auth_test(call: Call) -> Answer:
    who = {"user": "hub", "team_id": _TEAM, "user_id": _USER, "bot_id": _BOT, "is_enterprise_install": False}
    return _fine(url=f"{call.base_url}/", team="Rehearsal", **who)


def _post(call: Call) -> Answer:
    channel, said = _channel(call), _said(call)
    stamp = _next_stamp(call, channel)
    message = {
        "type": "message",
        "subtype": "bot_message",
        "user": _USER,
        "bot_id": _BOT,
        "app_id": _APP,
        "team": _TEAM,
        "ts": stamp,
        **said,
        **_place_in_thread(call, channel, stamp),
    }
    call.store.put("slack", "message", f"{channel}:{stamp}", message, parent=channel)
    below = {"thread_ts": message["thread_ts"]} if "thread_ts" in message else {}
    call.world.effects.record("slack.message", stamp, {**_payload(message), "channel": channel, **below})
    return _fine(channel=channel, ts=stamp, message=message)


def _place_in_thread(call: Call, channel: str, stamp: str) -> dict[str, Any]:
    """Return what makes the message a reply, and count it at the message that it replies to; nothing when it is none."""
    thread = str(call.values.get("thread_ts") or "")
    if not thread:
        return {}
    root = call.store.get("slack", "message", f"{channel}:{thread}")
    if root is not None:
        root |= {"thread_ts": thread, "reply_count": root.get("reply_count", 0) + 1, "latest_reply": stamp}
        call.store.put("slack", "message", f"{channel}:{thread}", root, parent=channel)
    return {"thread_ts": thread, **({"subtype": BROADCAST} if _yes(call, "reply_broadcast") else {})}


def _update(call: Call) -> Answer:
    channel, stamp = _channel(call), str(call.values.get("ts") or "")
    message = call.store.get("slack", "message", f"{channel}:{stamp}")
    if message is None:
        raise Rejected(_no("message_not_found"))
    message |= {**_said(call), "edited": {"user": _USER, "ts": f"{time.time():.6f}"}}
    call.store.put("slack", "message", f"{channel}:{stamp}", message)
    call.world.effects.record("slack.message_updated", stamp, {**_payload(message), "channel": channel})
    return _fine(channel=channel, ts=stamp, text=message["text"], message=message)


def _history(call: Call) -> Answer:
    channel = _channel(call)
    oldest, latest = _stamp(call, "oldest"), _stamp(call, "latest")
    inclusive, whole = _yes(call, "inclusive"), _yes(call, "include_all_metadata")
    limit, cursor = _limit(call), _cursor(call)
    found = []
    for message in call.store.newest_first("slack", "message", parent=channel):
        at = float(message["ts"])
        if message.get("thread_ts", message["ts"]) != message["ts"] and message["subtype"] != BROADCAST:
            continue  # a channel's history has no replies but those that the channel was to see
        young = oldest is None or at > oldest or (inclusive and at == oldest)
        old = latest is None or at < latest or (inclusive and at == latest)
        if young and old and (cursor is None or at < cursor):
            found.append(message if whole else {name: value for name, value in message.items() if name != "metadata"})
    more = len(found) > limit
    page = found[:limit]
    following = base64.b64encode(f"next_ts:{page[-1]['ts']}".encode()).decode() if more else ""
    return _fine(messages=page, has_more=more, pin_count=0, response_metadata={"next_cursor": following})


def _channel(call: Call) -> str:
    channel = str(call.values.get("channel") or "")
    if not re.fullmatch(r"C[A-Z0-9]{2,}", channel):
        raise Rejected(_no("channel_not_found"))
    return channel


def _said(call: Call) -> dict[str, Any]:
    """Return the parts of a message that the caller decides, as Slack would keep them."""
    text = str(call.values.get("text") or "")
    if len(text) > _LONGEST_TEXT:
        raise Rejected(_no("msg_too_long"))
    said: dict[str, Any] = {"text": text}
    for name in ("blocks", "attachments", "metadata"):
        value = call.values.get(name)
        if isinstance(value, str) and value:
            try:
                value = json.loads(value)
            except ValueError as error:
                raise Rejected(_no(f"invalid_{name}_format")) from error
        if value or value == []:  # an empty list takes away what was there
            said[name] = value
    if not text and not said.get("blocks") and not said.get("attachments"):
        raise Rejected(_no("no_text"))
    metadata = said.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    ):
        raise Rejected(_no("invalid_metadata_format"))
    return said


def _next_stamp(call: Call, channel: str) -> str:
    """Return the time as the message's id, always later than the channel's last one."""
    last = next(call.store.newest_first("slack", "message", parent=channel), None)
    now = int(time.time() * 1_000_000)
    if last is not None:
        now = max(now, int(last["ts"].replace(".", "")) + 1)
    return f"{now // 1_000_000}.{now % 1_000_000:06d}"


def _stamp(call: Call, name: str) -> float | None:
    text = str(call.values.get(name) or "")
    if not text:
        return None
    if not _STAMP.match(text):
        raise Rejected(_no(f"invalid_ts_{name}"))
    return float(text)


def _limit(call: Call) -> int:
    text = str(call.values.get("limit") or 100)
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_MESSAGES:
        raise Rejected(_no("invalid_limit"))
    return int(text)


def _cursor(call: Call) -> float | None:
    text = call.values.get("cursor")
    if not text:
        return None
    try:
        return float(base64.b64decode(text, validate=True).decode().removeprefix("next_ts:"))
    except (binascii.Error, ValueError) as error:
        raise Rejected(_no("invalid_cursor")) from error


def _yes(call: Call, name: str) -> bool:
    return str(call.values.get(name, "0")).lower() in {"1", "true"}


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    return dict((message.get("metadata") or {}).get("event_payload") or {})


def _fine(**content: Any) -> Answer:
    return Answer(200, {"ok": True, **content})


def _no(error: str) -> Answer:
    return Answer(200, {"ok": False, "error": error})


class Slack(Provider):
    """Slack's Web API below ``/slack``."""

    name = "slack"
    prefix = "/slack"
    latency_ms = 50
    operations = (
        Operation("post message", "POST", "/api/chat.postMessage", _post),
        Operation("update message", "POST", "/api/chat.update", _update),
        Operation("read history", "GET", "/api/conversations.history", _history),
        Operation("read history", "POST", "/api/conversations.history", _history),
        Operation("auth test", "POST", "/api/auth.test", _auth_test),
        Operation("auth test", "GET", "/api/auth.test", _auth_test),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the arguments of a JSON body, a form, or the query."""
        values: dict[str, Any] = dict(request.query_params)
        try:
            if "application/json" in request.headers.get("content-type", ""):
                sent = json.loads(body or b"{}")
                if not isinstance(sent, dict):
                    raise Rejected(_no("json_not_object"))
                return values | sent
            return values | dict(parse_qsl(body.decode(), keep_blank_values=True))
        except ValueError as error:
            raise Rejected(_no("invalid_json")) from error

    def credential(self, request: Request) -> str | None:
        """Return the Bearer token."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value.strip() or None if scheme.lower() == "bearer" else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let bot tokens in that were not revoked; Slack says no with HTTP 200."""
        if credential is None:
            return _no("not_authed")
        if not credential.startswith("xoxb-"):
            return _no("invalid_auth")
        return _no("token_revoked") if revoked else None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such method."""
        return Answer(200, {"ok": False, "error": "unknown_method", "req_method": f"{method} {path}"})

    def failure(self, status: int) -> dict[str, Any]:
        """Return the error that Slack gives with ``status``."""
        return {"ok": False, "error": {429: "ratelimited", 503: "service_unavailable"}.get(status, "internal_error")}

    def subject(self, call: Call) -> str | None:
        """Look into the message's metadata."""
        metadata = call.values.get("metadata")
        if isinstance(metadata, str):
            try:
                metadata = json.loads(metadata)
            except ValueError:
                return None
        payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
        return subject_of(payload) if isinstance(payload, dict) else None
