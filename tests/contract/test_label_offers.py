"""A carrier that sells us no label is followed by the next best one, under a step of its own; and there is never more than one label."""

from __future__ import annotations

import pytest
import pytest_asyncio

from hub.beginning import begin
from hub.begun import Ask
from hub.errors import OutcomeUnknown, Refused
from hub.facets import ParcelFacet, Status
from hub.labels import LABELS, label_effects
from hub.orders import Order
from hub.parcels import Quote
from hub.story import story_of
from tests.contract.ledger_kit import Shop, effect_of, facts_of, outcomes_of, placed, row_of, run, run_of_a_new_order, sql, time_passes
from tests.contract.notice_kit import handled, label_told, told
from tests.contract.process_kit import accounts_of, rests

NO_UPS, NO_LABEL = "00001", "00000"
UNREGISTERED = [{"source": "UPS", "code": "ups_registration_error", "text": "not registered"}]
REFUSAL = {"object_id": "t_refused", "status": "ERROR", "rate": "r_1", "messages": UNREGISTERED}


@pytest_asyncio.fixture(loop_scope="session")
async def shop(shop: Shop) -> Shop:
    await sql("DELETE FROM notices")
    return shop


async def states(order: Order, quote: Quote) -> dict[str, str]:
    return {effect.step: (await effect_of(effect)).state for effect in label_effects(order, quote)[:2]}


async def test_a_carrier_that_sells_us_nothing_is_followed_by_the_next_best_one(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order, NO_UPS)
        label = await shop.best_label(order, quote)

    assert [rate.carrier for rate in quote.offers] == ["UPS", "USPS", "FedEx"]
    assert await states(order, quote) == {"label": "refused", "label.2": "done"}
    assert await shop.sandbox.count("shippo", "label", order.id) == 1
    row = await row_of(order.id)
    assert (row.parcel, row.tracking_number, row.message) == (ParcelFacet.LABELLED, label.tracking_number, "paid, and the label is bought")
    said = [event.what for event in await story_of(order.id) if event.about == "fact"]
    assert said[-2:] == ["rate refused", "label bought"]


async def test_the_second_offer_is_bought_once_however_often_the_order_runs(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order, NO_UPS)
        label = await shop.best_label(order, quote)
    async with run(order.id) as again:
        assert await shop.best_label(again, quote) == label

    assert len(await shop.sandbox.requests("shippo", "buy label")) == 2


async def test_a_carrier_is_asked_for_its_cheapest_rate_only() -> None:
    def rate(carrier: str, amount: int) -> dict[str, object]:
        return {"rate_id": f"r_{carrier}_{amount}", "carrier": carrier, "service": "", "amount": amount, "currency": "usd"}

    rates = [rate("UPS", 1), rate("UPS", 2), rate("USPS", 3), rate("UPS", 4), rate("USPS", 5)]
    quote = Quote.model_validate({"shipment_id": "s_1", "rates": rates})

    assert [offer.amount for offer in quote.offers] == [1, 3]


async def test_when_no_carrier_sells_a_label_the_order_is_refused_after_the_third(shop: Shop) -> None:
    await shop.sandbox.fault("shippo", "buy label", "garbage", times=3, status=201, body=REFUSAL)
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order, NO_UPS)
        with pytest.raises(Refused, match="ups_registration_error"):
            await shop.best_label(order, quote)
        with pytest.raises(Refused, match="refused before"):
            await shop.best_label(order, quote)

    assert len(await shop.sandbox.requests("shippo", "buy label")) == len(LABELS)
    assert await shop.sandbox.count("shippo", "label", order.id) == 0
    row = await row_of(order.id)
    assert (row.parcel, row.status) == (ParcelFacet.REFUSED, Status.PAID), "undoing it is the run's decision"


@pytest.mark.parametrize("before", [0, 1], ids=["at once", "by the second carrier"])
async def test_an_address_that_is_refused_is_tried_with_no_other_carrier(shop: Shop, before: int) -> None:
    if before:
        await shop.sandbox.fault("shippo", "buy label", "garbage", status=201, body=REFUSAL)
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order, NO_LABEL)
        with pytest.raises(Refused, match="failed_address_validation"):
            await shop.best_label(order, quote)

    assert len(await shop.sandbox.requests("shippo", "buy label")) == before + 1
    assert (await row_of(order.id)).parcel == ParcelFacet.REFUSED


async def test_what_came_of_the_first_offer_is_found_out_before_the_second_is_tried(shop: Shop) -> None:
    """Its label was bought, and the answer lost."""
    await shop.sandbox.fault("shippo", "buy label", "drop", when="after")
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order)
        with pytest.raises(OutcomeUnknown):
            await shop.best_label(order, quote)
        first = label_effects(order, quote)[0]
        await time_passes(first, 10)
        label = await shop.best_label(order, quote)

    assert (await effect_of(first)).reference == label.label_id
    assert await outcomes_of(first) == ["found"]
    assert await shop.sandbox.count("shippo", "label", order.id) == 1


async def test_a_refusal_that_only_the_webhook_told_leads_to_the_next_carrier(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        quote = await shop.until_offered(order, NO_UPS)
        assert isinstance(await begin(label_effects(order, quote)[0], shop.shippo.terms), Ask)

    await handled(label_told(order, "label", "ERROR", messages=UNREGISTERED))

    assert (await row_of(order.id)).parcel == ParcelFacet.NONE
    async with run(order.id) as again:
        await shop.best_label(again, quote)
    assert await states(order, quote) == {"label": "refused", "label.2": "done"}
    assert len(await shop.sandbox.requests("shippo", "buy label")) == 1


async def test_a_parcel_is_followed_by_whichever_label_it_carries(shop: Shop) -> None:
    async with run_of_a_new_order() as order:
        label = await shop.best_label(order, await shop.until_offered(order, NO_UPS))
    reference = f"{order.hub_id.hex[:12]}:{order.effect_key('label.2')}"
    for status, named in (("TRANSIT", {"metadata": reference}), ("DELIVERED", {"transaction": label.label_id})):
        parcel = {"tracking_number": label.tracking_number, "tracking_status": {"status": status}, **named}
        assert (await handled(told("shippo", "track_updated", {"event": "track_updated", "data": parcel}))).by_state == {"handled": 1}

    assert (await row_of(order.id)).parcel == ParcelFacet.DELIVERED
    assert [fact.kind for fact in await facts_of(order.id)][-2:] == ["in transit", "delivered"]


@pytest.mark.parametrize(("refusals", "status", "labels"), [(1, Status.CONFIRMED, 1), (2, Status.CONFIRMED, 1), (3, Status.REFUNDED, 0)])
async def test_an_order_is_confirmed_by_any_carrier_and_refunded_when_there_is_none(
    shop: Shop, refusals: int, status: Status, labels: int
) -> None:
    await shop.sandbox.fault("shippo", "buy label", "garbage", times=refusals, status=201, body=REFUSAL)
    with accounts_of(shop):
        order_id = await placed()
        row = await rests(order_id)

    assert row.status == status
    assert await shop.sandbox.count("shippo", "label", order_id) == labels
    assert await shop.sandbox.count("stripe", "refund", order_id) == 1 - labels
