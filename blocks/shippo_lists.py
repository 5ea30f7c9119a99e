"""What Shippo has of a period, page by page: labels."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from pydantic import field_validator

from blocks.json_api import ask
from blocks.shippo_answers import BOUGHT, LABEL_STATES, Transaction, label_from
from blocks.shippo_transport import PROVIDER, in_our_words
from blocks.translation import Answer
from hub.parcels import Label
from hub.readings.news import effect_in
from hub.reconciliation.seen import Page, Period, Seen, Shelf

if TYPE_CHECKING:
    from blocks.shippo_account import ShippoAccount

PAGE = 100
LIVE_LISTS, TEST_LISTS = 50, 10
"""So many lists may be asked for in a minute. Source: https://docs.goshippo.com/api-concepts/rate-limits"""


class _Purchase(Transaction):
    object_created: datetime
    metadata: str | None = None

    @field_validator("object_created", mode="before")
    @classmethod
    def _as_a_moment(cls, text: str) -> datetime:
        return datetime.fromisoformat(text)


class _Purchases(Answer):
    results: list[_Purchase]
    next: str | None = None


def shippo_shelves(account: ShippoAccount) -> tuple[Shelf, ...]:
    """Return the list of purchases."""
    pause = 60 / (LIVE_LISTS if account.mode == "live" else TEST_LISTS)
    return (Shelf(PROVIDER, Label, page=partial(_labels, account), read=partial(_label, account), pause_seconds=pause),)


async def _labels(account: ShippoAccount, period: Period, after: str | None) -> Page:
    """
    Return a page of the purchases of the period. The list is newest first and takes no dates, so it is read until it gets older.

    Source: https://docs.goshippo.com/shippoapi/public-api/transactions/listtransactions
    """
    number = int(after or 1)
    client = await account.get_client()
    with in_our_words("list the labels"):
        found = _Purchases.model_validate(await ask(client, "GET", "/transactions", params={"results": PAGE, "page": number}))
    shown = (_seen(purchase) for purchase in found.results if period.covers(purchase.object_created))
    over = found.next is None or any(purchase.object_created < period.since for purchase in found.results)
    return Page(seen=tuple(one for one in shown if one is not None), following=None if over else str(number + 1))


async def _label(account: ShippoAccount, label_id: str) -> Seen | None:
    client = await account.get_client()
    with in_our_words("read the label"):
        try:
            return _seen(_Purchase.model_validate(await ask(client, "GET", f"/transactions/{label_id}")))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            return None


def _seen(purchase: _Purchase) -> Seen | None:
    """Return the label, or None where none was bought, or not by a hub."""
    if purchase.status not in BOUGHT or effect_in(purchase.metadata) is None:
        return None
    return Seen(
        provider=PROVIDER,
        reference=purchase.object_id,
        key=purchase.metadata,
        result=label_from(purchase),
        asked={"rate_id": purchase.rate},
        voided=LABEL_STATES[purchase.status],
    )
