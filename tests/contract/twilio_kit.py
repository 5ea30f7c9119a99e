"""What the tests of Twilio's account share: an account at the sandbox, and a text."""

from __future__ import annotations

from typing import Any

from blocks.twilio_account import TwilioAccount
from hub.messages import TextRequest

TOKEN = "rehearsal_twilio_token"
SID = "AC" + "0a" * 16
PHONE = "+14155550123"
KEY = "3f1c0000-0000-4000-8000-000000000001:order:o-1:text:1"


def an_account(url: str, token: str = TOKEN, timeout_seconds: float = 5, **changes: Any) -> TwilioAccount:
    fields = {"account_sid": SID, "from_number": "+15005550006", **changes}
    return TwilioAccount(api_key=token, base_url=f"{url}/twilio", timeout_seconds=timeout_seconds, **fields)


def a_text(**changes: Any) -> TextRequest:
    return TextRequest(**{"to": PHONE, "text": "Your order o-1 is on its way.", **changes})
