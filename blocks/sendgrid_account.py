"""SendGrid: mailing customers."""

from __future__ import annotations

import json
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from blocks.provider_account import ProviderAccount
from blocks.sendgrid_transport import PROVIDER, SendGridClient, in_our_words, sendgrid_client
from blocks.thread_transport import in_thread
from blocks.translation import Answer
from hub.messages import Mail, SentMail


class _Scopes(Answer):
    scopes: list[str]


class SendGridAccount(ProviderAccount):
    """
    Credentials of one SendGrid account and the sender of its mails.

    SendGrid keeps no idempotency keys and cannot be asked in time what became of a mail; our reference comes back on its events.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; the mail may be on its way.
        Misconfigured: Bad key, an unverified sender, or a request SendGrid does not accept; nothing happened.

    Source: https://www.twilio.com/docs/sendgrid/api-reference
    """

    _block_type_slug = "hub-sendgrid-account"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub SendGrid Account"
    _description = "Sends mails to customers through one SendGrid account."

    provider: ClassVar[str] = PROVIDER
    can_be_asked: ClassVar[bool] = False
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.sendgrid.com", "api.eu.sendgrid.com"})

    api_key: SecretStr = Field(min_length=8, description="API key (SG.…) with the right to send mail.")
    base_url: str = Field(default="https://api.sendgrid.com", description="Where the API lives, without /v3.")
    from_email: str = Field(min_length=3, pattern=r"^[^@\s]+@[^@\s]+$", description="Verified sender of the mails.")
    from_name: str = Field(default="", description="Name beside the sender's address.")

    async def get_client(self) -> SendGridClient:
        """Return SendGrid's own client and the threads its calls run in, for this event loop."""
        return await self.pooled(partial(sendgrid_client, self.api_key.get_secret_value(), self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """
        Return one sentence about the account.

        Raises:
            Misconfigured: The key is not accepted, or may not send mail.

        Source: https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions
        """
        client = await self.get_client()
        with in_our_words("say who we are") as call:
            response = await in_thread(client.threads, self.timeout_seconds, client.sdk.client.scopes.get)
            scopes = _Scopes.model_validate(json.loads(response.body)).scopes
            if "mail.send" not in scopes:
                raise call.misconfigured("the key may not send mail")
        return "SendGrid accepts the key; it may send mail."

    async def send_mail(self, request: Mail, *, key: str) -> SentMail:
        """
        Hand a mail over to SendGrid; whether it arrives is a later fact. A repeat sends a second mail.

        Raises:
            Refused: The recipient's address is none (``invalid_recipient``).

        Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
        """
        message: dict[str, Any] = {
            "personalizations": [{"to": [_person(request.to_email, request.to_name)]}],
            "from": _person(self.from_email, self.from_name),
            "subject": request.subject,
            "content": [{"type": "text/plain", "value": request.text}, {"type": "text/html", "value": request.html}],
            "custom_args": {**request.metadata, "effect": key},
        }
        client = await self.get_client()
        with in_our_words("send the mail") as call:
            response = await in_thread(client.threads, self.timeout_seconds, partial(client.sdk.send, message))
            message_id = response.headers["X-Message-Id"]
            if response.status_code != HTTPStatus.ACCEPTED or not message_id:
                raise call.unknown("an answer nobody can read")
            return SentMail(message_id=message_id)


def _person(email: str, name: str) -> dict[str, str]:
    return {"email": email, "name": name} if name else {"email": email}
