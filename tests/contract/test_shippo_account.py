from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from blocks.shippo_account import ShippoAccount
from hub.errors import Misconfigured, OutcomeUnknown, Refused
from hub.exchange import Exchange, exchanging
from hub.parcels import Address, LabelRequest, ParcelSize, PickupRequest, QuoteRequest, VoidRequest, VoidStatus
from tests.contract.account_kit import (
    CUSTOMER,
    TROUBLES,
    Trouble,
    fails,
    keeps_the_send_window,
    long_ago,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.ledger_kit import until
from tests.contract.sandbox_process import Sandbox

KEY = "shippo_test_rehearsal_shippo"


@pytest_asyncio.fixture(loop_scope="session")
async def shippo(sandbox: Sandbox) -> ShippoAccount:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, key: str = KEY, timeout_seconds: float = 5) -> ShippoAccount:
    return ShippoAccount(api_key=key, base_url=f"{url}/shippo", timeout_seconds=timeout_seconds)


def a_parcel(**changes: Any) -> QuoteRequest:
    sender = Address(name="Warehouse", street="1 Dock Rd", city="Oakland", state="CA", zip="94607")
    recipient = {
        "name": "Bob Builder",
        "street": "965 Mission St",
        "city": "San Francisco",
        "state": "CA",
        "zip": "94103",
        "email": CUSTOMER,
    }
    return QuoteRequest(
        sender=sender,
        recipient=Address(**{**recipient, **changes}),
        parcel=ParcelSize(length_cm=30, width_cm=20, height_cm=10, weight_g=900),
        reference="h-1:order:o-1",
    )


async def a_label(shippo: ShippoAccount, **changes: Any) -> LabelRequest:
    quote = await shippo.quote(a_parcel(**changes), key="q")
    return LabelRequest(rate_id=quote.rates[0].rate_id, reference="h-1:order:o-1")


async def test_a_quote_is_sorted_cheapest_first_in_minor_units(shippo: ShippoAccount) -> None:
    quote = await shippo.quote(a_parcel(), key="q")

    amounts = [rate.amount for rate in quote.rates]
    assert amounts == sorted(amounts)
    assert all(amount > 100 for amount in amounts)
    assert {rate.currency for rate in quote.rates} == {"usd"}
    assert all(rate.carrier and rate.service for rate in quote.rates)


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units"), [("7.1", "USD", 710), ("0.07", "USD", 7), ("1200", "JPY", 1200), ("1.005", "KWD", 1005)]
)
async def test_a_price_is_exact(sandbox: Sandbox, shippo: ShippoAccount, amount: str, currency: str, minor_units: int) -> None:
    await sandbox.fault("shippo", "create shipment", "garbage", status=201, body=a_shipment(amount, currency))

    [rate] = (await shippo.quote(a_parcel(), key="q")).rates

    assert (rate.amount, rate.currency) == (minor_units, currency.lower())


@pytest.mark.parametrize(("amount", "currency"), [("7.123", "USD"), ("12.5", "JPY"), ("cheap", "USD"), ("7.10", "???"), (7.1, "USD")])
async def test_a_price_that_is_none_is_not_believed(sandbox: Sandbox, shippo: ShippoAccount, amount: Any, currency: str) -> None:
    await sandbox.fault("shippo", "create shipment", "garbage", status=201, body=a_shipment(amount, currency))

    await fails(lambda: shippo.quote(a_parcel(), key="q"), OutcomeUnknown)


def a_shipment(amount: Any, currency: str) -> dict[str, Any]:
    rate = {"object_id": "r-1", "amount": amount, "currency": currency, "provider": "USPS", "servicelevel": {"name": "Priority"}}
    return {"object_id": "s-1", "status": "SUCCESS", "rates": [rate]}


async def test_a_place_that_nobody_carries_to_is_a_refusal(shippo: ShippoAccount) -> None:
    refusal = await fails(lambda: shippo.quote(a_parcel(zip="99999"), key="q"), Refused)

    assert isinstance(refusal, Refused)
    assert refusal.code == "no_rates"
    assert refusal.reference


async def test_a_recipients_address_that_is_not_accepted_is_a_refusal(shippo: ShippoAccount) -> None:
    exchange = Exchange()
    refusal = await fails(lambda: shippo.quote(a_parcel(zip=""), key="q"), Refused, exchange)

    assert isinstance(refusal, Refused)
    assert refusal.code == "invalid_address"
    assert exchange.provider_text is not None
    assert "required" in exchange.provider_text


async def test_our_own_address_that_is_not_accepted_is_for_an_operator(shippo: ShippoAccount) -> None:
    parcel = a_parcel()
    wrong = parcel.model_copy(update={"sender": parcel.sender.model_copy(update={"street": ""})})

    await fails(lambda: shippo.quote(wrong, key="q"), Misconfigured)


