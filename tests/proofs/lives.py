"""The lives of real orders, from the placing to the last webhook: what people, banks and carriers do, whatever the hub knows of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.journeys.hub_under_test import Hub, until
from tests.proofs.letters import FOREIGN, Letter, Post
from tests.proofs.natures import REQUESTS, UNDELIVERED, UNPAID

NOTICES = 25
WAIT_SECONDS = 240.0
ANOTHER_HUB = "8c2ad4b6-0000-4000-8000-5c1b2d3e4f50"
Deed = Callable[[], Awaitable[None]]


@dataclass
class Surroundings:
    """
    What a life goes on in. ``at_once`` bounds how many orders are under way.

    ``before_deed`` waits until the hub has caught up with an order (in calm) or does not (in a storm); ``announced`` waits until the hub
    has confirmed it. ``first`` delivers letters at once, and is None where nobody hurries.
    """

    hub: Hub
    post: Post
    before_deed: Callable[[str], Awaitable[None]]
    first: Callable[[list[Letter]], Awaitable[None]] | None
    announced: Callable[[str], Awaitable[None]]
    at_once: asyncio.Semaphore
    foreign_key: str


class Life:
    """One order of some nature. Where letters are hurried, they come before the calls that cause them are answered."""

    def __init__(self, around: Surroundings, order_id: str, nature: str) -> None:
        self.around, self.order_id, self.nature = around, order_id, nature
        self.sandbox = around.hub.sandbox
        self._followed = 0

    async def live(self) -> None:
        async with self.around.at_once, AsyncExitStack() as held:
            answers = {name: await held.enter_async_context(self._held(*call)) for name, call in self._calls().items()}
            await self._begin(answers)
            await self._go_on(answers)
        while len(self.around.post.of(self.order_id)) < NOTICES:
            await self._chatter()
        await self._hurry()

    def _calls(self) -> dict[str, tuple[str, str]]:
        """The calls of the hub that this order will come to, in the order in which it does."""
        calls = {"pay": ("stripe", "create payment")}
        if self.nature == "label refused":
            calls |= {"refund": ("stripe", "refund payment"), "mail": ("sendgrid", "send mail")}
        elif self.nature not in UNPAID:
            calls |= {"ship": ("shippo", "buy label"), "mail": ("sendgrid", "send mail"), "mail on its way": ("sendgrid", "send mail")}
            if self.nature not in UNDELIVERED:
                calls |= {"mail at the door": ("sendgrid", "send mail")}
        return calls

    async def _begin(self, answers: dict[str, Deed]) -> None:
        """The order is placed, paid or not, labelled, mailed and on its way, as far as it comes to that."""
        await self._placed()
        await self._foreign_payment()
        await self._pay()
        await answers["pay"]()
        if self.nature in UNPAID:
            return
        if self.nature == "label refused":
            await self._letter("charge.refunded")
            await answers["refund"]()
        else:
            await self._ship()
            await answers["ship"]()
        await self._read_mail()
        await answers["mail"]()
        if self.nature != "label refused":
            await self._arrive()
            await answers["mail on its way"]()

    async def _placed(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = await self.around.hub.place(self.order_id, **REQUESTS.get(self.nature, {}))
            except httpx.TransportError:  # its door is being killed
                await asyncio.sleep(0.5)
                continue
            if answer.is_success:
                return
            assert answer.is_server_error, f"{self.order_id}: {answer.status_code} {answer.text}"
            await asyncio.sleep(0.5)
        raise AssertionError(f"{self.order_id} could not be placed")

    async def _foreign_payment(self) -> None:
        """Another hub shares the Stripe account, and has an order of a similar name."""
        form = {
            "amount": "700",
            "currency": "usd",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "metadata[effect]": f"{ANOTHER_HUB}:order:{FOREIGN}{self.order_id}:payment:1",
            "metadata[order_id]": f"{FOREIGN}{self.order_id}",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
        }
        headers = {"Authorization": f"Bearer {self.around.foreign_key}"}
        async with httpx.AsyncClient(base_url=self.sandbox.url, headers=headers, trust_env=False, timeout=20) as stripe:
            (await stripe.post("/stripe/v1/payment_intents", data=form)).raise_for_status()

    async def _pay(self) -> None:
        await self._letter("payment_intent.created")
        if self.nature.startswith("3-D Secure"):
            waits = await self._letter("payment_intent.requires_action")
            await self.around.before_deed(self.order_id)
            decide = self.sandbox.customer_fails if self.nature in UNPAID else self.sandbox.customer_approves
            await decide(waits.event["data"]["object"]["id"])
        for kind in ("payment_intent.payment_failed",) if self.nature in UNPAID else ("charge.succeeded", "payment_intent.succeeded"):
            await self._letter(kind)

    async def _ship(self) -> None:
        label = await self._letter("transaction_created SUCCESS")
        await self.around.before_deed(self.order_id)
        for kind in ("packed", "picked_up"):
            await self._world(kind, "events/custom", type=kind, data={"orderId": self.order_id})
        for status in ("PRE_TRANSIT", "TRANSIT", "TRANSIT", "TRANSIT"):
            await self._world(f"track_updated {status}", f"parcels/{label.event['data']['tracking_number']}", status=status)

    async def _arrive(self) -> None:
        """The customer has heard that the parcel is on its way, and only then it arrives or comes back."""
        await self._letter("processed", number=2)
        await self._letter("bounce" if self.nature == "bounced" else "delivered", number=2)
        number = self.around.post.of(self.order_id, "transaction_created SUCCESS")[0].event["data"]["tracking_number"]
        for status in {"returned": ("RETURNED",), "delivery failed": ()}.get(self.nature, ("DELIVERED",)):
            await self.around.before_deed(self.order_id)
            await self._world(f"track_updated {status}", f"parcels/{number}", status=status)

    async def _read_mail(self) -> None:
        sent = await self._letter("processed")
        await self._letter("bounce" if self.nature == "bounced" else "delivered")
        if self.nature != "bounced":
            for event in ("open", "click"):
                await self._world(event, f"mails/{sent.event['sg_message_id']}", event=event)

    async def _go_on(self, answers: dict[str, Deed]) -> None:
        """What comes after the hub's first run: disputes and refunds, and the mails and texts that follow from the parcel's way."""
        post, nature = self.around.post, self.nature
        if nature in (*UNPAID, "label refused"):
            return
        if nature not in UNDELIVERED:
            await self._letter("bounce" if nature == "bounced" else "delivered", number=3)
            await answers["mail at the door"]()
        await self.around.announced(self.order_id)
        await self.around.before_deed(self.order_id)
        payment = f"stripe/payments/{post.of(self.order_id, 'payment_intent.succeeded')[0].event['data']['object']['id']}"
        match nature:
            case "bounced":
                await self._letter("text delivered", number=3)
            case "delivery failed":
                label = post.of(self.order_id, "transaction_created SUCCESS")[0]
                number = label.event["data"]["tracking_number"]
                await self._world("track_updated FAILURE", f"parcels/{number}", status="FAILURE")
            case "refunded by hand":
                await self._world("charge.refunded", f"{payment}/refund")
            case "partly refunded":
                for amount in (1200, 800):
                    await self._world("charge.refunded", f"{payment}/refund", amount=amount)
            case "disputed" | "dispute won":
                dispute = await self._world("charge.dispute.created", f"{payment}/dispute")
                if nature == "dispute won":
                    await self.around.before_deed(self.order_id)
                    await self._world("charge.dispute.closed", f"stripe/disputes/{dispute['id']}/close", status="won")
            case "ordinary":
                sent = post.of(self.order_id, "processed")[0].event["sg_message_id"]
                for _ in range(2):
                    await asyncio.sleep(1.05)  # SendGrid dates to the second: sooner, it would be the same event
                    await self._world("open", f"mails/{sent}", event="open")

    async def _chatter(self) -> None:
        """Something that means nothing to the hub."""
        count = len(self.around.post.of(self.order_id))
        if count % 2:
            event = {"orderId": self.order_id, "shelf": str(count)}
            await self._world("shelf.counted", "events/custom", type="shelf.counted", data=event)
        else:
            await self._world("chatter", "slack/events", event={"type": "app_mention", "text": f"where is {self.order_id}? ({count})"})

    async def _world(self, kind: str, path: str, **body: Any) -> dict[str, Any]:
        """Have something happen, and return what the sandbox says when its letter, of this kind, is here."""
        number = len(self.around.post.of(self.order_id, kind))
        said = await self.sandbox.world(path, **body)
        await self._letter(kind, number=number + 1)
        return said

    async def _letter(self, kind: str, *, number: int = 1) -> Letter:
        """Return the order's first letter of the kind once there are ``number`` of them."""

        async def there() -> bool:
            return len(self.around.post.of(self.order_id, kind)) >= number

        await until(
            there,
            seconds=WAIT_SECONDS,
            what=lambda: (
                f"{self.order_id} ({self.nature}): {number} of {kind}, but {[one.kind for one in self.around.post.of(self.order_id)]}"
            ),
        )
        return self.around.post.of(self.order_id, kind)[0]

    async def _hurry(self) -> list[Letter]:
        if self.around.first is None:
            return []
        letters = list(self.around.post.of(self.order_id))
        await self.around.first(letters)
        return letters

    @asynccontextmanager
    async def _held(self, provider: str, operation: str) -> AsyncIterator[Deed]:
        """The order's next such call is not answered until the deed that this yields is done; that delivers all letters first."""
        if self.around.first is None:
            yield _nothing
            return
        fault = await self.sandbox.fault(provider, operation, "hang", when="after", match={"subject": self.order_id})

        async def let_go() -> None:
            letters = await self._hurry()
            inside = await self._in_flight(provider, operation)
            for letter in letters[self._followed :]:
                letter.early = inside and not letter.kind.startswith("foreign")
            self._followed = len(letters)

            async def answered() -> bool:
                await self.sandbox.release(fault)  # again: it may only now have come to the hanging
                return not await self._in_flight(provider, operation)

            await until(answered, seconds=WAIT_SECONDS, what=lambda: f"the answer to {operation} for {self.order_id}")

        try:
            yield let_go
        finally:
            await self.sandbox.release(fault)

    async def _in_flight(self, provider: str, operation: str) -> bool:
        inside = await self.sandbox.inside(provider, operation)
        return any(one["subject"] == self.order_id and one["worked"] for one in inside)


async def _nothing() -> None:
    """Nobody waits for anything."""
