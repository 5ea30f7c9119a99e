"""Shippo: quotes and labels."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
from pydantic import Field, SecretStr

from blocks.json_api import ask
from blocks.provider_account import REHEARSAL, ProviderAccount
from blocks.shippo_answers import (
    BOUGHT,
    COMES,
    LABEL_STATES,
    REFUND_STATES,
    STILL_AT_IT,
    LabelRefund,
    ScheduledPickup,
    Shipment,
    Transaction,
    Transactions,
    label_from,
    rate_from,
    refusal_in,
)
from blocks.shippo_requests import pickup_of, shipment_of
from blocks.shippo_transport import PROVIDER, blames, in_our_words, shippo_client
from hub.errors import Refused
from hub.parcels import Label, LabelRequest, Pickup, PickupRequest, Quote, QuoteRequest, Void, VoidRequest, VoidStatus

if TYPE_CHECKING:
    from blocks.addresses import Mode
    from blocks.transports import GuardedClient

PAGE, PAGES = 25, 4  # a list may be asked for 10 times a minute with test keys, and one rate has one or two transactions
TEST_KEYS = ("shippo_test_",)


class ShippoAccount(ProviderAccount):
    """
    Credentials of one Shippo account, and the few things we ask of it.

    Shippo keeps no idempotency keys: one rate is bought at most once, and ``find_label`` looks by the rate, ``find_void`` by the label.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Bad key, our own address, or a request Shippo does not accept; nothing happened.

    Source: https://docs.goshippo.com/shippoapi/public-api/
    """

    _block_type_slug = "hub-shippo-account"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Shippo Account"
    _description = "Quotes parcels, and buys and gives back labels through one Shippo account."

    provider: ClassVar[str] = PROVIDER
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.goshippo.com"})

    api_key: SecretStr = Field(min_length=8, description="Private token (shippo_test_… or shippo_live_…).")
    base_url: str = Field(default="https://api.goshippo.com", description="Where the API lives.")
    webhook_token_mode: bool = Field(
        default=False, description="Webhooks show the secret as ?token=… in the URL instead of signing: weaker, for accounts without HMAC."
    )

    @classmethod
    def kind_of_key(cls, key: str) -> Mode:
        """Return what ``key`` opens; what is no test token counts as live (old live tokens carry no prefix)."""
        if not key.startswith(TEST_KEYS):
            return "live"
        return REHEARSAL if REHEARSAL in key else "test"

    async def get_client(self) -> GuardedClient:
        """Return an ``httpx.AsyncClient`` for this event loop that knows the address, the token and the API version."""
        return await self.pooled(partial(shippo_client, self.api_key.get_secret_value(), self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """
        Return one sentence about the account.

        Source: https://docs.goshippo.com/shippoapi/public-api/carrier-accounts/listcarrieraccounts
        """
        client = await self.get_client()
        with in_our_words("say who we are"):
            await ask(client, "GET", "/carrier_accounts", params={"results": 1})
        kind = "live" if self.kind_of_key(self.api_key.get_secret_value()) == "live" else "test"
        return f"Shippo accepts the token; it buys {kind} labels."

    async def quote(self, request: QuoteRequest, *, key: str) -> Quote:
        """
        Return what sending the parcel costs, cheapest first. Buys nothing; a repeat makes another quote.

        Raises:
            Refused: The recipient's address is not accepted (``invalid_address``), or nobody carries it there (``no_rates``).

        Source: https://docs.goshippo.com/shippoapi/public-api/shipments/createshipment
        """
        del key  # no key, and no effect that it could guard: only labels are looked for again
        client = await self.get_client()
        with in_our_words("quote the parcel") as call:
            shipment = Shipment.model_validate(await ask(client, "POST", "/shipments", json=shipment_of(request)))
            if shipment.status in STILL_AT_IT:
                raise call.unknown("the quote is still being made", shipment.status)
            rates = sorted((rate_from(rate) for rate in shipment.rates), key=lambda rate: (rate.amount, rate.rate_id))
            if not rates:
                raise Refused(PROVIDER, call.action, call.reason("nobody carries it there", "no_rates"), "no_rates", shipment.object_id)
            return Quote(shipment_id=shipment.object_id, rates=tuple(rates))

    async def buy_label(self, request: LabelRequest, *, key: str) -> Label:
        """
        Buy the label of one rate. A repeat may buy a second one: look first.

        Raises:
            Refused: The carrier says no, with a listed code.
            OutcomeUnknown: Also when the carrier is still at it; ``find_label`` will tell.

        Source: https://docs.goshippo.com/shippoapi/public-api/transactions/createtransaction
        """
        del key  # Shippo takes none; the rate is what makes the purchase one
        purchase = {"rate": request.rate_id, "metadata": request.reference, "label_file_type": "PDF", "async": False}
        client = await self.get_client()
        with in_our_words("buy the label") as call:
            transaction = Transaction.model_validate(await ask(client, "POST", "/transactions", json=purchase))
            if transaction.status == "SUCCESS":
                return label_from(transaction)
            if transaction.status == "ERROR":
                raise refusal_in(call, transaction)
            raise call.unknown("the label is not there yet", transaction.status)

    async def find_label(self, request: LabelRequest, *, key: str, since: datetime) -> Label | None:
        """
        Return the label that was bought for the rate, or None when there is none now. A label given back later was bought, too.

        Raises:
            OutcomeUnknown: Also when the carrier is still at it.

        Source: https://docs.goshippo.com/shippoapi/public-api/transactions/listtransactions
        """
        del key, since  # the rate says it all
        found: list[Transaction] = []
        client = await self.get_client()
        with in_our_words("look for the label") as call:
            for page in range(1, PAGES + 1):
                where: dict[str, Any] = {"rate": request.rate_id, "results": PAGE, "page": page}
                answer = Transactions.model_validate(await ask(client, "GET", "/transactions", params=where))
                found += [transaction for transaction in answer.results if transaction.rate == request.rate_id]
                if answer.next is None:
                    break
            else:
                raise call.unknown("there is more than we look through")
            bought = [transaction for transaction in found if transaction.status in BOUGHT]
            if bought:
                return label_from(bought[0])
            unfinished = [transaction.status for transaction in found if transaction.status != "ERROR"]
            if unfinished:
                raise call.unknown("the label is not there yet", unfinished[0])
            return None

    async def void_label(self, request: VoidRequest, *, key: str) -> Void:
        """
        Give a label back. The carrier looks whether it was used, which takes days: ``find_void`` and webhooks tell.

        A label that Shippo takes no such request for comes back as refused, like one that the carrier holds to be used.

        Source: https://docs.goshippo.com/billing-and-invoices/refunding-labels
        """
        del key  # Shippo takes none; a label goes back once
        client = await self.get_client()
        with in_our_words("give the label back") as call:
            try:
                answer = await ask(client, "POST", "/refunds", json={"transaction": request.label_id, "async": False})
            except httpx.HTTPStatusError as error:
                if not blames(error.response, "transaction"):
                    raise
                call.exchange.said(error.response.text)
                return Void(label_id=request.label_id, status=VoidStatus.REFUSED)
            refund = LabelRefund.model_validate(answer)
            return Void(label_id=request.label_id, status=REFUND_STATES[refund.status], void_id=refund.object_id)

    async def find_void(self, request: VoidRequest, *, key: str, since: datetime) -> Void | None:
        """
        Return how far the label is on its way back, or None when nobody has asked for that.

        Raises:
            OutcomeUnknown: Also when Shippo says of the label what cannot be.

        Source: https://docs.goshippo.com/shippoapi/public-api/transactions/gettransaction
        """
        del key, since  # the label says it all
        client = await self.get_client()
        with in_our_words("look whether the label goes back") as call:
            label = Transaction.model_validate(await ask(client, "GET", f"/transactions/{request.label_id}"))
            if label.status not in LABEL_STATES:
                raise call.unknown("no label that was bought is like this", label.status)
            status = LABEL_STATES[label.status]
            return None if status is None else Void(label_id=request.label_id, status=status)

    async def schedule_pickup(self, request: PickupRequest, *, key: str) -> Pickup:
        """
        Have the carrier come for a parcel. A repeat asks it to come twice for the same one; nobody can be asked what came of it.

        Raises:
            Refused: The carrier does not come (``pickup_refused``), or Shippo takes no such request (``pickup_not_accepted``).

        Source: https://docs.goshippo.com/api-reference/pickups/create-a-pickup
        """
        del key  # Shippo takes none
        client = await self.get_client()
        is_test = self.kind_of_key(self.api_key.get_secret_value()) != "live"
        with in_our_words("schedule the pick-up") as call:
            try:
                answer = await ask(client, "POST", "/pickups", json=pickup_of(request, is_test=is_test))
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.BAD_REQUEST:
                    raise
                call.exchange.said(error.response.text)
                code = "pickup_not_accepted"  # nothing else is wrong at Shippo, so labels are sold all the same
                raise Refused(PROVIDER, call.action, call.reason("such a pick-up is not accepted", code), code) from None
            pickup = ScheduledPickup.model_validate(answer)
            if pickup.status not in COMES:
                code = "pickup_refused"
                raise Refused(PROVIDER, call.action, call.reason("the carrier does not come", code), code, pickup.object_id)
            return Pickup(pickup_id=pickup.object_id, confirmation=pickup.confirmation_code or None)
