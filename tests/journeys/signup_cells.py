"""The cells of the sign-up matrix: what goes wrong where, pair by pair, and what must come of it, said without the code under test."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any

from deployments.examples import EXAMPLE_SIGNUP
from tests.contract.sandbox_process import SandboxControl

TROUBLES = ("ok", "refused", "unavailable", "unknown")
FACTORS: dict[str, tuple[str, ...]] = {
    "payment": (*TROUBLES, "not asked"),
    "welcome": TROUBLES,
    "confirmation": TROUBLES,
    "mails": ("wanted", "unwanted"),
    "text": (*TROUBLES, "unwanted", "no phone"),
    "records": ("ok", "fail"),
    "critical": ("profile", "payment"),
}
NO_RECORDS = "norec"
"""Part of the ids whose records a trigger rejects."""
EMAIL_TAKEN = {"error": {"code": "email_taken", "message": "Taken.", "existingId": "usr_somebody"}}
NO_SUCH_RECIPIENT = {"errors": [{"message": "no", "field": "personalizations.0.to.0.email", "help": None}]}
UNSUBSCRIBED = "+15005550004"


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination. ``number`` makes its id, its mail address and its phone number."""

    number: int
    values: dict[str, str]

    def __getitem__(self, factor: str) -> str:
        return self.values[factor]

    @property
    def id(self) -> str:
        return f"cell-{self.number}{'-' + NO_RECORDS if self['records'] == 'fail' else ''}"

    @property
    def phone(self) -> str | None:
        if self["text"] == "no phone":
            return None
        return UNSUBSCRIBED if self["text"] == "refused" else f"+1202555{self.number:04}"

    @property
    def request(self) -> dict[str, Any]:
        method = "pm_card_chargeDeclined" if self["payment"] == "refused" else "credit_card"
        payment = {} if self["payment"] == "not asked" else {"initialPayment": {"amount": 29.99, "paymentMethod": method}}
        preferences = {"email_notifications": self["mails"] == "wanted", "sms_notifications": self["text"] != "unwanted"}
        person = {"email": f"{self.id}@example.com", "fullName": EXAMPLE_SIGNUP["fullName"], "preferences": preferences}
        return {**person, **payment} | ({"phoneNumber": self.phone} if self.phone else {})


def cells() -> list[Cell]:
    """Every pair of values with a profile; without one, every trouble of the profile beside everything that could be asked for."""
    found = [{"profile": "ok", **row} for row in pairwise(FACTORS)]
    without = itertools.product(TROUBLES[1:], ("ok", "not asked"), ("ok", "unwanted"), ("ok", "fail"))
    for profile, payment, text, records in without:
        row = {"payment": payment, "welcome": "ok", "confirmation": "ok", "mails": "wanted", "text": text}
        found.append({"profile": profile, **row, "records": records, "critical": "profile"})
    return [Cell(number, row) for number, row in enumerate(found)]


