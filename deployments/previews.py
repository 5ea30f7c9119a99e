"""How a notification reads: written about the example order, sign-up or release, with example words for what only its step would know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from deployments.examples import EXAMPLE_ORDER, EXAMPLE_RELEASE, EXAMPLE_SIGNUP
from hub.bulletins import Bulletin
from hub.composing import compose
from hub.facets import Facets
from hub.facts import RefundAsked
from hub.messages import Mail
from hub.money import Money
from hub.notification_model import NotificationType
from hub.orders import Order, OrderRequest
from hub.release_facets import ReleaseFacets
from hub.releases import Release, ReleaseRequest
from hub.signup_facets import LENIENT, SignupFacets
from hub.signups import Signup, SignupRequest
from hub.subjects import Subject

PHONE = "+12025550123"
TRACKING_NUMBER = "9205590175547700055711"
BULLETIN = Bulletin(id="b-1", subject_line="What is new", text="There is a lot to tell.\n\nMore of it next month.")
WORDS: dict[str, Any] = {
    "tracking_number": TRACKING_NUMBER,
    "shows": "confirmed",
    "went_wrong": "the card was declined",
    "attempt": 1,
    "refund": RefundAsked(refund_id="r-1", amount=1250, currency="usd", asked=1250, reason="a scratch", by="shop"),
    "who": "<@U012AB3CD>",
    "button": "Refund",
    "until": "2026-11-25 09:00 UTC",
    "why": "rejected by slack:U012AB3CD",
    "refused": False,
    "amount": Money(amount=1250, currency="usd"),
    "reason": "a dispute",
    "bulletin": BULLETIN,
}
_OF_A_RUN: dict[str, Any] = {"hub_id": UUID(int=0), "correlation_id": "preview", "run_id": "preview"}
_AS_HELD = _OF_A_RUN | {"attempt": 1, "epoch": 1, "fence": 1, "due": True}


@dataclass(frozen=True)
class Preview:
    """A notification as it would be read; ``html`` only of a mail, whose ``text`` begins with the subject line."""

    text: str
    html: str | None = None


def preview_of(what: NotificationType) -> Preview:
    """Return how ``what`` reads to the customer of the example order, to the user of the example sign-up, or to the team."""
    message = compose(what, example_of(what.kinds[0]), **WORDS)
    if isinstance(message, Mail):
        return Preview(f"Subject: {message.subject}\n\n{message.text}", message.html)
    return Preview(message.text)


def example_of(kind: str, **changes: Any) -> Subject:
    """Return the example order, sign-up or release as a run would hold it; ``changes`` replace parts of the request."""
    if kind == "order":
        order = OrderRequest.model_validate({**EXAMPLE_ORDER, "customer": {**EXAMPLE_ORDER["customer"], "phone": PHONE}, **changes})
        facets = Facets(amount=order.amount)
        return Order(id="o-1001", request=order, payment_method="pm_card_visa", facets=facets, tracking_number=TRACKING_NUMBER, **_AS_HELD)
    if kind == "release":
        release = ReleaseRequest.model_validate({**EXAMPLE_RELEASE, **changes})
        return Release(id="r-1001", request=release, facets=ReleaseFacets(), **_AS_HELD)
    signup = SignupRequest.model_validate({**EXAMPLE_SIGNUP, **changes})
    return Signup(id="s-1001", request=signup, critical=LENIENT, payment_method="pm_card_visa", facets=SignupFacets(), **_AS_HELD)
