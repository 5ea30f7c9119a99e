"""What has left the hub, as whoever got it sees it: mails, texts, messages to the team, labels, charges and refunds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.calls import World

LATEST, OF_ONE = 20, 200


class Outbox:
    """Reads the providers' objects behind the effects, newest first: the last ones, or those about one order, sign-up or release."""

    def __init__(self, world: World, about: str | None) -> None:
        self._world, self._about = world, about

    def mails(self) -> list[dict[str, Any]]:
        """Return mails as SendGrid has them, one for each recipient, with their bodies by type."""
        found = []
        for effect in self._effects("sendgrid.mail"):
            for mail in self._world.store.newest_first("sendgrid", "mail", parent=effect["id"]):
                bodies = {str(part.get("type")): str(part.get("value")) for part in mail["content"] or []}
                found.append({"at": effect["at"], **mail, "text": bodies.get("text/plain"), "html": bodies.get("text/html")})
        return found

    def texts(self) -> list[dict[str, Any]]:
        """Return texts as Twilio has them."""
        return list(self._objects("twilio.text", "message"))

    def messages(self) -> list[dict[str, Any]]:
        """Return Slack's messages as they stand now: their parts as text, their buttons, the thread, and when they were changed."""
        found = []
        for effect in self._effects("slack.message"):
            channel = effect["reference"].get("channel")
            if (message := self._world.store.get("slack", "message", f"{channel}:{effect['id']}")) is not None:
                blocks = [block for block in message.get("blocks") or [] if isinstance(block, dict)]
                elements = [element for block in blocks for element in block.get("elements") or [] if isinstance(element, dict)]
                parts = [_words(block) for block in blocks if block.get("type") != "actions"]
                buttons = [_words(element) for element in elements if element.get("type") == "button"]
                shown = {"channel": channel, "parts": [part for part in parts if part] or [message["text"]], "buttons": buttons}
                found.append({"at": effect["at"], **message, **shown})
        return found

    def labels(self) -> list[dict[str, Any]]:
        """Return labels as Shippo has them, each with its rate and whom it is for."""
        found = []
        for label in self._objects("shippo.label", "transaction"):
            rate = self._world.store.get("shippo", "rate", label["rate"]) or {}
            shipment = self._world.store.get("shippo", "shipment", rate.get("shipment", "")) or {}
            found.append({**label, "bought": rate, "to": shipment.get("address_to") or {}})
        return found

    def charges(self) -> list[dict[str, Any]]:
        """Return charges as Stripe has them, each with its refunds."""
        store = self._world.store
        return [
            {**charge, "refunds": list(store.newest_first("stripe", "refund", parent=charge["payment_intent"]))}
            for charge in self._objects("stripe.charge", "charge")
        ]

    def _effects(self, kind: str) -> list[dict[str, Any]]:
        return self._world.effects.newest(kind, self._about, LATEST if self._about is None else OF_ONE)

    def _objects(self, effect_kind: str, kind: str) -> Iterator[dict[str, Any]]:
        for effect in self._effects(effect_kind):
            if (thing := self._world.store.get(effect["provider"], kind, effect["id"])) is not None:
                yield {"at": effect["at"], **thing}


def _words(part: dict[str, Any]) -> str:
    """Return the text of a block or a button."""
    text = part.get("text")
    return str(text.get("text") or "") if isinstance(text, dict) else str(text or "")
