"""What the customer reads on the phone."""

from __future__ import annotations

from prefect import task

from blocks.twilio_account import TwilioAccount
from hub.effects import Effect
from hub.ledger import once
from hub.messages import SentText
from hub.orders import Order
from hub.policies import NOTIFICATION
from tasks.accounts import account_for
from tasks.bulk import straight
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@straight
@task(
    name="text",
    task_run_name="text customer {order.id}",
    tags=["twilio"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **NOTIFICATION.task_options(),
)
async def text_customer(order: Order, owed: Effect) -> SentText:
    """Text the customer what a mail could not tell."""
    del order  # what makes the cache key
    twilio = await account_for(owed, TwilioAccount)
    return await once(owed, terms=twilio.terms, call=twilio.send_text, find=twilio.find_text)
