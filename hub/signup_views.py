"""Sign-ups as the outside sees them: no personal data, the same words in the gateway, the command line and the UI."""

from __future__ import annotations

from datetime import datetime

from hub.database import transaction
from hub.payments import NextAction
from hub.signup_rows import NoSuchSignup
from hub.signup_tables import SignupRow
from hub.signups import Signup, SignupResult
from hub.subject_rows import as_it_is


class SignupView(SignupResult):
    """A sign-up as the outside sees it: the result so far; ``resumeAt`` when it goes on by itself, ``nextAction`` what the user must do."""

    signup_id: str
    message: str
    next_action: NextAction | None
    resume_at: datetime | None
    created_at: datetime


async def view_signup(signup_id: str) -> SignupView:
    """
    Return the sign-up as it is now.

    Raises:
        NoSuchSignup: It does not exist.
    """
    async with transaction() as session:
        row = await session.get(SignupRow, signup_id)
        if row is None:
            raise NoSuchSignup(signup_id)
        signup: Signup = await as_it_is(session, row)
    return SignupView(
        **signup.result().model_dump(),
        signup_id=row.id,
        message=row.message,
        next_action=signup.next_action,
        resume_at=row.resume_at,
        created_at=row.created_at,
    )
