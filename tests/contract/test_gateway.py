from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from deployments.examples import EXAMPLE_ORDER
from hub.api_keys import add_key
from hub.database import transaction
from hub.facts import AttentionNeeded, Fact, InTransit, PaymentFailed, PaymentSettled, StockShort
from hub.subject_rows import locked, record
from tests.contract.gateway_process import Gateway, running_gateway
from tests.unit.bad_orders import an_order_with

CARD_DECLINED = PaymentFailed(attempt=1, payment_id="pi_1", code="generic_decline")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(hub_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """A gateway whose Prefect is down."""
    async with running_gateway(tmp_path_factory.mktemp("gateway"), database_url=hub_database) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a key that opens everything."""
    async with gateway.with_key(await add_key("shop")) as client:
        yield client


async def happened(order_id: str, *facts: Fact, source: str = "run") -> None:
    async with transaction() as session:
        row, _ = await locked(session, order_id)
        for fact in facts:
            await record(session, row, fact, source=source)


async def test_a_new_order_is_201_the_same_again_200_and_another_409_that_says_where_it_differs(shop: httpx.AsyncClient) -> None:
    first = await shop.put("/orders/o-1", json=EXAMPLE_ORDER)
    again = await shop.put("/orders/o-1", json={**EXAMPLE_ORDER, "currency": "USD"})
    other = await shop.put("/orders/o-1", json=an_order_with({"items.0.quantity": 3, "shipping.zip": "94106"}))

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert other.json()["differs"] == ["items[0].quantity", "shipping.zip"]
    assert "it differs in items[0].quantity, shipping.zip" in other.json()["detail"]
    assert "94106" not in other.text


async def test_the_same_order_eight_times_at_once_is_new_once(shop: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(shop.put("/orders/o-at-once", json=EXAMPLE_ORDER) for _ in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]


async def test_an_order_is_shown_without_personal_data(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-shown", json=EXAMPLE_ORDER)

    shown = (await shop.get("/orders/o-shown")).json()

    assert {name: shown.pop(name) for name in ("resumeAt", "createdAt", "correlationId")}
    assert shown == {
        "orderId": "o-shown",
        "status": "received",
        "message": "received",
        "attempt": 1,
        "amount": 10_000,
        "currency": "usd",
        "chargeId": None,
        "trackingNumber": None,
        "nextAction": None,
    }


@pytest.mark.parametrize("path", ["/orders/o-nobody", "/orders/o-nobody/timeline"])
async def test_an_order_that_nobody_placed_is_404(shop: httpx.AsyncClient, path: str) -> None:
    answer = await shop.get(path)

    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no order o-nobody; place it first")


async def test_the_same_holds_for_attempts_and_resume_of_nobodys_order(shop: httpx.AsyncClient) -> None:
    assert (await shop.post("/orders/o-nobody/attempts", json={"attempt": 2})).status_code == 404
    assert (await shop.post("/orders/o-nobody/resume")).status_code == 404


async def test_the_answer_does_not_wait_for_prefect(shop: httpx.AsyncClient, gateway: Gateway) -> None:
    took = []
    for number in range(5):
        begin = time.monotonic()
        assert (await shop.put(f"/orders/o-quick-{number}", json=EXAMPLE_ORDER)).status_code == 201
        took.append(time.monotonic() - begin)

    assert sorted(took)[2] < 0.5
    await until(lambda: "order o-quick-4 is kept, but its run was not started" in gateway.log(), seconds=60)


async def test_a_list_walks_all_orders_of_a_status_exactly_once_newest_first(shop: httpx.AsyncClient) -> None:
    wanted = [f"o-list-{number:02}" for number in range(11)]
    for order_id in wanted:
        await shop.put(f"/orders/{order_id}", json=EXAMPLE_ORDER)
        await happened(order_id, StockShort(attempt=1, products=("prod-123",)))

    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"status": "out_of_stock", "limit": "3", **({"cursor": cursor} if cursor else {})}
        page = (await shop.get("/orders", params=query)).json()
        seen += [order["orderId"] for order in page["orders"]]
        if len(seen) == 6:  # an order that comes meanwhile is newer than everything that is still to be seen
            await shop.put("/orders/o-list-late", json=EXAMPLE_ORDER)
            await happened("o-list-late", StockShort(attempt=1, products=("prod-123",)))
        if (cursor := page["cursor"]) is None:
            break

    assert seen == wanted[::-1]


@pytest.mark.parametrize("status", ["out_of_stok", "", "OUT_OF_STOCK"])
async def test_a_status_that_no_order_has_is_422(shop: httpx.AsyncClient, status: str) -> None:
    answer = await shop.get("/orders", params={"status": status})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "status")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "\x00",
        "é",
        "MjAyNC0wMS0wMXxvLTE=",  # 2024-01-01|o-1, without a time zone
        "MDAwMS0wMS0wMVQwMDowMDowMCswMDowMHxvLTE=",  # the year 1
        "MDAwMS0wMS0wMVQwMDowMDowMCsyMzowMHxvLTE=",  # before the year 1 in UTC
        "MjAyNC0wMS0wMVQwMDowMDowMCswMDowMHwA",  # an order id of one NUL
    ],
)
async def test_a_cursor_that_no_page_gave_out_is_422_or_an_empty_page(shop: httpx.AsyncClient, cursor: str) -> None:
    answer = await shop.get("/orders", params={"cursor": cursor})

    assert answer.status_code == 422 or answer.json() == {"orders": [], "cursor": None}, answer.text


async def test_the_timeline_tells_what_happened_oldest_first(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-story", json=EXAMPLE_ORDER)
    settled = PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=10_000, currency="usd")
    await happened("o-story", CARD_DECLINED)
    await happened("o-story", settled, source="webhook")

    story = (await shop.get("/orders/o-story/timeline")).json()

    assert [(event["about"], event["what"]) for event in story] == [("fact", "payment failed"), ("fact", "payment settled")]
    assert "code generic_decline" in story[0]["detail"]
    assert "(from webhook)" in story[1]["detail"]


async def test_a_new_attempt_follows_a_failed_payment_and_the_same_number_gives_the_same_answer(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-again", json=EXAMPLE_ORDER)
    await happened("o-again", CARD_DECLINED)
    another_card = {"attempt": 2, "paymentMethod": "pm_card_mastercard"}

    skipped = await shop.post("/orders/o-again/attempts", json={"attempt": 3})
    first = await shop.post("/orders/o-again/attempts", json=another_card)
    again = await shop.post("/orders/o-again/attempts", json=another_card)
    other = await shop.post("/orders/o-again/attempts", json={"attempt": 2, "paymentMethod": "pm_card_visa"})

    assert [answer.status_code for answer in (skipped, first, again, other)] == [409, 202, 202, 409]
    assert "the next number is 2" in skipped.json()["detail"]
    assert first.json() == again.json()
    assert (first.json()["attempt"], first.json()["status"]) == (2, "received")
    assert "the next number is 3" in other.json()["detail"]


async def test_an_order_that_did_not_fail_takes_no_new_attempt(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-fine", json=EXAMPLE_ORDER)

    answer = await shop.post("/orders/o-fine/attempts", json={"attempt": 2})

    assert answer.status_code == 409
    assert "only payment_failed and out_of_stock" in answer.json()["detail"]
    assert (await shop.get("/orders/o-fine")).json()["attempt"] == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"attempt": 0}, "attempt"),
        ({"attempt": "2"}, "attempt"),
        ({"attempt": 2.5}, "attempt"),
        ({}, "attempt"),
        ({"attempt": 2, "paymentMethod": "4242 4242 4242 4242"}, "paymentMethod"),
        ({"attempt": 2, "why": "because"}, "why"),
    ],
)
async def test_a_badly_asked_attempt_is_422(shop: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await shop.post("/orders/o-fine/attempts", json=body)

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    assert "4242" not in answer.text


async def test_a_person_lets_an_order_go_on_that_needed_attention(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-stuck", json=EXAMPLE_ORDER)
    await happened("o-stuck", AttentionNeeded(epoch=1, reason="nobody knows"))
    assert (await shop.get("/orders/o-stuck")).json()["status"] == "needs_attention"

    resumed = await shop.post("/orders/o-stuck/resume")

    assert (resumed.status_code, resumed.json()["status"]) == (202, "received")


async def test_an_order_that_waits_for_nothing_of_ours_cannot_be_resumed(shop: httpx.AsyncClient, hub_database: str) -> None:
    await shop.put("/orders/o-idle", json=EXAMPLE_ORDER)
    connection = await connect(hub_database)
    await connection.execute("UPDATE orders SET resume_at = NULL WHERE id = 'o-idle'")
    await connection.close()

    answer = await shop.post("/orders/o-idle/resume")

    assert (answer.status_code, "there is nothing to resume" in answer.text) == (409, True)


async def test_a_cancelled_order_says_so_and_once_it_is_on_its_way_it_is_too_late(shop: httpx.AsyncClient) -> None:
    for order_id in ("o-unwanted", "o-gone"):
        await shop.put(f"/orders/{order_id}", json=EXAMPLE_ORDER)
    await happened("o-gone", InTransit())

    first = await shop.post("/orders/o-unwanted/cancel", json={"reason": "a change of mind"})
    again = await shop.post("/orders/o-unwanted/cancel")
    too_late = await shop.post("/orders/o-gone/cancel")

    assert [answer.status_code for answer in (first, again, too_late)] == [202, 202, 409]
    assert (first.json()["status"], first.json()["message"]) == ("cancelling", "being undone: the customer cancelled it: a change of mind")
    assert first.json() == again.json()
    assert "the carrier has the parcel" in too_late.json()["detail"]
    assert (await shop.post("/orders/o-nobody/cancel")).status_code == 404


async def test_a_refund_is_kept_once_with_the_name_of_the_key_that_asked(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-back", json=EXAMPLE_ORDER)
    await happened("o-back", PaymentSettled(attempt=1, payment_id="pi_1", charge_id="ch_1", amount=10_000, currency="usd"))
    wanted = {"refundId": "r-1", "amount": 4_000, "reason": "a scratch"}
    no_approval = {"approveUntil": None, "decidedBy": None}

    first, again = [await shop.post("/orders/o-back/refunds", json=wanted) for _ in range(2)]
    other = await shop.post("/orders/o-back/refunds", json=wanted | {"amount": 4_001})
    too_much = await shop.post("/orders/o-back/refunds", json={"refundId": "r-2", "amount": 6_001})

    assert [answer.status_code for answer in (first, again, other, too_much)] == [202, 202, 409, 409]
    assert first.json() == again.json() == (await shop.get("/orders/o-back/refunds/r-1")).json()
    assert first.json() == wanted | {"orderId": "o-back", "currency": "usd", "status": "refunding", "by": "shop", **no_approval}
    assert "60.00 USD are left" in too_much.json()["detail"]
    assert (await shop.get("/orders/o-back/refunds/r-2")).status_code == 404


async def test_nothing_is_given_back_of_an_order_that_was_not_paid_or_is_not_there(shop: httpx.AsyncClient) -> None:
    await shop.put("/orders/o-unpaid", json=EXAMPLE_ORDER)

    unpaid = await shop.post("/orders/o-unpaid/refunds", json={"refundId": "r-1"})

    assert (unpaid.status_code, "nothing was paid; cancel it instead" in unpaid.json()["detail"]) == (409, True)
    assert (await shop.post("/orders/o-nobody/refunds", json={"refundId": "r-1"})).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "refundId"),
        ({"refundId": "r 1"}, "refundId"),
        ({"refundId": "r-1", "amount": 0}, "amount"),
        ({"refundId": "r-1", "to": "me"}, "to"),
    ],
)
async def test_a_badly_asked_refund_is_422(shop: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    answer = await shop.post("/orders/o-back/refunds", json=body)

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])


async def test_an_unknown_path_is_404_and_a_wrong_method_405(shop: httpx.AsyncClient) -> None:
    assert (await shop.get("/nowhere")).status_code == 404
    assert (await shop.delete("/orders/o-1")).status_code == 405


def test_the_log_is_about_orders_and_not_about_people_or_keys(gateway: Gateway, shop: httpx.AsyncClient) -> None:
    customer, shipping = EXAMPLE_ORDER["customer"], EXAMPLE_ORDER["shipping"]
    secrets = [customer["email"], customer["name"], shipping["address"], shop.headers["authorization"].removeprefix("Bearer ")]

    assert not [word for word in [*secrets, "Traceback"] if word in gateway.log()]


async def until(true: Any, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


async def connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("+asyncpg", ""))
