"""Twilio: short messages to customers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from blocks.json_api import ask
from blocks.provider_account import ProviderAccount
from blocks.translation import Answer
from blocks.twilio_transport import PROVIDER, in_our_words, twilio_client
from hub.messages import SentText, TextRequest, text_reference

if TYPE_CHECKING:
    from typing import Any, Self

    from blocks.transports import GuardedClient

PAGE, PAGES = 100, 10
CLOCKS_DIFFER = timedelta(seconds=60)
CALLBACK_RETRIES = "rc=5&rp=all"
"""
Five more tries of a status callback, whatever went wrong; Twilio's own habit is one, and none after a 503.

Source: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""


class _Account(Answer):
    status: str


class _Sent(Answer):
    sid: str = Field(pattern=r"^(SM|MM)[0-9a-f]{32}$")
    status: str = Field(pattern=r"^[a-z_]{1,40}$")


class Message(_Sent):
    """A text as Twilio lists it."""

    body: str | None
    date_created: datetime

    @field_validator("date_created", mode="before")
    @classmethod
    def _as_in_a_mail(cls, text: Any) -> datetime:
        """
        Times come as in a mail's header.

        Source: https://www.rfc-editor.org/rfc/rfc2822#section-3.3
        """
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Messages(Answer):
    messages: list[Message]
    next_page_uri: str | None


class TwilioAccount(ProviderAccount):
    """
    Credentials of one Twilio account and the sender of its texts.

    Twilio keeps no idempotency keys and no metadata; a short reference at the end of every text is what ``find_text`` looks for.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often, or the sender's queue is full; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Bad token, a sender that is not ours, or a request Twilio does not accept; nothing happened.

    Source: https://www.twilio.com/docs/messaging/api/message-resource
    """

    _block_type_slug = "hub-twilio-account"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Twilio Account"
    _description = "Sends texts to customers through one Twilio account."

    provider: ClassVar[str] = PROVIDER
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.twilio.com"})

    account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$", description="The account's SID (AC…).")
    api_key: SecretStr = Field(min_length=8, title="Auth token", description="The account's auth token; it signs the webhooks, too.")
    base_url: str = Field(default="https://api.twilio.com", description="Where the API lives.")
    from_number: str | None = Field(
        default=None,
        pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11})$",
        description="Number (+1…), short code or name that the texts come from.",
    )
    messaging_service_sid: str | None = Field(
        default=None, pattern=r"^MG[0-9a-f]{32}$", description="Messaging service that picks the sender; instead of a number."
    )

    @property
    def credentials(self) -> str:
        """SID and token: what Twilio asks for as user and password."""
        return f"{self.account_sid}:{self.api_key.get_secret_value()}"

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """The auth tokens that sign webhooks now: this one, and what was typed in during a rotation."""
        return (self.api_key, *super().webhook_secrets)

    async def get_client(self) -> GuardedClient:
        """Return an ``httpx.AsyncClient`` for this event loop that knows the address and the credentials."""
        return await self.pooled(partial(twilio_client, self.credentials, self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """
        Return one sentence about the account.

        Raises:
            Misconfigured: The credentials are not accepted, or the account is suspended or closed.

        Source: https://www.twilio.com/docs/iam/api/account
        """
        client = await self.get_client()
        with in_our_words("say who we are") as call:
            account = _Account.model_validate(await ask(client, "GET", f"/2010-04-01/Accounts/{self.account_sid}.json"))
            if account.status != "active":
                raise call.misconfigured("the account is not active", account.status)
        return f"Twilio accepts the token; texts come from {self.from_number or 'a messaging service'}."

    async def send_text(self, request: TextRequest, *, key: str) -> SentText:
        """
        Hand a text over to Twilio, our reference at its end; whether it arrives is a later fact. A repeat sends a second one: look first.

        Raises:
            Refused: The number is none (21211) or not a mobile one (21614), or its owner wants no texts from us (21610).

        Source: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource
        """
        form = {"To": request.to, "Body": f"{request.text} {text_reference(key)}", **self._sender}
        if request.status_callback is not None:
            form["StatusCallback"] = told_at(request.status_callback, key)
        client = await self.get_client()
        with in_our_words("send the text"):
            sent = _Sent.model_validate(await ask(client, "POST", self.messages_path, data=form))
            return SentText(sid=sent.sid, status=sent.status)

    async def find_text(self, request: TextRequest, *, key: str, since: datetime) -> SentText | None:
        """
        Return the text that was sent under ``key``, whatever became of it, or None when there is none now.

        It is the one to this recipient that ends with our reference; the words before it do not count, for Twilio may have changed them.
        The list is asked for without dates: a text that waits has no date of sending yet.

        Raises:
            OutcomeUnknown: Also when there are too many texts to look through, or one made after ``since`` does not show its words.

        Source: https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
        """
        reference, seen_blank = text_reference(key), False
        where: dict[str, Any] = {"To": request.to, "PageSize": PAGE}
        client = await self.get_client()
        with in_our_words("look for the text") as call:
            for _ in range(PAGES):
                page = _Messages.model_validate(await ask(client, "GET", self.messages_path, params=where))
                for message in page.messages:
                    if message.body and message.body.rstrip().endswith(reference):
                        return SentText(sid=message.sid, status=message.status)
                    seen_blank = seen_blank or (not message.body and message.date_created >= since - CLOCKS_DIFFER)
                if page.next_page_uri is None:
                    break
                where = dict(parse_qsl(urlsplit(page.next_page_uri).query))  # only its query: the credentials go where we send them
            else:
                raise call.unknown("there is more than we look through")
            if seen_blank:
                raise call.unknown("a text does not show its words")
            return None

    @property
    def messages_path(self) -> str:
        """Where the account's texts are."""
        return f"/2010-04-01/Accounts/{self.account_sid}/Messages.json"

    @property
    def _sender(self) -> dict[str, str]:
        senders = {"From": self.from_number, "MessagingServiceSid": self.messaging_service_sid}
        return {name: value for name, value in senders.items() if value is not None}

    @model_validator(mode="after")
    def _one_sender(self) -> Self:
        if len(self._sender) != 1:
            raise ValueError("the texts come from a number or from a messaging service: give one of the two")
        return self


def told_at(url: str, key: str) -> str:
    """Return the callback address that names the effect, so that the signed address says whose status it is, and asks for retries."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode({"effect": key}))))
    return urlunsplit(parts._replace(query=query, fragment=parts.fragment or CALLBACK_RETRIES))