def pairwise(factors: dict[str, tuple[str, ...]]) -> list[dict[str, str]]:
    """Return rows in which every pair of values of two factors occurs; greedy, and always the same."""
    names = list(factors)
    missing = {((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x, y in itertools.product(factors[a], factors[b])}
    rows = []
    while missing:
        (a, x), (b, y) = min(missing)
        row = {a: x, b: y}
        for name in names:
            if name not in row:
                row[name] = max(factors[name], key=lambda value, name=name: len(_pairs(names, {**row, name: value}) & missing))
        missing -= _pairs(names, row)
        rows.append(row)
    return rows


def _pairs(names: list[str], row: dict[str, str]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    chosen = [(name, row[name]) for name in names if name in row]
    return set(itertools.combinations(chosen, 2))


async def make_trouble(sandbox: SandboxControl, cell: Cell) -> None:
    """Order what goes wrong for this sign-up and nobody else."""
    mine = {"subject": cell.id}
    calls: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
        (cell["profile"], "profiles", "create profile", {"match": mine}, {"status": 409, "body": EMAIL_TAKEN}),
        (cell["payment"], "stripe", "create payment", {"match": mine}, {}),
        (cell["welcome"], "sendgrid", "send mail", {"match": {**mine, "containing": "welcome-mail"}}, _NO_ADDRESS),
        (cell["confirmation"], "sendgrid", "send mail", {"match": {**mine, "containing": "payment-mail"}}, _NO_ADDRESS),
        (cell["text"], "twilio", "send text", {"match": mine}, {}),
    ]
    for trouble, provider, operation, where, refusal in calls:
        match trouble:
            case "refused" if refusal:
                await sandbox.fault(provider, operation, "status", times=None, **where, **refusal)
            case "unavailable":
                await sandbox.fault(provider, operation, "status", times=None, status=429, **where)
            case "unknown":
                await sandbox.fault(provider, operation, "drop", times=None, **where)
    if cell["profile"] == "unknown":
        await sandbox.fault("profiles", "find profiles", "status", times=None, status=500, match=mine)
    if cell["text"] == "unknown":
        await sandbox.fault("twilio", "list texts", "status", times=None, status=500, match={"containing": cell.phone})


_NO_ADDRESS = {"status": 400, "body": NO_SUCH_RECIPIENT}


@dataclass(frozen=True)
class Outcome:
    """What came of a sign-up, or should."""

    status: str
    flags: tuple[bool, bool]
    told: frozenset[tuple[str, str]]
    errors: tuple[str, ...]
    seen: Counter[str]
    steps: frozenset[str]


_WORDS = {"refused": "refused it ({code})", "unavailable": "unavailable", "unknown": "timeout"}
_RECORDS_FAILED = "Failed to record the registration: Database unavailable"


def expected(cell: Cell) -> Outcome:
    """Say what the business wants of this combination."""
    records = (_RECORDS_FAILED,) if cell["records"] == "fail" else ()
    if cell["profile"] != "ok":
        failed = _words("create profile", "Profile service", cell["profile"], "email_taken")
        return Outcome("FAILED", (False, False), frozenset(), (failed, *records), Counter(), frozenset({"profile"}))
    seen, steps, errors, told = Counter({"profiles.profile": 1}), {"profile"}, [], set()
    strict = cell["critical"] == "payment"
    paid = cell["payment"] in ("ok", "not asked")
    if cell["payment"] != "not asked":
        steps.add("payment")
        if cell["payment"] == "ok":
            seen["stripe.charge"] = 1
        elif cell["payment"] == "unknown":
            errors.append("Failed to process payment: Payment gateway timeout; it was not made")
        else:
            errors.append(_words("process payment", "Payment gateway", cell["payment"], "generic_decline"))
    if strict and not paid:
        removed = "Failed to create profile: It was taken back, because a critical step failed"
        seen["profiles.removal"] = 1
        return Outcome("FAILED", (False, False), frozenset(), (removed, *errors, *records), seen, frozenset(steps | {"remove-profile"}))
    wanted = {"welcome": cell["mails"] == "wanted", "confirmation": cell["mails"] == "wanted" and cell["payment"] == "ok"}
    for notification, step, kind, which in (
        ("welcome", "welcome-mail", "welcome", " (welcome mail)"),
        ("confirmation", "payment-mail", "payment_confirmation", " (payment confirmation)"),
    ):
        if not wanted[notification]:
            continue
        steps.add(step)
        if cell[notification] == "ok":
            told.add((kind, "mail"))
            seen["sendgrid.mail"] += 1
        else:
            errors.append(_words("send notifications", "Mail service", cell[notification], "invalid_recipient") + which)
        if cell[notification] == "refused" and cell["text"] in TROUBLES:  # the user has a phone and wants texts
            steps.add(f"text.{step}")
            seen["twilio.text"] += cell["text"] == "ok"
    if cell["text"] in TROUBLES:
        steps.add("verification-text")
        if cell["text"] == "ok":
            told.add(("verification", "sms"))
            seen["twilio.text"] += 1
        else:
            errors.append(_words("send notifications", "SMS service", cell["text"], "21610"))
    status = "PARTIAL" if errors or records else "COMPLETE"
    return Outcome(status, (True, cell["payment"] == "ok"), frozenset(told), (*errors, *records), +seen, frozenset(steps))


def _words(task: str, service: str, trouble: str, code: str) -> str:
    return f"Failed to {task}: {service} {_WORDS[trouble].format(code=code)}"
