"""What Twilio has of a period, page by page: texts."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import httpx

from blocks.json_api import ask
from blocks.translation import Answer
from blocks.twilio_account import Message
from blocks.twilio_transport import PROVIDER, in_our_words
from hub.messages import SentText
from hub.reconciliation.seen import Page, Period, Seen, Shelf

if TYPE_CHECKING:
    from blocks.twilio_account import TwilioAccount

PAGE = 500
_ENDING = re.compile(r"Ref \S+\.[0-9a-z]{6}$")


class _Text(Message):
    to: str
    direction: str

    @property
    def is_sent(self) -> bool:
        """Whether it went out; what comes in may hold our own words, and so our reference."""
        return self.direction.startswith("outbound")


class _Texts(Answer):
    messages: list[_Text]
    next_page_uri: str | None


def twilio_shelves(account: TwilioAccount) -> tuple[Shelf, ...]:
    """Return the list of texts. Twilio limits how many requests are under way at once, and these come one after the other."""
    return (Shelf(PROVIDER, SentText, page=partial(_texts, account), read=partial(_text, account)),)


async def _texts(account: TwilioAccount, period: Period, after: str | None) -> Page:
    """
    Return a page of the texts of the period. The list knows days; a text that waits has no date of sending, and is not in it yet.

    Source: https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
    """
    days = {"DateSent>": f"{period.since:%Y-%m-%d}", "DateSent<": f"{period.until + timedelta(days=1):%Y-%m-%d}", "PageSize": str(PAGE)}
    client = await account.get_client()
    with in_our_words("list the texts"):
        found = _Texts.model_validate(
            await ask(client, "GET", account.messages_path, params=days if after is None else dict(parse_qsl(after)))
        )
    return Page(
        seen=tuple(_seen(text) for text in found.messages if text.is_sent and period.covers(text.date_created)),
        following=None if found.next_page_uri is None else urlsplit(found.next_page_uri).query,
    )


async def _text(account: TwilioAccount, sid: str) -> Seen | None:
    client = await account.get_client()
    with in_our_words("read the text"):
        try:
            return _seen(_Text.model_validate(await ask(client, "GET", account.messages_path.replace(".json", f"/{sid}.json"))))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            return None


def _seen(text: _Text) -> Seen:
    ending = _ENDING.search((text.body or "").rstrip())
    sent = SentText(sid=text.sid, status=text.status)
    return Seen(provider=PROVIDER, reference=text.sid, ending=ending and ending[0], result=sent, asked={"to": text.to})
