"""Whatever comes back in place of an answer, every verb of every account ends soon, with an error of ours that names the provider."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.github_account import GitHubAccount
from blocks.profile_service import ProfileService
from blocks.provider_account import ProviderAccount
from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.stripe_account import StripeAccount
from blocks.twilio_account import TwilioAccount
from blocks.warehouse import Warehouse
from hub.deploying import DeploymentRequest, MarkRequest
from hub.errors import Misconfigured, OutcomeUnknown
from hub.messages import Mail, MessageUpdate, TeamMessage, TextRequest
from hub.parcels import Address, LabelRequest, ParcelSize, QuoteRequest, VoidRequest
from hub.payments import CancelRequest, PaymentRequest, RefundRequest
from hub.per_loop import close_all
from hub.pick_tickets import PickLine, PickTicket, TicketCancellation
from hub.profiles import ProfileChange, ProfileRemoval, ProfileRequest
from tests.contract.account_kit import CUSTOMER, fails, long_ago
from tests.contract.poisoner import MEGABYTE, POISONS, poisoner

KEY = "3f1c0000-0000-4000-8000-000000000001:order:o-1:step:1"
TIMEOUT_SECONDS = 1.0
ENDS_WITHIN_SECONDS = 3.0
MEMORY_BYTES = 16 * MEGABYTE
Verb = Callable[[Any], Awaitable[Any]]

DESK = Address(name="Bob Builder", street="965 Mission St", city="San Francisco", state="CA", zip="94103", email=CUSTOMER)
SIZE = ParcelSize(length_cm=30, width_cm=20, height_cm=10, weight_g=900)
PAYMENT = PaymentRequest(amount=2999, currency="usd", payment_method="pm_card_visa", description="Order o-1", metadata={"order_id": "o-1"})
REFUND = RefundRequest(payment_id="pi_1", amount=2999, currency="usd", metadata={"order_id": "o-1"})
LABEL = LabelRequest(rate_id="rate_1", reference="h-1:order:o-1")
MAIL = Mail(to_email=CUSTOMER, to_name="Bob Builder", subject="o-1", text="Hello", html="<p>Hello</p>", metadata={"order_id": "o-1"})
TEXT = TextRequest(to="+14155550123", text="Your order o-1 is on its way.")
VOID = VoidRequest(label_id="t_1")
UPDATE = MessageUpdate(channel="C0HUBTEAM", timestamp="1.2", text="Order o-1 is lost.", metadata={"order_id": "o-1"})
MARK = MarkRequest(repository="example/shop", deployment_id=1, state="error", description="Nothing was heard.")
DEPLOYMENT = DeploymentRequest(
    repository="example/shop", ref="main", environment="production", required_contexts=(), description="r-1", metadata={"release_id": "r-1"}
)
NOTE = TeamMessage(channel="C0HUBTEAM", text="Order o-1 is paid.", metadata={"order_id": "o-1"})
NOW = datetime(2026, 11, 22, tzinfo=UTC)
TICKET = PickTicket(order_id="o-1", lines=(PickLine(product_id="p", quantity=1),), tracking_number="1Z", label_url=None, at=NOW)
NO_TICKET = TicketCancellation(order_id="o-1", ticket_id=KEY, at=NOW)
USER = ProfileRequest(email=CUSTOMER, full_name="Bob Builder")


@dataclass(frozen=True)
class Called:
    """One verb of an account: what it is called with, and the status of a good answer to it."""

    account: Callable[[str], ProviderAccount]
    verb: Verb
    good: int = 200


def stripe(url: str) -> StripeAccount:
    return StripeAccount(api_key="sk_test_rehearsal_poison", base_url=f"{url}/stripe", timeout_seconds=TIMEOUT_SECONDS)


def shippo(url: str) -> ShippoAccount:
    return ShippoAccount(api_key="shippo_test_rehearsal_poison", base_url=f"{url}/shippo", timeout_seconds=TIMEOUT_SECONDS)


def sendgrid(url: str) -> SendGridAccount:
    key, sender = "SG.rehearsal.poison", "orders@example.com"
    return SendGridAccount(api_key=key, base_url=f"{url}/sendgrid", from_email=sender, timeout_seconds=TIMEOUT_SECONDS)


def slack(url: str) -> SlackAccount:
    return SlackAccount(api_key="xoxb-rehearsal-poison", base_url=f"{url}/slack/api", timeout_seconds=TIMEOUT_SECONDS)


def twilio(url: str) -> TwilioAccount:
    who = {"account_sid": "AC" + "0a" * 16, "from_number": "+15005550006"}
    return TwilioAccount(api_key="rehearsal_poison", base_url=f"{url}/twilio", timeout_seconds=TIMEOUT_SECONDS, **who)


def github(url: str) -> GitHubAccount:
    return GitHubAccount(api_key="github_pat_rehearsal_poison", base_url=f"{url}/github", timeout_seconds=TIMEOUT_SECONDS)


def profiles(url: str) -> ProfileService:
    return ProfileService(api_key="profiles_rehearsal_poison", base_url=url, timeout_seconds=TIMEOUT_SECONDS)


def warehouse(url: str) -> Warehouse:
    return Warehouse(api_key="whsec_cmVoZWFyc2Fs", base_url=f"{url}/warehouse", timeout_seconds=TIMEOUT_SECONDS)


CALLS = {
    "charge": Called(stripe, lambda account: account.take_payment(PAYMENT, key=KEY)),
    "look for the charge": Called(stripe, lambda account: account.find_payment(PAYMENT, key=KEY, since=long_ago())),
    "call the charge off": Called(stripe, lambda account: account.cancel_payment(CancelRequest(payment_id="pi_1"), key=KEY)),
    "refund": Called(stripe, lambda account: account.refund_payment(REFUND, key=KEY)),
    "look for the refund": Called(stripe, lambda account: account.find_refund(REFUND, key=KEY, since=long_ago())),
    "quote": Called(shippo, lambda account: account.quote(QuoteRequest(sender=DESK, recipient=DESK, parcel=SIZE, reference="r"), key=KEY)),
    "label": Called(shippo, lambda account: account.buy_label(LABEL, key=KEY), 201),
    "look for the label": Called(shippo, lambda account: account.find_label(LABEL, key=KEY, since=long_ago())),
    "give the label back": Called(shippo, lambda account: account.void_label(VOID, key=KEY), 201),
    "look for the label given back": Called(shippo, lambda account: account.find_void(VOID, key=KEY, since=long_ago())),
    "mail": Called(sendgrid, lambda account: account.send_mail(MAIL, key=KEY), 202),
    "text": Called(twilio, lambda account: account.send_text(TEXT, key=KEY), 201),
    "look for the text": Called(twilio, lambda account: account.find_text(TEXT, key=KEY, since=long_ago())),
    "tell the team": Called(slack, lambda account: account.post_message(NOTE, key=KEY)),
    "look for the message": Called(slack, lambda account: account.find_message(NOTE, key=KEY, since=long_ago())),
    "change the message": Called(slack, lambda account: account.update_message(UPDATE, key=KEY)),
    "deployment": Called(github, lambda account: account.create_deployment(DEPLOYMENT, key=KEY), 201),
    "look for the deployment": Called(github, lambda account: account.find_deployment(DEPLOYMENT, key=KEY, since=long_ago())),
    "mark": Called(github, lambda account: account.mark_deployment(MARK, key=KEY), 201),
    "look for the mark": Called(github, lambda account: account.find_mark(MARK, key=KEY, since=long_ago())),
    "pick ticket": Called(warehouse, lambda account: account.send_pick_ticket(TICKET, key=KEY), 202),
    "look for the pick ticket": Called(warehouse, lambda account: account.find_pick_ticket(TICKET, key=KEY, since=long_ago())),
    "cancel the pick ticket": Called(warehouse, lambda account: account.cancel_pick_ticket(NO_TICKET, key=KEY), 202),
    "profile": Called(profiles, lambda account: account.create_profile(USER, key=KEY), 201),
    "look for the profile": Called(profiles, lambda account: account.find_profile(USER, key=KEY, since=long_ago())),
    "change the profile": Called(profiles, lambda account: account.update_profile(ProfileChange(profile_id="u_1", status="x"), key=KEY)),
    "remove the profile": Called(profiles, lambda account: account.delete_profile(ProfileRemoval(profile_id="u_1"), key=KEY)),
}


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("called", CALLS)
async def test_no_answer_is_poison_enough(called: str, poison: str) -> None:
    call = CALLS[called]
    async with poisoner(POISONS[poison]) as poisoned:
        account = call.account(poisoned.url)
        statuses = (
            {call.good: OutcomeUnknown} if POISONS[poison].lost else {call.good: OutcomeUnknown, 500: OutcomeUnknown, 400: Misconfigured}
        )
        for times, (poisoned.status, kind) in enumerate(statuses.items(), 1):
            began = time.monotonic()
            with at_most(MEMORY_BYTES):
                error = await fails(lambda: call.verb(account), kind)

            assert str(error).startswith(f"{account.provider} could not ")
            assert time.monotonic() - began < ENDS_WITHIN_SECONDS
            assert poisoned.asked == times, "nothing is repeated below the ledger"
        await close_all()  # the clients of this poisoner's address


@contextmanager
def at_most(memory: int) -> Iterator[None]:
    """Check that the block never holds more bytes than that."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < memory
    finally:
        tracemalloc.stop()
