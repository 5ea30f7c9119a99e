"""The worker is killed between any two steps of a sign-up: another run does the rest, and nothing happens twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from tests.journeys.hub_under_test import Hub, until
from tests.journeys.moments import Moment, held_at
from tests.journeys.signup_kit import EVERYTHING, PHONE, place, seen, signup_at_rest

pytestmark = pytest.mark.timeout(240)

GREETINGS = ("welcome-mail", "payment-mail", "verification-text")
OPERATIONS = {"profile", "payment", *GREETINGS}
REACHABLE = {"phoneNumber": PHONE, "preferences": {"sms_notifications": True}}
DECLINED = {"amount": 29.99, "paymentMethod": "pm_card_chargeDeclined"}
UNDONE = Counter({"profiles.profile": 1, "profiles.removal": 1})
PATIENCE_SECONDS = 2
"""So much later comes a greeting whose provider was busy at first: the others are over by then."""


async def test_a_sign_up_survives_kill_9_between_any_two_steps(hub: Hub) -> None:
    moments = {
        "s-nothing": comes_to("s-nothing", "effects", "NEW.step = 'profile'"),
        "s-profile": comes_to("s-profile", "effects", "NEW.step = 'payment'"),
        "s-paid": comes_to("s-paid", "effects", f"NEW.step IN {GREETINGS}"),
        "s-not-welcomed": asks_again("s-not-welcomed", "welcome-mail"),
        "s-not-confirmed": asks_again("s-not-confirmed", "payment-mail"),
        "s-not-texted": asks_again("s-not-texted", "verification-text"),
        "s-greeted": Moment("registrations", "NEW.signup_id = 's-greeted'"),
        "s-recorded": ends("s-recorded"),
    }
    await busy_at_first(hub, "sendgrid", "send mail", "s-not-welcomed", "welcome-mail")
    await busy_at_first(hub, "sendgrid", "send mail", "s-not-confirmed", "payment-mail")
    await busy_at_first(hub, "twilio", "send text", "s-not-texted", "verification-text")

    await killed_at(hub, moments, **REACHABLE)

    for signup_id in moments:
        view = await signup_at_rest(hub, signup_id, "COMPLETE", seconds=120)
        assert view["errors"] == []
        assert await seen(hub, signup_id) == EVERYTHING, signup_id
        assert await recorded(hub, signup_id) == ("COMPLETE", Counter(OPERATIONS)), signup_id


async def test_a_sign_up_that_is_being_undone_survives_kill_9_between_any_two_steps(hub: Hub) -> None:
    moments = {
        "s-refused": comes_to("s-refused", "effects", "NEW.step = 'remove-profile'"),
        "s-undoing": Moment("attempts", "NEW.effect_key = 'signup:s-undoing:remove-profile:1'"),
        "s-removed": comes_to("s-removed", "facts", "NEW.kind = 'undone'"),
        "s-undone": Moment("registrations", "NEW.signup_id = 's-undone'"),
        "s-undone-recorded": ends("s-undone-recorded"),
    }

    await killed_at(hub, moments, strict=True, initialPayment=DECLINED, **REACHABLE)

    for signup_id in moments:
        view = await signup_at_rest(hub, signup_id, "FAILED", seconds=120)
        assert (view["profileCreated"], view["paymentProcessed"], view["notificationsSent"]) == (False, False, [])
        assert await seen(hub, signup_id) == UNDONE, signup_id
        assert await recorded(hub, signup_id) == ("FAILED", Counter({"profile", "payment", "remove-profile"})), signup_id


def comes_to(signup_id: str, table: str, condition: str) -> Moment:
    return Moment(table, f"NEW.subject_id = '{signup_id}' AND {condition}")


def asks_again(signup_id: str, step: str) -> Moment:
    key = f"signup:{signup_id}:{step}:1"
    return Moment("attempts", f"NEW.effect_key = '{key}' AND EXISTS (SELECT FROM attempts WHERE effect_key = '{key}')")


def ends(signup_id: str) -> Moment:
    """All is recorded, and the run is about to let go."""
    return Moment("runs", f"NEW.subject_id = '{signup_id}' AND NEW.ended_at IS NOT NULL", "UPDATE")


async def busy_at_first(hub: Hub, provider: str, operation: str, signup_id: str, step: str) -> None:
    only = {"subject": signup_id, "containing": step}
    await hub.sandbox.fault(provider, operation, "status", status=429, retry_after=PATIENCE_SECONDS, match=only)


async def killed_at(hub: Hub, moments: Mapping[str, Moment], **changes: object) -> None:
    """
    Place the sign-ups, kill the worker when each has come to its moment and nothing is on its way to a provider, and sweep.

    Half of them at a time, and no sweep before that: who is held has a connection, and so has everybody who waits for their row; somebody
    on the way to their moment needs one, too.
    """
    names = list(moments)
    for some in (names[::2], names[1::2]):
        held = held_at(hub, *(moments[signup_id] for signup_id in some))
        async with hub.paused("sweep/hub"), held as all_wait, hub.database() as database:
            for signup_id in some:
                await place(hub, signup_id, **changes)

            async def still(some: list[str] = some) -> bool:
                calls = "SELECT count(*) FROM attempts WHERE outcome IS NULL AND split_part(effect_key, ':', 2) = ANY($1)"
                return await all_wait() and await database.fetchval(calls, some) == 0

            await until(still, seconds=60, what=lambda: "every sign-up to come to its moment")
            await hub.kill_workers()
        await hub.run({}, deployment="sweep/hub")


async def recorded(hub: Hub, signup_id: str) -> tuple[str, Counter[str]]:
    """Return the registration's status, and how often each operation was written down."""
    async with hub.database() as database:
        status = await database.fetchval("SELECT status FROM registrations WHERE signup_id = $1", signup_id)
        entries = await database.fetch("SELECT operation FROM activities WHERE signup_id = $1", signup_id)
    return status, Counter(entry["operation"] for entry in entries)
