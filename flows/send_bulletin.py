"""One text to everybody who wants the newsletter."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.register_user import go_on
from hub.bulletins import Bulletin, BulletinId, BulletinText, came_of, keep_bulletin, newsletter_readers, owe
from hub.incoming import Text
from hub.steps import EffectState
from tasks.bulk import BulkResult, ItemOutcome, each
from tasks.claiming import enrolled

SENT, SENT_BEFORE, WAITS, UNKNOWN, NOT_SENT = "sent", "sent before", "waits", "unknown", "not sent"
_WORDS = {
    EffectState.DONE: (SENT, "", True),
    EffectState.INTENDED: (WAITS, "its sign-up makes up for it as long as it is useful", False),
    EffectState.UNKNOWN: (UNKNOWN, "it may have been sent, so it is not sent again", False),
}


@flow(name="send-bulletin", flow_run_name="bulletin {bulletin_id}", persist_result=True)
async def send_bulletin(
    bulletin_id: BulletinId, subject_line: Text, text: BulletinText, at_once: Annotated[int, Field(ge=1, le=100)] = 10
) -> BulkResult:
    """
    Mail a text to everybody whose sign-up is complete and wants the newsletter; each gets it once.

    Safe to stop and to start again with the same parameters: it goes to those who have not got it yet.

    Args:
        bulletin_id: Letters, digits, dot, underscore and dash; at most 64. It belongs to this text for good.
        subject_line: The mail's subject.
        text: Plain text; an empty line begins a paragraph.
        at_once: How many mails side by side.
    """
    bulletin = Bulletin(id=bulletin_id, subject_line=subject_line, text=text)
    await keep_bulletin(bulletin)
    return await each(await newsletter_readers(), partial(one, bulletin), at_once=at_once, of="sign-up")


async def one(bulletin: Bulletin, signup_id: str) -> ItemOutcome:
    """Send the bulletin to one reader, and say what came of it."""
    due = await owe(bulletin, signup_id)
    if due:
        async with enrolled(signup_id) as held:
            await go_on(held.subject)
    effect = await came_of(bulletin, signup_id)
    status, message, well = _WORDS.get(EffectState(effect.state), (NOT_SENT, effect.code or "", False))
    return ItemOutcome(id=signup_id, status=SENT_BEFORE if well and not due else status, message=message, well=well)
