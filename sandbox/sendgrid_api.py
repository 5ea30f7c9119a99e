"""
SendGrid, rehearsed: takes mails and checks them as the v3 API does; nothing is delivered but the events that say so.

Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request

from sandbox import sendgrid_events
from sandbox.calls import Answer, Call, Operation, Provider, Rejected, new_id
from sandbox.effects import subject_of

_ADDRESS = re.compile(r"^[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;.]+$")
_MOST_PERSONALIZATIONS = 1000
_LONGEST_ARGUMENTS = 10_000
_FROM_MISSING = (
    "The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a "
    'name parameter.  e.g. {"email" : "example@example.com"}  or {"email" : "example@example.com", "name" : "Example Recipient"}.'
)
_NO_SUBJECT = (
    "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization "
    "has a subject defined."
)
_NO_CONTENT = (
    "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We "
    "typically suggest both text/plain and text/html blocks are included, but only one block is required."
)
_NO_PERSONALIZATION = "The personalizations field is required and must have at least one personalization."
_NO_RECIPIENT = (
    "The to array is required for all personalization objects, and must have at least one email object with a valid email address."
)
_MESSAGES = {401: "The provided authorization grant is invalid, expired, or revoked", 403: "access forbidden", 429: "too many requests"}
Problem = tuple[str, str]


def _send(call: Call) -> Answer:
    mail = call.values
    problems = [*_sender_problems(mail), *_recipient_problems(mail), *_content_problems(mail), *_argument_problems(mail)]
    if problems:
        raise Rejected(_errors(400, problems))
    if mail.get("mail_settings") and _only_checked(mail["mail_settings"]):
        return Answer(200, None)
    message_id = new_id("", 22)
    for number, personalization in enumerate(mail["personalizations"]):
        arguments = {**(mail.get("custom_args") or {}), **(personalization.get("custom_args") or {})}
        identity = f"{message_id}.recvd-{number}"
        kept = {
            "id": identity,
            "message_id": message_id,
            "from": mail["from"],
            "to": personalization["to"],
            "recipients": [str(person["email"]) for field in ("to", "cc", "bcc") for person in _people(personalization.get(field))],
            "subject": personalization.get("subject") or mail.get("subject"),
            "content": mail.get("content"),
            "template_id": mail.get("template_id"),
            "categories": mail.get("categories") or [],
            "custom_args": arguments,
        }
        call.store.put("sendgrid", "mail", identity, kept, parent=message_id)
        call.world.effects.record("sendgrid.mail", message_id, arguments)
        sendgrid_events.follow(call.world, kept)
    return Answer(202, None, {"X-Message-Id": message_id})


def _only_checked(settings: Any) -> bool:
    """Whether the mail is in SendGrid's own sandbox mode: checked, not sent."""
    mode = settings.get("sandbox_mode", {}) if isinstance(settings, dict) else None
    if not isinstance(mode, dict):
        raise Rejected(_errors(400, [("The mail_settings must be an object of objects.", "mail_settings")]))
    return mode.get("enable") is True


def _scopes(call: Call) -> Answer:
    del call
    return Answer(200, {"scopes": ["mail.send", "mail.batch.create", "user.scheduled_sends.create", "messages.read"]})


def _sender_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    sender = mail.get("from")
    if not isinstance(sender, dict) or not sender.get("email"):
        yield _FROM_MISSING, "from.email"
    elif not _ADDRESS.match(str(sender["email"])):
        yield "The from email does not contain a valid address.", "from.email"
    reply = mail.get("reply_to")
    if reply is not None and not (isinstance(reply, dict) and _ADDRESS.match(str(reply.get("email")))):
        yield "The reply_to email does not contain a valid address.", "reply_to.email"


def _recipient_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    people = mail.get("personalizations")
    if not isinstance(people, list) or not people:
        yield _NO_PERSONALIZATION, "personalizations"
        return
    if len(people) > _MOST_PERSONALIZATIONS:
        yield f"The personalizations field can have at most {_MOST_PERSONALIZATIONS} personalizations.", "personalizations"
    for number, personalization in enumerate(people):
        where = f"personalizations.{number}"
        if not isinstance(personalization, dict) or not isinstance(personalization.get("to"), list) or not personalization["to"]:
            yield _NO_RECIPIENT, f"{where}.to"
            continue
        seen: set[str] = set()
        for field in ("to", "cc", "bcc"):
            for position, person in enumerate(_people(personalization.get(field))):
                address = str(person.get("email")) if isinstance(person, dict) else ""
                if not _ADDRESS.match(address):
                    yield "Does not contain a valid address.", f"{where}.{field}.{position}.email"
                elif address.lower() in seen:
                    sentence = "Each email address in the personalization block should be unique between to, cc, and bcc."
                    yield f"{sentence} We found the first duplicate instance of [{address}] in the {where}.{field} field.", where
                seen.add(address.lower())


