"""What every account at a provider has: credentials, an address, a time limit, a pooled client per event loop."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from blocks.addresses import Mode, checked_address, is_loopback
from hub.effects import Terms
from hub.per_loop import per_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Self

Client = TypeVar("Client")
REHEARSAL: Final = "rehearsal"


class ProviderAccount(Block, ABC):
    """
    One account at one provider, and the few things we ask of it.

    A key travels only to the provider's official https host or to this machine, redirects are not followed, proxies of the
    environment are not used, and a live key never travels over http. Constructing an account that breaks this fails with a
    ``ValidationError`` that says what to change and does not hold the key.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True)

    provider: ClassVar[str]
    """Our name for the provider; also the name of its block document."""
    keeps_idempotency_keys: ClassVar[bool] = False
    """Whether a repeat under the same key gives the first answer again."""
    can_be_asked: ClassVar[bool] = True
    """Whether there is a look-up that tells soon and surely what came of a request."""
    official_hosts: ClassVar[frozenset[str]]

    api_key: SecretStr = Field(min_length=8, description="Key of the account.")
    base_url: str = Field(description="Where the API lives: the provider's official https host, or this machine.")
    timeout_seconds: float = Field(default=20, gt=0, description="Limit for one whole HTTP call, its answer included.")
    late_seconds: float = Field(
        default=120, ge=0, description="How long after its time limit a request may still take effect at the provider."
    )
    allow_other_host: bool = Field(default=False, description="Let the key travel to a host that is not the provider's own.")
    webhook_secret: SecretStr | None = Field(default=None, min_length=8, description="What the provider's webhooks are verified with.")
    previous_webhook_secret: SecretStr | None = Field(
        default=None, min_length=8, description="The secret before a rotation; valid beside the new one until it is removed."
    )

    @property
    def mode(self) -> Mode:
        """What a call can do: ``rehearsal`` plays on this machine, ``test`` at the provider without money, ``live`` for real."""
        return REHEARSAL if is_loopback(self.base_url) else self.kind_of_key(self.api_key.get_secret_value())

    @property
    def terms(self) -> Terms:
        """What the ledger has to know about calls through this account."""
        return Terms(self.timeout_seconds, self.late_seconds, keeps_keys=self.keeps_idempotency_keys, can_be_asked=self.can_be_asked)

    @property
    def credentials(self) -> str:
        """Everything that says who we are; what differs in it shares no connection."""
        return self.api_key.get_secret_value()

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """The secrets that are valid now, newest first."""
        return tuple(secret for secret in (self.webhook_secret, self.previous_webhook_secret) if secret is not None)

    @classmethod
    def kind_of_key(cls, key: str) -> Mode:
        """Return what ``key`` opens. A provider without test keys has rehearsal keys (they say so) and live ones."""
        return REHEARSAL if REHEARSAL in key else "live"

    @abstractmethod
    async def get_client(self) -> Any:
        """Return the provider's client for this event loop: shared by all accounts with the same credentials, closed with the loop."""

    @abstractmethod
    async def check(self) -> str:
        """
        Return one sentence about who we are at the provider; proves that the address and the credentials work.

        Raises:
            ProviderError: They do not, or the provider did not answer.
        """

    async def pooled(self, opener: Callable[[], AbstractAsyncContextManager[Client]]) -> Client:
        """Return this event loop's client for these credentials, this address and this limit, opening it on first use."""
        fingerprint = hashlib.sha256(self.credentials.encode()).hexdigest()
        return await per_loop((type(self).__name__, fingerprint, self.base_url, self.timeout_seconds), opener)

    @field_validator("api_key")
    @classmethod
    def _key_fits_a_header(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("a key is printable ASCII without blanks; was a line break copied with it?")
        return key

    @model_validator(mode="after")
    def _key_may_travel_there(self) -> Self:
        self.base_url = checked_address(
            self.base_url,
            official_hosts=self.official_hosts,
            kind_of_key=self.kind_of_key(self.api_key.get_secret_value()),
            allow_other_host=self.allow_other_host,
        )
        return self
