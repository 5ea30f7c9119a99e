"""Everything there is about one subject, for a person who wants to see it at once: how far it is, each step, each call, each run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlmodel import col, select

from hub.database import transaction
from hub.inbox_tables import PaymentAuditRow
from hub.kinds import KINDS
from hub.money import Money
from hub.notice_views import NoticeView, notices_about
from hub.story import story_of
from hub.tables import AttemptRow, EffectRow, RunRow, SubjectColumns
from hub.values import Frozen

UNDOING = ("refund", "late-refund", "void", "stop-payment", "cancel-payment", "expire-payment", "cancel-pick-ticket", "remove-profile")
"""Steps that take something back."""
Topic = Literal["money", "parcel", "messages", "undoing", "elsewhere"]
_TOPICS: dict[str, Topic] = {
    "stripe": "money",
    "shippo": "parcel",
    "sendgrid": "messages",
    "twilio": "messages",
    "slack": "messages",
    "warehouse": "parcel",
}


class StepTaken(Frozen):
    """What one step has done to the outside: its effect, and how often it was asked for."""

    key: str
    step: str
    topic: Topic
    provider: str
    action: str
    state: str
    reference: str | None
    code: str | None
    delivery: str | None
    money: Money | None
    calls: int
    since: datetime


class Call(Frozen):
    """One request to a provider, or one look; ``words`` are the provider's own, redacted."""

    at: datetime
    effect_key: str
    kind: str
    outcome: str | None
    http_status: int | None
    request_id: str | None
    milliseconds: float | None
    words: str | None


class Run(Frozen):
    """One run that had the subject; ``run_id`` is Prefect's."""

    number: int
    run_id: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    ended_as: str | None


class MoneyMoved(Frozen):
    """One entry of the payment audit log."""

    at: datetime
    operation: str
    money: Money
    reference: str | None


class Happening(Frozen):
    """One line of the story; what a provider told stands in it as ``webhook``."""

    at: datetime
    about: str
    what: str
    detail: str


class Dossier(Frozen):
    """A subject with all that is known of it. ``request`` is what came in, and has personal data; nothing else has."""

    kind: str
    id: str
    status: str
    message: str
    attention: str | None
    attempt: int
    correlation_id: str
    created_at: datetime
    resume_at: datetime | None
    in_hand: bool
    next_action: dict[str, Any] | None
    money: Money | None
    tracking_number: str | None
    request: dict[str, Any]
    steps: tuple[StepTaken, ...]
    calls: tuple[Call, ...]
    runs: tuple[Run, ...]
    audit: tuple[MoneyMoved, ...]
    notices: tuple[NoticeView, ...]
    story: tuple[Happening, ...]

    @property
    def waits(self) -> bool:
        """Tell whether it can be let go on: it needs a person, is parked, or waits for the customer's payment."""
        return self.attention is not None or self.resume_at is not None or self.status == "awaiting_payment"


async def dossier(kind: str, subject_id: str) -> Dossier:
    """
    Return everything there is about the subject.

    Raises:
        NoSuchOrder: It does not exist; each kind has its own error.
    """
    of_effects = (col(EffectRow.subject_kind) == kind, col(EffectRow.subject_id) == subject_id)
    async with transaction() as session:
        row = await session.get(KINDS[kind].row, subject_id)
        if row is None:
            raise KINDS[kind].missing(subject_id)
        effects = list(await session.exec(select(EffectRow).where(*of_effects).order_by(col(EffectRow.created_at))))
        attempts = select(AttemptRow).join(EffectRow, col(AttemptRow.effect_key) == col(EffectRow.key)).where(*of_effects)
        calls = list(await session.exec(attempts.order_by(col(AttemptRow.id))))
        mine = (col(RunRow.subject_kind) == kind, col(RunRow.subject_id) == subject_id)
        runs = list(await session.exec(select(RunRow).where(*mine).order_by(col(RunRow.fence))))
        paid = (col(PaymentAuditRow.subject_kind) == kind, col(PaymentAuditRow.subject_id) == subject_id)
        audit = list(await session.exec(select(PaymentAuditRow).where(*paid).order_by(col(PaymentAuditRow.number))))
    notices = await notices_about(kind, subject_id)
    told = [_told(one) for one in notices]
    story = [Happening(**event.model_dump()) for event in await story_of(subject_id, kind)]
    return Dossier(
        **_as_it_stands(kind, row, in_hand=any(run.ended_at is None for run in runs)),
        steps=tuple(_step(row, [call for call in calls if call.effect_key == row.key]) for row in effects),
        calls=tuple(map(_call, calls)),
        runs=tuple(_run(run) for run in runs),
        audit=tuple(_moved(entry) for entry in audit),
        notices=tuple(notices),
        story=tuple(sorted(story + told, key=lambda one: one.at)),
    )


def _as_it_stands(kind: str, row: SubjectColumns, *, in_hand: bool) -> dict[str, Any]:
    amount, currency = getattr(row, "amount", None), getattr(row, "currency", None)
    names = ("id", "status", "message", "attention", "attempt", "correlation_id", "created_at", "resume_at", "request")
    return {
        **{name: getattr(row, name) for name in names},
        "kind": kind,
        "in_hand": in_hand,
        "next_action": getattr(row, "next_action", None),
        "money": None if amount is None or currency is None else Money(amount=amount, currency=currency),
        "tracking_number": getattr(row, "tracking_number", None),
    }


def _step(row: EffectRow, calls: list[AttemptRow]) -> StepTaken:
    amount, currency = row.request.get("amount"), row.request.get("currency")
    undoes = row.step.partition(".")[0] in UNDOING
    return StepTaken(
        key=row.key,
        step=row.step,
        topic="undoing" if undoes else _TOPICS.get(row.provider, "elsewhere"),
        provider=row.provider,
        action=row.action,
        state=row.state,
        reference=row.reference,
        code=row.code,
        delivery=row.delivery,
        money=Money(amount=amount, currency=currency) if isinstance(amount, int) and isinstance(currency, str) else None,
        calls=sum(call.kind == "call" for call in calls),
        since=row.created_at,
    )


def _call(row: AttemptRow) -> Call:
    took = None if row.ended_at is None else (row.ended_at - row.started_at).total_seconds() * 1000
    return Call(
        at=row.started_at,
        effect_key=row.effect_key,
        kind=row.kind,
        outcome=row.outcome,
        http_status=row.http_status,
        request_id=row.provider_request_id,
        milliseconds=took,
        words=row.provider_text,
    )


def _run(row: RunRow) -> Run:
    facts = {name: getattr(row, name) for name in ("run_id", "attempt", "started_at", "ended_at", "ended_as")}
    return Run(number=row.fence, **facts)


def _moved(row: PaymentAuditRow) -> MoneyMoved:
    money = Money(amount=row.amount, currency=row.currency)
    return MoneyMoved(at=row.at, operation=row.operation, money=money, reference=row.reference)


def _told(notice: NoticeView) -> Happening:
    outcome = f", {notice.outcome}" if notice.outcome else ""
    return Happening(
        at=notice.received_at,
        about="webhook",
        what=f"{notice.provider} told {notice.kind}",
        detail=f"notice {notice.id}, {notice.state}{outcome}",
    )
