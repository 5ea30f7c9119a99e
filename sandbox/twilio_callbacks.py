"""
Twilio's status callbacks.

Source: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.callback_delivery import Callback
from sandbox.calls import World

NAME = "twilio"


def tell_status(world: World, message: Mapping[str, Any], url: str | None) -> None:
    """
    Tell the status that ``message``, as the API shows it, has now.

    ``url`` is the message's own StatusCallback; without one it goes where the other webhooks go.
    """
    service, error = message.get("messaging_service_sid"), message.get("error_code")
    fields = {
        "AccountSid": message["account_sid"],
        "ApiVersion": message["api_version"],
        "From": message.get("from") or "",
        "MessageSid": message["sid"],
        "MessageStatus": message["status"],
        "SmsSid": message["sid"],
        "SmsStatus": message["status"],
        "To": message["to"],
        **({"MessagingServiceSid": service} if service else {}),
        **({"ErrorCode": str(error)} if error else {}),
    }
    world.callbacks.post(Callback(NAME, message["status"], str(uuid.uuid4()), fields, url=url))
