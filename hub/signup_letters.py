"""The words for a new user: a welcome, the confirmation of the first payment, and a text to the phone number that was given."""

from __future__ import annotations

from hub.letters import mail, words_of
from hub.messages import Mail, TextRequest
from hub.settings import settings
from hub.signups import Signup


def welcome(signup: Signup) -> Mail:
    """Return the mail that greets the new user."""
    return _mail("signup_welcome", "Welcome", signup)


def payment_confirmation(signup: Signup) -> Mail:
    """Return the mail that says that the first payment has come; only for a sign-up with one."""
    return _mail("signup_payment_confirmation", "We have received your payment", signup, money=str(signup.money))


def verification(signup: Signup) -> TextRequest:
    """Return the text to the new user's phone; only for a sign-up with a phone number."""
    return TextRequest(
        to=signup.request.phone_number or "",
        text=words_of("texts/verification-text"),
        status_callback=f"{settings().webhooks_base_url}/webhooks/twilio",
        metadata=signup.reference,
    )


def _mail(template: str, subject: str, signup: Signup, **words: str) -> Mail:
    person = signup.request
    return mail(
        template, subject, (person.email, person.full_name), signup.reference, {"name": person.full_name, "signup_id": signup.id, **words}
    )
