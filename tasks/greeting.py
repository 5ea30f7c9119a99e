"""What a new user reads, in the mail and on the phone."""

from __future__ import annotations

from prefect import task

from blocks.sendgrid_account import SendGridAccount
from blocks.twilio_account import TwilioAccount
from hub.ledger import once
from hub.messages import Mail, SentMail, SentText
from hub.policies import NOTIFICATION
from hub.signup_letters import payment_confirmation, verification, welcome
from hub.signups import Signup
from tasks.accounts import account_for
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@task(
    name="welcome-mail",
    task_run_name="welcome {signup.id}",
    tags=["sendgrid"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def mail_welcome(signup: Signup) -> SentMail:
    """Greet the new user."""
    return await _mail(signup, "welcome-mail", welcome(signup))


@task(
    name="payment-mail",
    task_run_name="confirm first payment {signup.id}",
    tags=["sendgrid"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def mail_payment_confirmation(signup: Signup) -> SentMail:
    """Confirm the first payment."""
    return await _mail(signup, "payment-mail", payment_confirmation(signup))


@task(
    name="verification-text",
    task_run_name="text new user {signup.id}",
    tags=["twilio"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def text_verification(signup: Signup) -> SentText:
    """Ask the owner of the phone number to object if the account is not theirs."""
    effect = signup.effect("verification-text", verification(signup))
    twilio = await account_for(effect, TwilioAccount)
    return await once(effect, terms=twilio.terms, call=twilio.send_text, find=twilio.find_text)


async def _mail(signup: Signup, step: str, mail: Mail) -> SentMail:
    effect = signup.effect(step, mail)
    sendgrid = await account_for(effect, SendGridAccount)
    return await once(effect, terms=sendgrid.terms, call=sendgrid.send_mail)
