"""Compares what a provider shows with what the ledger says. Pure: it is given both, and asks nobody."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from hub.effects import step_of
from hub.facts import Fact
from hub.money import Money
from hub.parcels import VoidStatus
from hub.payment_meanings import refund_means
from hub.payments import Payment, PaymentStatus, Refund, RefundStatus
from hub.reconciliation.seen import Seen
from hub.settling import HAPPENED
from hub.steps import EffectState, Outcome, Step
from hub.values import Frozen

_MONEY = ("amount", "currency")


class What(StrEnum):
    """In which way the ledger and a provider differ; ``docs/reconciliation.md`` says what each leads to."""

    MISSED = "missed news"
    UNKNOWN_HERE = "nobody knew here"
    BY_HAND = "done by hand"
    OTHER_STATUS = "another status"
    OTHER_MONEY = "another amount"
    OTHER = "something else"
    TWICE = "done twice"
    UNASKED = "nobody asked for it"
    GONE = "gone"
    UNHEARD = "not heard of"


class Known(Frozen):
    """
    What the ledger says of one effect.

    ``in_flight``: a call may still be under way, or a run is at work on it. ``heard``: what the object's state means is a fact here, and
    ``news_heard``: so is what has happened to it since. ``void_known``: the label was asked to go back, or is known to have gone.
    """

    key: str
    subject_kind: str
    subject_id: str
    step: str
    attempt: int
    provider: str
    state: EffectState
    reference: str | None
    request: dict[str, Any]
    in_flight: bool = False
    heard: bool = False
    news_heard: bool = True
    void_known: bool = False

    @property
    def what(self) -> Step:
        """The step's entry in the table of steps."""
        return step_of(self.subject_kind, self.step)

    @property
    def subject(self) -> tuple[str, str]:
        """Whose effect it is, as kind and id."""
        return self.subject_kind, self.subject_id


class Difference(Frozen):
    """
    One thing about which the ledger and a provider differ; ``subject`` is kind and id, None where the ledger has none such.

    ``certain``: what is true is beyond doubt, so the ledger can take it in; ``repaired``: it has. ``drift``: by currency, how many minor
    units more the ledger says we have than the provider, until that is repaired.
    """

    provider: str
    what: What
    reference: str
    subject: tuple[str, str] | None = None
    key: str | None = None
    ledger: str
    there: str
    certain: bool = False
    repaired: bool = False
    drift: dict[str, int] = Field(default_factory=dict)


def compare(seen: Seen, known: Known | None, subject: tuple[str, str] | None = None) -> Difference | None:
    """
    Return how what a provider shows differs from what the ledger says; None where it does not, or nothing can be said yet.

    ``known`` is None where the ledger has nothing of the kind; ``subject`` is then whom the provider's reference names, if there is such.
    """
    if known is None:
        return _differ(What.UNASKED, seen, subject=subject)
    if not isinstance(seen.result, known.what.result):  # a refund that somebody made at the provider, found by its payment
        return None if known.heard else _differ(What.BY_HAND, seen, subject=known.subject, key=known.key, certain=True)
    if known.state is EffectState.PENDING or known.in_flight:
        return None
    says = known.what.means(known.attempt, seen.result)
    if says.state in HAPPENED and known.state in HAPPENED and says.reference != known.reference:
        return _differ(What.TWICE, seen, subject=known.subject, key=known.key)
    if wrong := [name for name, value in seen.asked.items() if known.request.get(name) != value]:
        return _differ(What.OTHER_MONEY if set(wrong) & set(_MONEY) else What.OTHER, seen, known, wrong=wrong)
    return _of_status(seen, known, says) or _since_then(seen, known)


def fact_in(seen: Seen, known: Known) -> Fact | None:
    """Return the fact that the object is; of a refund by hand the one about the payment that ``known`` is."""
    if isinstance(seen.result, Refund):
        return refund_means(known.attempt, seen.result).fact
    return known.what.means(known.attempt, seen.result).fact


def gone(known: Known) -> Difference:
    """Return that what the ledger says was done is not at its provider."""
    return Difference(
        provider=known.provider,
        what=What.GONE,
        reference=known.reference or "",
        subject=known.subject,
        key=known.key,
        ledger=_in_words(known.state, _money_in(known.request)),
        there="there is no such thing",
        drift=_drift(_here(known), {}, given_back=known.what.result is Refund),
    )


def _of_status(seen: Seen, known: Known, says: Outcome) -> Difference | None:
    if known.state in (EffectState.INTENDED, EffectState.UNKNOWN):
        return _differ(What.UNKNOWN_HERE, seen, known, certain=True)
    if known.heard or says.state == known.state or (says.state in HAPPENED and known.state in HAPPENED):
        return None
    late = known.state is EffectState.REFUSED and says.state in HAPPENED and known.reference in (None, says.reference)
    return _differ(What.OTHER_STATUS, seen, known, certain=late)


def _since_then(seen: Seen, known: Known) -> Difference | None:
    """Return what has happened to the object since it was made, and nobody has told us."""
    if seen.voided in (VoidStatus.PENDING, VoidStatus.SUCCEEDED) and not known.void_known:
        return _differ(What.BY_HAND, seen, known, certain=seen.voided is VoidStatus.SUCCEEDED)
    return None if known.news_heard else _differ(What.MISSED, seen, known, certain=True)


def _differ(what: What, seen: Seen, known: Known | None = None, *, wrong: list[str] | None = None, **more: Any) -> Difference:
    """Return the difference; ``known`` is what the ledger says about this very object, ``wrong`` names the fields that are not as asked."""
    here = {} if known is None else {"subject": known.subject, "key": known.key}
    status = seen.news[-1].kind if seen.news else str(seen.voided or getattr(seen.result, "status", None) or "there")
    return Difference(
        provider=seen.provider,
        what=what,
        reference=seen.reference,
        ledger="nothing" if known is None else _in_words(known.state, _money_in(known.request), known.reference),
        there=_in_words(*(f"another {name}" for name in wrong or ()), status, _money_in(seen.asked)),
        drift=_drift({} if known is None else _here(known), _there(seen), given_back=isinstance(seen.result, Refund)),
        **({"key": seen.key} | here | more),
    )


def _in_words(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part is not None)


def _money_in(request: dict[str, Any]) -> Money | None:
    return Money(amount=request["amount"], currency=request["currency"]) if set(_MONEY) <= request.keys() else None


def _here(known: Known) -> dict[str, int]:
    """Return the money that the ledger says has moved, by currency."""
    money = _money_in(known.request)
    return {money.currency: money.amount} if known.state is EffectState.DONE and money is not None else {}


def _there(seen: Seen) -> dict[str, int]:
    """Return the money that has moved at the provider, by currency."""
    money = _money_in(seen.asked)
    moved = isinstance(seen.result, Payment | Refund) and seen.result.status in (PaymentStatus.SUCCEEDED, RefundStatus.SUCCEEDED)
    return {money.currency: money.amount} if moved and money is not None else {}


def _drift(here: dict[str, int], there: dict[str, int], *, given_back: bool) -> dict[str, int]:
    """Return what the ledger has more than the provider; money given back counts the other way."""
    sign = -1 if given_back else 1
    drift = {currency: sign * (here.get(currency, 0) - there.get(currency, 0)) for currency in sorted({*here, *there})}
    return {currency: amount for currency, amount in drift.items() if amount}
