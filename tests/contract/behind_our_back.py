"""What people and programs do at a provider without a word to the hub; each deed says which difference that makes, and tells nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from hub.database import transaction
from hub.messages import TeamMessage, TextRequest
from hub.parcels import LabelRequest, VoidRequest
from hub.payments import PaymentRequest
from hub.reconciliation.comparing import What
from hub.subject_rows import hub_identity
from tests.contract.ledger_kit import row_of
from tests.contract.reconciling_kit import Market, effect

Planted = set[tuple[str, What, str]]
"""Provider, way, and the provider's id."""
Deed = Callable[[Market, str], Awaitable[Planted]]
AMOUNT = 10_000
"""What an order of the examples costs."""
ANOTHER_HUB = UUID("3f1c0000-0000-4000-8000-0000000000ff")


async def a_charge_is_inserted(market: Market, order_id: str) -> Planted:
    hub_id, new = await my_hub(), f"pi_inserted_{order_id}"
    metadata = {"hub_id": str(hub_id), "order_id": order_id, "effect": f"{hub_id}:order:{order_id}:payment:7"}
    await market.sandbox.tamper("stripe", "payment_intent", new, like=await payment_of(order_id), id=new, metadata=metadata)
    return {("stripe", What.UNASKED, new)}


async def a_charge_is_doubled(market: Market, order_id: str) -> Planted:
    new = f"pi_doubled_{order_id}"
    await market.sandbox.tamper("stripe", "payment_intent", new, like=await payment_of(order_id), id=new)
    return {("stripe", What.TWICE, new)}


async def a_charge_is_removed(market: Market, order_id: str) -> Planted:
    await market.sandbox.take_away("stripe", "payment_intent", payment_id := await payment_of(order_id))
    return {("stripe", What.GONE, payment_id)}


async def a_charge_is_changed(market: Market, order_id: str) -> Planted:
    changes = {"amount": AMOUNT - 1, "amount_received": AMOUNT - 1}
    await market.sandbox.tamper("stripe", "payment_intent", payment_id := await payment_of(order_id), **changes)
    return {("stripe", What.OTHER_MONEY, payment_id)}


async def money_is_given_back(market: Market, order_id: str) -> Planted:
    await market.sandbox.world(f"stripe/payments/{await payment_of(order_id)}/refund", amount=1_000)
    return {("stripe", What.MISSED, event["id"]) for event in (await market.sandbox.objects("stripe", "event"))[:2]}


async def money_is_given_back_and_stripe_keeps_no_event(market: Market, order_id: str) -> Planted:
    refund = await market.sandbox.world(f"stripe/payments/{await payment_of(order_id)}/refund", amount=500)
    for event in (await market.sandbox.objects("stripe", "event"))[:2]:
        await market.sandbox.take_away("stripe", "event", event["id"])
    return {("stripe", What.BY_HAND, refund["id"])}


async def a_label_is_given_back(market: Market, order_id: str) -> Planted:
    label_id = (await effect(order_id, "label")).reference or ""
    await market.shop.shippo.void_label(VoidRequest(label_id=label_id), key="by hand")
    return {("shippo", What.BY_HAND, label_id)}


async def a_label_is_bought_again(market: Market, order_id: str) -> Planted:
    first = await effect(order_id, "label")
    second = await market.shop.shippo.buy_label(LabelRequest.model_validate(first.request), key="by hand")
    return {("shippo", What.TWICE, second.label_id)}


async def a_label_is_removed(market: Market, order_id: str) -> Planted:
    await market.sandbox.take_away("shippo", "transaction", label_id := (await effect(order_id, "label")).reference or "")
    return {("shippo", What.GONE, label_id)}


async def the_team_is_told_again(market: Market, order_id: str) -> Planted:
    team = await effect(order_id, "team")
    extra = await market.shop.slack.post_message(TeamMessage.model_validate(team.request), key=f"{await my_hub()}:{team.key}")
    return {("slack", What.TWICE, extra.timestamp)}


async def a_message_is_deleted(market: Market, order_id: str) -> Planted:
    team = await effect(order_id, "team")
    await market.sandbox.take_away("slack", "message", f"{team.request['channel']}:{team.reference}")
    return {("slack", What.GONE, team.reference or "")}


async def the_customer_is_texted_again(market: Market, order_id: str) -> Planted:
    text = await effect(order_id, "text.mail")
    request = TextRequest.model_validate(text.request | {"status_callback": None})
    again = await market.shop.twilio.send_text(request, key=f"{await my_hub()}:{text.key}")
    return {("twilio", What.TWICE, again.sid)}


async def a_deployment_goes_elsewhere(market: Market, release_id: str) -> Planted:
    deployment_id = (await effect(release_id, "deployment")).reference or ""
    await market.sandbox.tamper("github", "deployment", deployment_id, environment="staging")
    return {("github", What.OTHER, deployment_id)}


async def a_deployment_goes_on(market: Market, release_id: str) -> Planted:
    deployment_id = (await effect(release_id, "deployment")).reference or ""
    await market.sandbox.world(f"github/deployments/{deployment_id}", state="success")
    return {("github", What.MISSED, deployment_id)}


CHARGES = (a_charge_is_inserted, a_charge_is_doubled, a_charge_is_removed, a_charge_is_changed)
REFUNDS = (money_is_given_back, money_is_given_back_and_stripe_keeps_no_event)
LABELS = (a_label_is_given_back, a_label_is_bought_again, a_label_is_removed)
MESSAGES = (the_team_is_told_again, a_message_is_deleted)
REPAIRED = {*REFUNDS, a_label_is_given_back, a_deployment_goes_on}
CALLS = {*CHARGES, *LABELS}
"""After these a person looks."""


async def others_are_busy(market: Market) -> None:
    """Another hub and another system do things in the same accounts, and a customer sends our own words back."""
    metadata = {"hub_id": str(ANOTHER_HUB)}
    for key in (f"{ANOTHER_HUB}:order:o-1:payment:1", "somebody's own"):
        payment = PaymentRequest(amount=100, currency="usd", payment_method="pm_card_visa", description="", metadata=metadata)
        await market.shop.stripe.take_payment(payment, key=key)
        await market.shop.slack.post_message(TeamMessage(channel="C0HUBTEAM", text="Lunch?", metadata=metadata), key=key)
        await market.shop.twilio.send_text(TextRequest(to="+14155550199", text="Hello"), key=key)
    texts = await market.sandbox.objects("twilio", "message")
    ours = next(text for text in texts if text["status"] == "delivered")
    sid = f"SM{ours['sid'][2:][::-1]}"
    await market.sandbox.tamper("twilio", "message", sid, like=ours["sid"], sid=sid, direction="inbound")


async def my_hub() -> UUID:
    async with transaction() as session:
        return (await hub_identity(session)).hub_id


async def payment_of(order_id: str) -> str:
    return (await row_of(order_id)).payment_id or ""
