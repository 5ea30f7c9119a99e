"""The company's warehouse: told by signed messages what to pack, and what not to let go."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from blocks.provider_account import REHEARSAL, ProviderAccount
from blocks.translation import Answer
from blocks.warehouse_transport import PROVIDER, in_our_words, look, tell, warehouse_client
from hub.pick_tickets import PickTicket, TakenTicket, TicketCancellation
from hub.standard_webhooks import key_in

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.addresses import Mode
    from blocks.translation import Call
    from blocks.transports import GuardedClient

NOTHING = "hub-doctor"
_REHEARSAL = base64.b64encode(REHEARSAL.encode()).decode()  # nine bytes, so that the word shows in base64


class _Ticket(Answer):
    webhookId: str  # noqa: N815 - the warehouse's spelling
    status: Literal["open", "packed", "handed_over", "cancelled"]


class _Taken(Answer):
    webhookId: str  # noqa: N815 - the warehouse's spelling


class _Found(Answer):
    pickTickets: list[_Ticket]  # noqa: N815 - the warehouse's spelling


class Warehouse(ProviderAccount):
    """
    The address of the company's warehouse, and the secret that our messages to it are signed with, by the Standard Webhooks scheme.

    A message keeps its id, our provider key, however often it is sent: the warehouse takes it once. ``find_pick_ticket`` looks by that id.
    It has no official host: an address outside of this machine needs ``allow_other_host``.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Wrong secret, or a message the warehouse does not understand; nothing happened.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    _block_type_slug = "hub-warehouse"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Warehouse"
    _description = "Tells the company's warehouse what to pack."

    provider: ClassVar[str] = PROVIDER
    keeps_idempotency_keys: ClassVar[bool] = True
    official_hosts: ClassVar[frozenset[str]] = frozenset()

    api_key: SecretStr = Field(min_length=8, description="What messages to the warehouse are signed with: whsec_ and base64.")
    base_url: str = Field(description="Where the warehouse listens, without /pick-tickets.")

    @classmethod
    def kind_of_key(cls, key: str) -> Mode:
        """Return what ``key`` opens; a rehearsal secret holds the word, as such or in base64."""
        return REHEARSAL if REHEARSAL in key or _REHEARSAL in key else "live"

    async def get_client(self) -> GuardedClient:
        """Return an ``httpx.AsyncClient`` for this event loop that knows the address."""
        return await self.pooled(partial(warehouse_client, self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """Return one sentence about the warehouse; it is asked for a ticket that it does not have."""
        client = await self.get_client()
        with in_our_words("say who we are"):
            _Found.model_validate(await look(client, self._secret, "/pick-tickets", NOTHING))
        return "The warehouse accepts our signature."

    async def send_pick_ticket(self, request: PickTicket, *, key: str) -> TakenTicket:
        """
        Tell the warehouse what to pack; a repeat with the same ``key`` is the same ticket.

        Raises:
            Refused: It does not have the product (``unknown_product``).
        """
        lines = [{"productId": line.product_id, "quantity": line.quantity} for line in request.lines]
        ticket = {"orderId": request.order_id, "lines": lines, "trackingNumber": request.tracking_number, "labelUrl": request.label_url}
        client = await self.get_client()
        with in_our_words("send the pick ticket") as call:
            answer = await tell(client, self._secret, "/pick-tickets", key, _event("pick_ticket.created", request.at, ticket))
            _must_be_about(key, answer, call)
        return TakenTicket(ticket_id=key)

    async def find_pick_ticket(self, request: PickTicket, *, key: str, since: datetime) -> TakenTicket | None:
        """
        Return the ticket that came under ``key``, or None when there is none now.

        Raises:
            OutcomeUnknown: Also when the warehouse answers with tickets that nobody asked for.
        """
        del request, since  # the message's id says it all
        client = await self.get_client()
        with in_our_words("look for the pick ticket") as call:
            found = _Found.model_validate(await look(client, self._secret, "/pick-tickets", key)).pickTickets
            if len(found) > 1 or any(ticket.webhookId != key for ticket in found):
                raise call.unknown("the answer is about another ticket")
            return TakenTicket(ticket_id=key) if found else None

    async def cancel_pick_ticket(self, request: TicketCancellation, *, key: str) -> TakenTicket:
        """
        Tell the warehouse to keep the parcel back; a repeat changes nothing more.

        Raises:
            Refused: The carrier has the parcel (``handed_over``).
        """
        cancelled = {"orderId": request.order_id, "webhookId": request.ticket_id}
        client = await self.get_client()
        with in_our_words("cancel the pick ticket") as call:
            event = _event("pick_ticket.cancelled", request.at, cancelled)
            _must_be_about(key, await tell(client, self._secret, "/pick-tickets/cancellations", key, event), call)
        return TakenTicket(ticket_id=request.ticket_id)

    @property
    def _secret(self) -> str:
        return self.api_key.get_secret_value()

    @field_validator("api_key")
    @classmethod
    def _can_sign(cls, secret: SecretStr) -> SecretStr:
        try:
            key_in(secret.get_secret_value())
        except ValueError:
            raise ValueError("a signing secret is whsec_ followed by base64") from None
        return secret


def _must_be_about(message_id: str, answer: Any, call: Call) -> None:
    """Pass when the warehouse says that it took this very message: a proxy's page for people is a good answer, too."""
    if _Taken.model_validate(answer).webhookId != message_id:
        raise call.unknown("the answer is about another message")


def _event(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": at.isoformat(), "data": data}