async def test_a_label_is_bought_and_found_by_its_rate(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    request = await a_label(shippo)
    assert await shippo.find_label(request, key="k", since=long_ago()) is None

    label = await shippo.buy_label(request, key="k")

    assert label.tracking_number
    assert label.label_url
    assert await shippo.find_label(request, key="k", since=long_ago()) == label
    assert await shippo.find_label(await a_label(shippo), key="k", since=long_ago()) is None
    assert await sandbox.count("shippo", "label") == 1


async def test_a_label_that_the_carrier_refuses_is_a_refusal(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    request = await a_label(shippo, zip="00000")
    exchange = Exchange()
    refusal = await fails(lambda: shippo.buy_label(request, key="k"), Refused, exchange)

    assert isinstance(refusal, Refused)
    assert refusal.code == "failed_address_validation"
    assert exchange.http_status == 201
    assert exchange.provider_text is not None
    assert await shippo.find_label(request, key="k", since=long_ago()) is None
    assert await sandbox.count("shippo", "label") == 0


@pytest.mark.parametrize("messages", [[{"code": "carrier_account_suspended", "text": "…"}], [], None], ids=["unlisted", "empty", "none"])
async def test_a_failed_purchase_without_a_listed_code_is_for_an_operator(sandbox: Sandbox, shippo: ShippoAccount, messages: Any) -> None:
    request = await a_label(shippo)
    failed = {"object_id": "t-1", "status": "ERROR", "rate": request.rate_id, "messages": messages}
    await sandbox.fault("shippo", "buy label", "garbage", status=201, body=failed)

    await fails(lambda: shippo.buy_label(request, key="k"), Misconfigured)


@pytest.mark.parametrize("status", ["QUEUED", "WAITING", "SOMETHING_NEW"])
async def test_a_label_that_is_still_being_made_leaves_the_outcome_open(sandbox: Sandbox, shippo: ShippoAccount, status: str) -> None:
    request = await a_label(shippo)
    unfinished = {"object_id": "t-1", "status": status, "rate": request.rate_id, "messages": []}
    await sandbox.fault("shippo", "buy label", "garbage", status=201, body=unfinished)
    await sandbox.fault("shippo", "list labels", "garbage", body={"next": None, "results": [unfinished]})

    await fails(lambda: shippo.buy_label(request, key="k"), OutcomeUnknown)
    await fails(lambda: shippo.find_label(request, key="k", since=long_ago()), OutcomeUnknown)


@pytest.mark.parametrize("status", ["REFUNDED", "REFUNDPENDING", "REFUNDREJECTED"])
async def test_a_label_that_was_given_back_was_bought(sandbox: Sandbox, shippo: ShippoAccount, status: str) -> None:
    request = await a_label(shippo)
    returned = {"object_id": "t-1", "status": status, "rate": {"object_id": request.rate_id}, "tracking_number": "9205"}
    await sandbox.fault("shippo", "list labels", "garbage", body={"next": None, "results": [returned]})

    label = await shippo.find_label(request, key="k", since=long_ago())

    assert label is not None
    assert label.tracking_number == "9205"


async def test_a_label_of_another_rate_is_not_ours_even_if_shippo_lists_it(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    request = await a_label(shippo)
    foreign = {"object_id": "t-1", "status": "SUCCESS", "rate": "another", "tracking_number": "9205"}
    await sandbox.fault("shippo", "list labels", "garbage", body={"next": "page 2", "results": [foreign]})
    await sandbox.fault("shippo", "list labels", "garbage", body={"next": None, "results": []})

    assert await shippo.find_label(request, key="k", since=long_ago()) is None


async def test_a_list_without_end_leaves_the_outcome_open(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    request = await a_label(shippo)
    await sandbox.fault("shippo", "list labels", "garbage", times=None, body={"next": "another page", "results": []})

    await fails(lambda: shippo.find_label(request, key="k", since=long_ago()), OutcomeUnknown)


async def test_a_label_goes_back_once_and_the_label_says_how_far_that_is(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    back = await a_label_to_give_back(shippo)
    assert await shippo.find_void(back, key="k", since=long_ago()) is None

    void = await shippo.void_label(back, key="k")

    assert (void.status, void.label_id) == (VoidStatus.PENDING, back.label_id)
    assert void.void_id
    await status_becomes(shippo, back, VoidStatus.SUCCEEDED)
    assert await sandbox.count("shippo", "refund") == 1


async def test_a_label_that_was_used_is_not_taken_back(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    label = await shippo.buy_label(await a_label(shippo), key="k")
    back = VoidRequest(label_id=label.label_id)
    await sandbox.world(f"parcels/{label.tracking_number}", status="TRANSIT")

    await shippo.void_label(back, key="k")

    await status_becomes(shippo, back, VoidStatus.REFUSED)


async def test_a_label_that_shippo_takes_no_request_for_is_refused_and_nothing_of_ours_is_wrong(shippo: ShippoAccount) -> None:
    back = await a_label_to_give_back(shippo)
    await shippo.void_label(back, key="k")
    exchange = Exchange()

    with exchanging(exchange):
        assert (await shippo.void_label(back, key="k")).status is VoidStatus.REFUSED

    assert exchange.http_status == 400
    assert "cannot be refunded" in (exchange.provider_text or "")


@pytest.mark.parametrize("status", ["ERROR", "QUEUED", "SOMETHING_NEW"])
async def test_a_label_that_cannot_be_bought_says_nothing_about_going_back(sandbox: Sandbox, shippo: ShippoAccount, status: str) -> None:
    back = await a_label_to_give_back(shippo)
    await sandbox.fault("shippo", "read label", "garbage", body={"object_id": back.label_id, "status": status, "rate": "r-1"})

    await fails(lambda: shippo.find_void(back, key="k", since=long_ago()), OutcomeUnknown)


async def a_label_to_give_back(shippo: ShippoAccount) -> VoidRequest:
    return VoidRequest(label_id=(await shippo.buy_label(await a_label(shippo), key="k")).label_id)


async def status_becomes(shippo: ShippoAccount, back: VoidRequest, wanted: VoidStatus) -> None:
    async def is_so() -> bool:
        void = await shippo.find_void(back, key="k", since=long_ago())
        return void is not None and void.status is wanted

    await until(is_so)


async def a_pickup(shippo: ShippoAccount, carrier: str = "USPS") -> PickupRequest:
    quote = await shippo.quote(a_parcel(), key="q")
    rate = next(rate for rate in quote.rates if rate.carrier == carrier)
    label = await shippo.buy_label(LabelRequest(rate_id=rate.rate_id, reference="h-1:order:o-1"), key="l")
    return PickupRequest(
        carrier_account=rate.carrier_account or "",
        label_id=label.label_id,
        place=a_parcel().sender,
        earliest=long_ago(),
        latest=long_ago() + timedelta(hours=8),
        reference="h-1:order:o-1",
    )


async def test_a_carrier_comes_for_a_label(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    request = await a_pickup(shippo)
    pickup = await shippo.schedule_pickup(request, key="p")

    (kept,) = await sandbox.objects("shippo", "pickup")
    assert (kept["object_id"], kept["confirmation_code"]) == (pickup.pickup_id, pickup.confirmation)
    assert (kept["transactions"], kept["location"]["address"]["street1"]) == ([request.label_id], "1 Dock Rd")


async def test_a_carrier_that_does_not_come_is_a_refusal_and_closes_no_gate(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    of_another_carrier = await a_pickup(shippo, "UPS")
    refusal = await fails(lambda: shippo.schedule_pickup(of_another_carrier, key="p"), Refused)
    assert isinstance(refusal, Refused)
    assert refusal.code == "pickup_not_accepted"

    request = await a_pickup(shippo)
    no = '{"object_id": "pu_1", "status": "ERROR", "messages": ["one is scheduled already"]}'
    await sandbox.fault("shippo", "schedule pickup", "garbage", status=201, body=no)
    refusal = await fails(lambda: shippo.schedule_pickup(request, key="p"), Refused)
    assert isinstance(refusal, Refused)
    assert refusal.code == "pickup_refused"


async def test_a_pickup_of_which_nobody_has_heard_may_have_been_made(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    request = await a_pickup(shippo)
    await sandbox.fault("shippo", "schedule pickup", "drop", when="after")

    await fails(lambda: shippo.schedule_pickup(request, key="p"), OutcomeUnknown)


async def test_the_doctor_hears_that_the_key_works(shippo: ShippoAccount) -> None:
    assert await shippo.check() == "Shippo accepts the token; it buys test labels."


async def test_no_key_and_no_address_reaches_a_log(shippo: ShippoAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await shippo.buy_label(await a_label(shippo), key="k")

    for secret in (KEY, CUSTOMER, "Mission St"):
        assert secret not in caplog.text


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_is_one_of_our_errors(sandbox: Sandbox, shippo: ShippoAccount, trouble: Trouble) -> None:
    request = await a_label(shippo)
    await survives(
        trouble,
        sandbox,
        ("shippo", "buy label", "label"),
        lambda seconds: an_account(sandbox.url, timeout_seconds=seconds).buy_label(request, key="k"),
    )
    if trouble.kind is OutcomeUnknown:
        found = await shippo.find_label(request, key="k", since=long_ago())
        assert (found is not None) is bool(trouble.happened)


async def test_a_revoked_key_is_for_an_operator(sandbox: Sandbox, shippo: ShippoAccount) -> None:
    await sandbox.revoke("shippo", KEY)

    await fails(lambda: shippo.quote(a_parcel(), key="q"), Misconfigured)
    await fails(shippo.check, Misconfigured)


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).quote(a_parcel(), key="q"))


async def test_nothing_is_written_after_the_send_window(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, KEY + "_unused_so_far")
    await keeps_the_send_window(sandbox, "shippo", lambda: account.quote(a_parcel(), key="q"))


async def test_accounts_loaded_again_share_one_pool_that_closes_with_its_loop(sandbox: Sandbox) -> None:
    client = await shares_one_pool(lambda: an_account(sandbox.url), lambda: an_account(sandbox.url, KEY + "_other"))

    assert client.is_closed
