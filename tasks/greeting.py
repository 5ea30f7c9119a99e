"""What a new user reads, in the mail and on the phone."""

from __future__ import annotations

from hub.notification_types import PAYMENT_CONFIRMATION, VERIFICATION, WELCOME
from hub.signups import Signup
from tasks.notifying import Sent, notifies, notify


@notifies(WELCOME, "welcome {signup.id}")
async def mail_welcome(signup: Signup) -> Sent:
    """Greet the new user."""
    return await notify(signup, WELCOME)


@notifies(PAYMENT_CONFIRMATION, "confirm first payment {signup.id}")
async def mail_payment_confirmation(signup: Signup) -> Sent:
    """Confirm the first payment."""
    return await notify(signup, PAYMENT_CONFIRMATION)


@notifies(VERIFICATION, "text new user {signup.id}")
async def text_verification(signup: Signup) -> Sent:
    """Ask the owner of the phone number to object if the account is not theirs."""
    return await notify(signup, VERIFICATION)
