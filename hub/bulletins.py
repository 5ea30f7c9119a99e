"""Bulletins: one text to everybody who wants the newsletter, each once. What is owed to whom stands in the ledger, like everything sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.composing import compose
from hub.database import transaction
from hub.incoming import ID_WORDS, SUBJECT_ID, Text, differences
from hub.intending import intend
from hub.message_facts import Unwanted
from hub.notification_types import BULLETIN
from hub.signup_facets import SignupStatus
from hub.signup_tables import BulletinRow, SignupRow
from hub.steps import OPEN_STATES
from hub.subject_rows import as_it_is, locked
from hub.tables import EffectRow, FactRow
from hub.values import Frozen

if TYPE_CHECKING:
    from hub.signups import Signup

BulletinId = Annotated[str, StringConstraints(pattern=SUBJECT_ID), Field(description=ID_WORDS, examples=["b-2026-11"])]
BulletinText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000),
    Field(description="Plain text; an empty line begins a paragraph."),
]


class Bulletin(Frozen):
    """What is sent under one id, always the same."""

    id: BulletinId
    subject_line: Text
    text: BulletinText

    @property
    def step(self) -> str:
        """Its step in the ledger of each sign-up, e.g. ``bulletin.b-2026-11``."""
        return f"{BULLETIN.step}.{self.id}"


class BulletinDiffers(Exception):
    """The id belongs to a bulletin with other content. ``paths`` says where they differ."""

    def __init__(self, bulletin_id: str, paths: list[str]) -> None:
        super().__init__(bulletin_id, paths)
        self.bulletin_id, self.paths = bulletin_id, paths

    def __str__(self) -> str:
        return f"bulletin {self.bulletin_id} is taken by one with other content; it differs in {', '.join(self.paths)}. Choose another id"


async def keep_bulletin(bulletin: Bulletin) -> None:
    """
    Keep the bulletin; the same again is the same.

    Raises:
        BulletinDiffers: Its id belongs to one with other content.
    """
    async with transaction() as session:
        await session.exec(insert(BulletinRow).values(**bulletin.model_dump()).on_conflict_do_nothing())
        known = await session.get_one(BulletinRow, bulletin.id)
        if paths := differences(known.model_dump(include=set(Bulletin.model_fields)), bulletin.model_dump()):
            raise BulletinDiffers(bulletin.id, paths)


async def newsletter_readers() -> list[str]:
    """Return the sign-ups that are complete and want the newsletter, oldest first; who has since told us to stop is not among them."""
    stopped = select(FactRow.id).where(
        col(FactRow.subject_kind) == "signup",
        col(FactRow.subject_id) == col(SignupRow.id),
        col(FactRow.kind) == Unwanted.model_fields["kind"].default,
        col(FactRow.data)["channel"].as_string() == BULLETIN.channel,
    )
    wants = col(SignupRow.request)["preferences"][BULLETIN.preference].as_boolean()
    readers = select(SignupRow.id).where(col(SignupRow.status) == SignupStatus.COMPLETE, col(SignupRow.attention).is_(None), wants)
    async with transaction() as session:
        return list(await session.exec(readers.where(~stopped.exists()).order_by(col(SignupRow.created_at), col(SignupRow.id))))


async def owe(bulletin: Bulletin, signup_id: str) -> bool:
    """Intend the bulletin for this reader, and make the sign-up due; False when what came of it is known already."""
    async with transaction() as session:
        row, now = await locked(session, signup_id, "signup")
        signup: Signup = await as_it_is(session, row)
        effect = signup.effect(bulletin.step, compose(BULLETIN, signup, bulletin=bulletin))
        known = await session.get(EffectRow, effect.key) or await intend(session, effect, now)
        if known.state not in OPEN_STATES:
            return False
        row.epoch, row.resume_at = row.epoch + 1, now
        return True


async def came_of(bulletin: Bulletin, signup_id: str) -> EffectRow:
    """Return what has come of the bulletin for this reader, to whom it was owed."""
    mine = (col(EffectRow.subject_kind) == "signup", col(EffectRow.subject_id) == signup_id, col(EffectRow.step) == bulletin.step)
    async with transaction() as session:
        return (await session.exec(select(EffectRow).where(*mine))).one()