def _people(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given] if given else []


def _content_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    if mail.get("template_id"):
        return
    people = mail.get("personalizations")
    each = isinstance(people, list) and bool(people) and all(isinstance(one, dict) and one.get("subject") for one in people)
    if not mail.get("subject") and not each:
        yield _NO_SUBJECT, "subject"
    content = mail.get("content")
    if not isinstance(content, list) or not content:
        yield _NO_CONTENT, "content"
        return
    for number, block in enumerate(content):
        if not isinstance(block, dict) or not isinstance(block.get("value"), str) or not block["value"]:
            yield "The content value must be a string at least one character in length.", f"content.{number}.value"
        if not isinstance(block, dict) or "/" not in str(block.get("type")):
            yield "The content type must be a string that is a mime type.", f"content.{number}.type"
    kinds = [block.get("type") for block in content if isinstance(block, dict)]
    if "text/plain" in kinds[1:]:
        yield "If present, text/plain and text/html may only be provided once, and text/plain must be first.", "content"


def _argument_problems(mail: dict[str, Any]) -> Iterator[Problem]:
    people = mail.get("personalizations")
    holders = [("", mail), *((f"personalizations.{n}.", one) for n, one in enumerate(people if isinstance(people, list) else []))]
    for where, holder in holders:
        arguments = holder.get("custom_args") if isinstance(holder, dict) else None
        if arguments is None:
            continue
        if not isinstance(arguments, dict) or not all(isinstance(value, str) for value in arguments.values()):
            yield "The custom_args must be an object of strings.", f"{where}custom_args"
        elif len(json.dumps(arguments)) > _LONGEST_ARGUMENTS:
            yield "The total size of custom_args must be less than 10,000 bytes.", f"{where}custom_args"


def _errors(status: int, problems: list[Problem]) -> Answer:
    listed = [{"message": message, "field": field or None, "help": None} for message, field in problems]
    return Answer(status, {"errors": listed})


class SendGrid(Provider):
    """SendGrid's API below ``/sendgrid``."""

    name = "sendgrid"
    prefix = "/sendgrid"
    latency_ms = 50
    operations = (
        Operation("send mail", "POST", "/v3/mail/send", _send),
        Operation("read scopes", "GET", "/v3/scopes", _scopes),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the JSON body, or the query for a GET."""
        if request.method == "GET":
            return dict(request.query_params)
        if "application/json" not in request.headers.get("content-type", ""):
            raise Rejected(_errors(415, [("Content-Type should be application/json.", "")]))
        try:
            values = json.loads(body)
        except ValueError as error:
            raise Rejected(_errors(400, [("Bad Request", "")])) from error
        if not isinstance(values, dict):
            raise Rejected(_errors(400, [("Bad Request", "")]))
        return values

    def credential(self, request: Request) -> str | None:
        """Return the Bearer key."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value.strip() or None if scheme.lower() == "bearer" else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let keys in that begin with ``SG.`` and were not revoked."""
        if credential is None or not credential.startswith("SG.") or revoked:
            return _errors(401, [(_MESSAGES[401], "")])
        return None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        del method, path
        return _errors(404, [("Not Found", "")])

    def failure(self, status: int) -> dict[str, Any]:
        """Return the errors that SendGrid gives with ``status``."""
        return {"errors": [{"message": _MESSAGES.get(status, "internal error"), "field": None, "help": None}]}

    def subject(self, call: Call) -> str | None:
        """Look into the custom arguments of the mail, then of its first recipient."""
        people = call.values.get("personalizations")
        first = people[0] if isinstance(people, list) and people and isinstance(people[0], dict) else {}
        for arguments in (call.values.get("custom_args"), first.get("custom_args")):
            if isinstance(arguments, dict) and (found := subject_of(arguments)):
                return found
        return None
