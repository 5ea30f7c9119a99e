"""What a user reads, in the mail and on the phone."""

from __future__ import annotations

from hub.effects import Effect
from hub.notification_types import BULLETIN, PAYMENT_CONFIRMATION, VERIFICATION, WELCOME
from hub.signups import Signup
from tasks.notifying import Sent, notifies, notify, send


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


@notifies(BULLETIN, "mail bulletin {signup.id}")
async def mail_bulletin(signup: Signup, owed: Effect) -> Sent:
    """Send the user a bulletin that is owed."""
    del signup  # what makes the cache key
    return await send(owed)
