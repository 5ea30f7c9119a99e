"""
Twilio's messages: taken, listed, and moved from queued to their end. There are no idempotency keys: asked twice, it sends twice.

Source: https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from sandbox.calls import Answer, Call, Operation, Rejected, World
from sandbox.effects import subject_of
from sandbox.twilio_callbacks import tell_status

NAME = "twilio"
# Twilio's own magic numbers: https://www.twilio.com/docs/iam/test-credentials
_RECIPIENTS = {
    "+15005550001": (400, 21211, "Invalid 'To' Phone Number: +1500555XXXX"),
    "+15005550002": (400, 21612, "Message cannot be sent with the current combination of 'To' and 'From' parameters"),
    "+15005550003": (400, 21408, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number"),
    "+15005550004": (400, 21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (400, 21614, "'To' number is not a valid mobile number"),
}
_SENDERS = {
    "+15005550001": (400, 21212, "Invalid From Number (caller ID)"),
    "+15005550007": (400, 21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number"),
    "+15005550008": (429, 21611, "This 'From' number has exceeded the maximum number of queued messages"),
}
UNREACHABLE = "+15005553003"  # ours: taken and sent, and then the phone is off (30003)
_ERRORS = {30003: "Unreachable destination handset"}
_NUMBER = re.compile(r"^\+[1-9]\d{6,14}$")
_REFERENCE = re.compile(r"\bRef (?P<subject>\S+)\.[a-z0-9]+\s*$")
_LONGEST_BODY, _ONE_SEGMENT, _SEGMENT = 1600, 160, 153
_MOST_PER_PAGE = 1000
_INTERNAL = "status_callback"


def error(status: int, code: int, message: str) -> Answer:
    """Return a mistake as Twilio says it."""
    return Answer(status, {"code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status})


def about(values: dict[str, Any]) -> str | None:
    """Return whom a message is about: the effect named in its callback address, or the reference at the end of its body."""
    effect = effect_in(str(values.get("StatusCallback") or values.get(_INTERNAL) or ""))
    found = _REFERENCE.search(str(values.get("Body") or values.get("body") or ""))
    return subject_of(effect) or (found["subject"] if found else None)


def effect_in(callback: str) -> str:
    """Return the effect that a callback address names, or an empty text."""
    return parse_qs(urlsplit(callback).query).get("effect", [""])[0]


def _send(call: Call) -> Answer:
    values = call.values
    to, body = str(values.get("To") or ""), str(values.get("Body") or "")
    sender, service = values.get("From"), values.get("MessagingServiceSid")
    for missing, code, what in ((not to, 21604, "'To'"), (not sender and not service, 21603, "'From'"), (not body, 21602, "Message body")):
        if missing:
            raise Rejected(error(400, code, f"A {what} is required to send a message."))
    if len(body) > _LONGEST_BODY:
        raise Rejected(error(400, 21617, "The concatenated message body exceeds the 1600 character limit"))
    if not _NUMBER.match(to):
        raise Rejected(error(400, 21211, f"Invalid 'To' Phone Number: {to}"))
    for wrong in (_SENDERS.get(str(sender)), _RECIPIENTS.get(to)):
        if wrong:
            raise Rejected(error(*wrong))
    account, sid, now = call.parts["account"], f"SM{secrets.token_hex(16)}", format_datetime(datetime.now(UTC))
    uri = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
    message = {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": body,
        "date_created": now,
        "date_sent": None,
        "date_updated": now,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": sender,
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": str(1 if len(body) <= _ONE_SEGMENT else -(-len(body) // _SEGMENT)),
        "price": None,
        "price_unit": "USD",
        "sid": sid,
        "status": "accepted" if service else "queued",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": to,
        "uri": f"{uri}.json",
        _INTERNAL: values.get("StatusCallback"),
    }
    call.store.put(NAME, "message", sid, message, parent=account)
    reference = {"effect": effect_in(str(values.get("StatusCallback") or "")), "subject": about(values)}
    call.world.effects.record("twilio.text", sid, {name: value for name, value in reference.items() if value})
    tell_status(call.world, _public(message), values.get("StatusCallback"))
    call.world.later(NAME, "sent", sid)
    return Answer(201, _public(message))


def _read(call: Call) -> Answer:
    message = call.store.get(NAME, "message", call.parts["sid"])
    if message is None or message["account_sid"] != call.parts["account"]:
        raise Rejected(error(404, 20404, f"The requested resource {call.path} was not found"))
    return Answer(200, _public(message))


def _list(call: Call) -> Answer:
    values = call.values
    try:
        size, number = min(max(int(values.get("PageSize", 50)), 1), _MOST_PER_PAGE), max(int(values.get("Page", 0)), 0)
        found = [message for message in call.store.newest_first(NAME, "message", parent=call.parts["account"]) if _fits(message, values)]
    except ValueError as wrong:
        raise Rejected(error(400, 20001, "Invalid parameter")) from wrong
    sids = [message["sid"] for message in found]
    last_seen = str(values.get("PageToken") or "").removeprefix("PA")
    first = sids.index(last_seen) + 1 if last_seen in sids else number * size
    page = found[first : first + size]
    path = f"/2010-04-01/Accounts/{call.parts['account']}/Messages.json"
    kept = {name: value for name, value in values.items() if name not in {"Page", "PageToken"}} | {"PageSize": size}

    def link(**where: Any) -> str:
        return f"{path}?{urlencode({**kept, **where})}"

    following = link(Page=number + 1, PageToken=f"PA{page[-1]['sid']}") if first + size < len(found) else None
    body = {
        "messages": [_public(message) for message in page],
        "page": number,
        "page_size": size,
        "start": first,
        "end": first + len(page) - 1 if page else 0,
        "uri": link(Page=number),
        "first_page_uri": link(Page=0),
        "next_page_uri": following,
        "previous_page_uri": link(Page=number - 1) if number else None,
    }
    return Answer(200, body)


def _fits(message: dict[str, Any], values: dict[str, Any]) -> bool:
    if any(name in values and values[name] != message[name.lower()] for name in ("To", "From")):
        return False
    for name in ("DateSent", "DateSent<", "DateSent>"):
        if name in values and not _sent_then(message["date_sent"], name[len("DateSent") :], str(values[name])):
            return False
    return True


def _sent_then(sent: str | None, comparison: str, text: str) -> bool:
    """Whether a message was sent on a day, or until or since a moment; one that was not sent yet was not."""
    wanted = datetime.fromisoformat(text)
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if sent is None:
        return False
    moment = parsedate_to_datetime(sent)
    if comparison:
        return moment <= wanted if comparison == "<" else moment >= wanted
    day = datetime.combine(wanted.date(), time.min, UTC)
    return day <= moment < day + timedelta(days=1)


def _account(call: Call) -> Answer:
    sid = call.parts["account"]
    facts = {"sid": sid, "friendly_name": "Rehearsal", "status": "active", "type": "Full", "owner_account_sid": sid}
    return Answer(200, {**facts, "uri": f"/2010-04-01/Accounts/{sid}.json"})


def _public(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != _INTERNAL}


def settled(world: World, status: str, sid: str) -> None:
    """Move a message to ``sent``, and then to its end; nothing when the world was quicker."""
    message = world.store.get(NAME, "message", sid) or {}
    if status == "sent":
        if message["status"] in {"accepted", "queued"}:
            became(world, sid, status)
            world.later(NAME, "end", sid)
    elif message["status"] == "sent" and message["to"] == UNREACHABLE:
        became(world, sid, "undelivered", 30003)
    elif message["status"] == "sent":
        became(world, sid, "delivered")


def became(world: World, sid: str, status: str, error_code: int | None = None) -> dict[str, Any] | None:
    """Give a message a new status, tell it, and return the message; None when there is none."""
    message = world.store.get(NAME, "message", sid)
    if message is None:
        return None
    now = format_datetime(datetime.now(UTC))
    message |= {"status": status, "date_updated": now, "error_code": error_code, "error_message": _ERRORS.get(error_code or 0)}
    if message["date_sent"] is None and status not in {"queued", "sending", "canceled"}:
        message["date_sent"] = now
    world.store.put(NAME, "message", sid, message)
    tell_status(world, _public(message), message[_INTERNAL])
    return _public(message)


OPERATIONS = (
    Operation("send text", "POST", "/2010-04-01/Accounts/{account}/Messages.json", _send),
    Operation("list texts", "GET", "/2010-04-01/Accounts/{account}/Messages.json", _list),
    Operation("read text", "GET", "/2010-04-01/Accounts/{account}/Messages/{sid}.json", _read),
    Operation("read account", "GET", "/2010-04-01/Accounts/{account}.json", _account),
)
