"""
A company's user-profile service, rehearsed: users by id, by the caller's reference, and by mail address; the last two are unique.

There are no idempotency keys; a second profile under the same reference or mail address is a conflict that names the first one.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from sandbox.calls import Answer, Call, Operation, Provider, Rejected, new_id
from sandbox.effects import subject_of

NAME = "profiles"
_KEYS = "profiles_"
_ADDRESS = re.compile(r"^[^\s@]+@[^\s@]+\.[^\s@]+$")
_NUMBER = re.compile(r"^\+[1-9]\d{6,14}$")
_STATUS = re.compile(r"^[a-z_]{1,30}$")
_CHANGEABLE = frozenset({"fullName", "phoneNumber", "preferences", "status"})
_KNOWN = _CHANGEABLE | {"email", "externalReference"}
_LONGEST = 255
_CODES = {401: "invalid_key", 404: "not_found", 429: "too_many_requests", 503: "unavailable"}


def _problem(status: int, code: str, message: str, **more: str) -> Rejected:
    return Rejected(Answer(status, {"error": {"code": code, "message": message, **more}}))


def _create(call: Call) -> Answer:
    values = call.values
    _check(values, _KNOWN)
    for field in ("email", "fullName", "externalReference"):
        if not values.get(field):
            raise _problem(422, "missing_field", f"The field {field} is required.", field=field)
    reference, email = values["externalReference"], values["email"].strip().lower()
    for kind, value, code in (("by_reference", reference, "reference_taken"), ("by_email", email, "email_taken")):
        if known := call.store.get(NAME, kind, value):
            raise _problem(409, code, "There is such a profile already.", existingId=known["id"])
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    profile = {
        "id": new_id("usr_", 20),
        "externalReference": reference,
        "email": email,
        "fullName": values["fullName"],
        "phoneNumber": values.get("phoneNumber"),
        "preferences": values.get("preferences") or {},
        "status": values.get("status") or "pending",
        "createdAt": now,
        "updatedAt": now,
    }
    call.store.put(NAME, "profile", profile["id"], profile)
    call.store.put(NAME, "by_reference", reference, {"id": profile["id"]})
    call.store.put(NAME, "by_email", email, {"id": profile["id"]})
    _record(call, "profile", profile)
    return Answer(201, profile)


def _find(call: Call) -> Answer:
    reference, email = call.values.get("externalReference"), call.values.get("email")
    if reference is None and email is None:
        raise _problem(400, "filter_required", "Give an externalReference or an email.")
    wanted = (("by_reference", reference), ("by_email", email and email.strip().lower()))
    ids = [(call.store.get(NAME, kind, value) or {}).get("id") for kind, value in wanted if value is not None]
    same = ids[0] if len(set(ids)) == 1 else None
    profile = call.store.get(NAME, "profile", same) if same else None
    return Answer(200, {"profiles": [profile] if profile else []})


def _read(call: Call) -> Answer:
    return Answer(200, _one(call))


def _change(call: Call) -> Answer:
    profile = _one(call)
    _check(call.values, _CHANGEABLE)
    profile |= {**call.values, "updatedAt": datetime.now(UTC).isoformat(timespec="milliseconds")}
    call.store.put(NAME, "profile", profile["id"], profile)
    _record(call, "change", profile)
    return Answer(200, profile)


def _remove(call: Call) -> Answer:
    profile = _one(call)
    call.store.remove(NAME, "profile", profile["id"])
    call.store.remove(NAME, "by_reference", profile["externalReference"])
    call.store.remove(NAME, "by_email", profile["email"])
    _record(call, "removal", profile)
    return Answer(204, None)


def _one(call: Call) -> dict[str, Any]:
    profile = call.store.get(NAME, "profile", call.parts["id"])
    if profile is None:
        raise _problem(404, "profile_not_found", "There is no such profile.")
    return profile


def _check(values: dict[str, Any], known: frozenset[str]) -> None:
    """Pass when every given field is known and makes sense."""
    if unknown := sorted(set(values) - known):
        raise _problem(422, "unknown_field", "The field is not known here, or cannot be changed.", field=unknown[0])
    for field in ("fullName", "externalReference", "email"):
        value = values.get(field, "x@x.x")
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise _problem(422, "invalid_field", f"The field {field} is a text of at most {_LONGEST} characters.", field=field)
    if "email" in values and values["email"] and not _ADDRESS.match(values["email"].strip()):
        raise _problem(422, "invalid_email", "That is no mail address.", field="email")
    phone = values.get("phoneNumber")
    if phone is not None and not (isinstance(phone, str) and _NUMBER.match(phone)):
        raise _problem(422, "invalid_phone_number", "A phone number looks like +14155550123.", field="phoneNumber")
    preferences = values.get("preferences", {})
    if not isinstance(preferences, dict) or not all(isinstance(value, bool) for value in preferences.values()):
        raise _problem(422, "invalid_field", "Preferences are true or false by name.", field="preferences")
    if "status" in values and not (isinstance(values["status"], str) and _STATUS.match(values["status"])):
        raise _problem(422, "invalid_field", "A status is a word in small letters.", field="status")


def _record(call: Call, kind: str, profile: dict[str, Any]) -> None:
    effect = profile["externalReference"]
    subject = subject_of(effect)
    call.world.effects.record(f"{NAME}.{kind}", profile["id"], {"effect": effect, **({"subject": subject} if subject else {})})


class Profiles(Provider):
    """The service below ``/profiles``."""

    name = NAME
    prefix = "/profiles"
    latency_ms = 50
    operations = (
        Operation("create profile", "POST", "/", _create),
        Operation("find profiles", "GET", "/", _find),
        Operation("read profile", "GET", "/{id}", _read),
        Operation("change profile", "PATCH", "/{id}", _change),
        Operation("remove profile", "DELETE", "/{id}", _remove),
    )

    def read(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the JSON body, or the query for a GET or DELETE."""
        if request.method in {"GET", "DELETE"}:
            return dict(request.query_params)
        try:
            values = json.loads(body)
        except ValueError as error:
            raise _problem(400, "invalid_json", "The body is no JSON.") from error
        if not isinstance(values, dict):
            raise _problem(400, "invalid_json", "The body is no JSON object.")
        return values

    def credential(self, request: Request) -> str | None:
        """Return the Bearer key."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value.strip() or None if scheme.lower() == "bearer" else None

    def turned_away(self, credential: str | None, *, revoked: bool) -> Answer | None:
        """Let keys in that begin with ``profiles_`` and were not revoked."""
        if credential is None or not credential.startswith(_KEYS) or revoked:
            return Answer(401, self.failure(401))
        return None

    def unknown(self, method: str, path: str) -> Answer:
        """Say that there is no such address."""
        del method, path
        return Answer(404, self.failure(404))

    def failure(self, status: int) -> dict[str, Any]:
        """Return the error that the service gives with ``status``."""
        return {"error": {"code": _CODES.get(status, "internal_error"), "message": "The request was not carried out."}}

    def subject(self, call: Call) -> str | None:
        """Look into the caller's reference, then into that of the profile."""
        profile = call.store.get(NAME, "profile", call.parts.get("id", "")) or {}
        return subject_of(str(call.values.get("externalReference") or profile.get("externalReference") or ""))
