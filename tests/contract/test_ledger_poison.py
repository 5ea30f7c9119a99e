"""An answer that nobody can read, after the work is done: the ledger finds out, repeats nothing blindly, and the order goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.effects import Effect
from hub.errors import NobodyKnows, OutcomeUnknown
from hub.steps import EffectState
from hub.stock import reserve
from tests.contract.ledger_kit import (
    SETTLED_SECONDS,
    Shop,
    effect_of,
    label_effect,
    mail_effect,
    outcomes_of,
    payment_effect,
    run_of_a_new_order,
    team_effect,
    time_passes,
)

POISONS: dict[str, dict[str, Any]] = {
    "no field at all": {"body": {}},
    "numbers for texts": {"body": {"id": 17, "object_id": 17, "status": 17, "ts": 17, "channel": 17, "ok": 1}},
    "a page for people": {"body": "<!doctype html><html>Sign in</html>"},
    "five megabytes": {"body": "{" + " " * 5_000_000 + "}"},
    "a hundred thousand brackets": {"body": "[" * 100_000},
    "a letter that no database keeps": {"body": "it broke: \x00", "status": 500},
}
poisoned = pytest.mark.parametrize("poison", POISONS)


async def is_unknown(shop: Shop, provider: str, operation: str, poison: str, ask: Callable[[], Awaitable[Any]]) -> None:
    """Check that asking ends with an error of ours that names the provider, when the answer is poisoned after the work."""
    how = POISONS[poison]
    await shop.sandbox.fault(provider, operation, "status" if "status" in how else "garbage", when="after", **how)
    with pytest.raises(OutcomeUnknown, match=f"^{provider} could not "):
        await ask()


async def is_known_by_a_look(shop: Shop, provider: str, kind: str, effect: Effect) -> None:
    """Check that one look has settled the effect, and that the provider did it once."""
    assert (await effect_of(effect)).state == EffectState.DONE
    assert await outcomes_of(effect, "look") == ["found"]
    assert await shop.sandbox.count(provider, kind) == 1


@poisoned
async def test_a_charge_is_made_once(shop: Shop, poison: str) -> None:
    async with run_of_a_new_order() as order:
        await reserve(order)
        await is_unknown(shop, "stripe", "create payment", poison, lambda: shop.pay(order))
        while "status" in POISONS[poison] and not (await effect_of(payment_effect(order))).same_key_is_useless:
            with pytest.raises(OutcomeUnknown):  # Stripe keeps a failure under the key
                await shop.pay(order)
        payment = await shop.pay(order)

    assert payment.status == "succeeded"
    assert await shop.sandbox.count("stripe", "charge") == 1


@poisoned
async def test_a_label_is_bought_once(shop: Shop, poison: str) -> None:
    async with run_of_a_new_order() as order:
        rate_id = await shop.until_quoted(order)
        await is_unknown(shop, "shippo", "buy label", poison, lambda: shop.label(order, rate_id))
        await time_passes(label_effect(order, rate_id), SETTLED_SECONDS)
        await shop.label(order, rate_id)

    await is_known_by_a_look(shop, "shippo", "label", label_effect(order, rate_id))


@poisoned
async def test_the_team_is_told_once(shop: Shop, poison: str) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await is_unknown(shop, "slack", "post message", poison, lambda: shop.tell_team(order))
        await time_passes(team_effect(order), SETTLED_SECONDS)
        await shop.tell_team(order)

    await is_known_by_a_look(shop, "slack", "message", team_effect(order))


@poisoned
async def test_a_mail_of_which_nobody_knows_is_not_sent_again(shop: Shop, poison: str) -> None:
    async with run_of_a_new_order() as order:
        await shop.until_labelled(order)
        await is_unknown(shop, "sendgrid", "send mail", poison, lambda: shop.mail(order))
        await time_passes(mail_effect(order), SETTLED_SECONDS)
        for _ in range(2):
            with pytest.raises(NobodyKnows):
                await shop.mail(order)

    assert len(await shop.sandbox.requests("sendgrid", "send mail")) == 1
