"""Senders of webhooks that we never call: systems of the company's own."""

from __future__ import annotations

from typing import ClassVar

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr


class WebhookSender(Block):
    """
    What a sender's webhooks are verified with. The document is named after the path: ``custom`` for ``/webhooks/custom``.

    The secret is ``whsec_`` followed by base64, as Standard Webhooks writes it.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    _block_type_slug = "hub-webhook-sender"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Webhook Sender"
    _description = "Verifies what a system of your own tells the hub."

    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True)

    webhook_secret: SecretStr | None = Field(default=None, min_length=8, description="What the sender's webhooks are verified with.")
    previous_webhook_secret: SecretStr | None = Field(
        default=None, min_length=8, description="The secret before a rotation; valid beside the new one until it is removed."
    )

    @property
    def webhook_secrets(self) -> tuple[SecretStr, ...]:
        """The secrets that are valid now, newest first."""
        return tuple(secret for secret in (self.webhook_secret, self.previous_webhook_secret) if secret is not None)
