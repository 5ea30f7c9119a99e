"""The sandbox calls back: what comes, how often, when, in which order, and what happens when nobody takes it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
import stripe

from tests.contract.sandbox_process import Sandbox, Webhooks, running_sandbox
from tests.contract.webhook_kit import SECRETS, kinds, pay
from tests.contract.webhook_receiver import Receiver, running_receiver

PAID = ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]


@pytest.fixture
def sandbox(both: tuple[Sandbox, Receiver]) -> Sandbox:
    return both[0]


async def test_a_payment_is_told_with_the_signature_that_stripes_own_library_accepts(sandbox: Sandbox, receiver: Receiver) -> None:
    intent = await pay(sandbox, "o-told")
    came = await receiver.until_count(3)

    assert sorted(kinds(came)) == PAID
    for one in came:
        event = stripe.Webhook.construct_event(one.body, one.headers["Stripe-Signature"], SECRETS["stripe"])
        assert (event.livemode, event.pending_webhooks, event.api_version[:4]) == (False, 1, "2026")
        about = event.data.object.to_dict()
        assert intent["id"] in {about["id"], about.get("payment_intent")}
        assert about["metadata"]["order_id"] == "o-told"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(one.body + b" ", one.headers["Stripe-Signature"], SECRETS["stripe"])


async def test_nobody_is_called_without_an_address(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path) as quiet:
        assert (await pay(quiet, "o-quiet"))["status"] == "succeeded"
        assert (await quiet.webhooks(), await quiet.webhooks_waiting()) == ([], 0)


async def test_a_call_that_was_turned_down_is_told_to_nobody(sandbox: Sandbox, receiver: Receiver) -> None:
    assert await pay(sandbox, "o-no", "pm_card_nonsense") == {}
    await pay(sandbox, "o-yes")
    await receiver.until_count(3)

    assert {json.loads(one.body)["data"]["object"]["metadata"]["order_id"] for one in receiver.received} == {"o-yes"}


async def test_a_webhook_that_nobody_takes_is_sent_again_with_a_fresh_signature(sandbox: Sandbox, receiver: Receiver) -> None:
    receiver.answers = [500, 0, 302]
    await sandbox.world("events/custom", type="packed", data={"orderId": "o-1"})
    came = await receiver.until_count(4, "custom")

    assert len({one.headers["webhook-id"] for one in came}) == 1
    [delivery] = await until_over(sandbox)
    assert (delivery["attempts"], delivery["state"], delivery["status"], delivery["error"]) == (4, "delivered", 200, None)
    assert delivery["body"] == came[-1].body.decode()
    assert {name: came[-1].headers[name] for name in delivery["headers"]} == delivery["headers"]


async def until_over(sandbox: Sandbox, seconds: float = 5) -> list[dict[str, object]]:
    deadline = time.monotonic() + seconds
    while await sandbox.webhooks_waiting():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return await sandbox.webhooks()


async def test_webhooks_come_twice_on_demand_and_are_the_same_event(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave("stripe", "charge.succeeded", duplicate=2)
    await pay(sandbox, "o-twice")
    came = await receiver.until_count(5)

    assert sorted(kinds(came)) == ["charge.succeeded"] * 3 + PAID[1:]
    assert len({json.loads(one.body)["id"] for one in came}) == 3


async def test_webhooks_come_late_on_demand(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave(delay=0.4)
    await pay(sandbox, "o-late")
    paid = time.monotonic()
    came = await receiver.until_count(3)

    assert min(one.at for one in came) - paid > 0.3


async def test_shuffled_webhooks_come_in_the_order_that_the_seed_says(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave("custom", drop=True, reorder=True, window=1, seed=166)
    for number in range(6):
        await sandbox.world("events/custom", type="packed", data={"number": number})
    assert await sandbox.release_webhooks() == 6
    came = await receiver.until_count(6, "custom")

    assert [json.loads(one.body)["data"]["number"] for one in came] == [4, 0, 3, 2, 1, 5]


async def test_early_webhooks_were_answered_before_the_call_that_caused_them(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave("stripe", early=True)
    receiver.seconds = 0.2
    began = time.monotonic()
    await pay(sandbox, "o-early")

    assert time.monotonic() - began > 0.2
    assert sorted(kinds(receiver.to("stripe"))) == PAID
    assert {delivery["status"] for delivery in await sandbox.webhooks()} == {200}


async def test_withheld_webhooks_come_when_they_are_released(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave("stripe", drop=True)
    await pay(sandbox, "o-withheld")
    await sandbox.world("events/custom", type="packed", data={})
    await receiver.until_count(1, "custom")
    assert [delivery["kind"] for delivery in await sandbox.webhooks(state="withheld")] != []

    assert await sandbox.release_webhooks("stripe", "charge.succeeded") == 1
    await receiver.until_count(1)
    assert await sandbox.release_webhooks() == 2
    came = await receiver.until_count(3)
    assert kinds(came)[0] == "charge.succeeded"
    assert await sandbox.webhooks(state="withheld") == []


async def test_nothing_withheld_is_left_after_a_reset(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.webhooks_misbehave(drop=True)
    await pay(sandbox, "o-forgotten")
    await sandbox.forget_webhooks()

    assert (await sandbox.release_webhooks(), await sandbox.webhooks(), await sandbox.webhooks_waiting()) == (0, [], 0)
    await pay(sandbox, "o-after")
    await receiver.until_count(3)


async def test_a_past_delivery_is_sent_again_by_hand(sandbox: Sandbox, receiver: Receiver) -> None:
    await sandbox.world("events/custom", type="packed", data={"orderId": "o-again"})
    await receiver.until_count(1, "custom")
    [past] = await until_over(sandbox)

    await sandbox.redeliver_webhook(str(past["id"]))
    first, second = await receiver.until_count(2, "custom")
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


async def test_an_order_that_makes_no_sense_is_refused(sandbox: Sandbox) -> None:
    for wrong in ({"duplicate": -1}, {"duplicate": [5, 2]}, {"provider": "paypal"}, {"colour": "red"}):
        with pytest.raises(ValueError, match="422"):
            await sandbox.webhooks_misbehave(**wrong)  # type: ignore[arg-type]  # nonsense on purpose
    with pytest.raises(ValueError, match="422"):
        await sandbox.world("events/custom", type="packed")


async def test_a_webhook_outlives_the_sandbox_that_owes_it(tmp_path: Path) -> None:
    async with running_receiver() as receiver:
        async with running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, SECRETS)) as first:
            await first.webhooks_misbehave(delay=60)
            await pay(first, "o-owed")
            await first.kill()
        assert receiver.received == []
        async with running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, SECRETS)) as second:
            assert sorted(kinds(await receiver.until_count(3))) == PAID
            await until_over(second)
        async with running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, SECRETS)) as third:
            assert await third.webhooks_waiting() == 0


async def test_a_provider_without_a_secret_sends_nothing_and_says_why(tmp_path: Path) -> None:
    async with (
        running_receiver() as receiver,
        running_sandbox(tmp_path, webhooks=Webhooks(receiver.url, {"stripe": "whsec_x"})) as sandbox,
    ):
        await sandbox.world("events/custom", type="packed", data={})
        [delivery] = await until_over(sandbox)
        assert (delivery["state"], delivery["status"]) == ("failed", None)
        assert "no webhook secret for custom" in str(delivery["error"])
        assert receiver.received == []
