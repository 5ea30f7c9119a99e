"""Intend: the row of an effect, complete with its request, written before its provider is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, literal, select

from hub.effects import Effect
from hub.steps import EffectState
from hub.tables import EffectRow, metadata

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

_EFFECTS, _ATTEMPTS = metadata.tables["effects"], metadata.tables["attempts"]
_OF_EFFECT = (
    *("key", "subject_kind", "subject_id", "step", "attempt", "provider", "action", "request", "state", "same_key_is_useless"),
    *("useful_until", "created_at"),
)
_OF_CALL = ("run_id", "fence", "started_at", "send_by", "settles_at")
# One statement for both: nobody else has seen the effect yet, so nothing has to be asked in between.
_INTENDED = (
    insert(_EFFECTS)
    .values({name: bindparam(f"effect_{name}", type_=_EFFECTS.c[name].type) for name in _OF_EFFECT})
    .returning(_EFFECTS.c.key)
    .cte("intended")
)
_FIRST_CALL = (
    insert(_ATTEMPTS)
    .from_select(
        ["effect_key", "kind", *_OF_CALL],
        select(_INTENDED.c.key, literal("call"), *(bindparam(f"call_{name}", type_=_ATTEMPTS.c[name].type) for name in _OF_CALL)),
    )
    .returning(_ATTEMPTS.c.id)
)


async def intend(session: AsyncSession, effect: Effect, now: datetime) -> EffectRow:
    """Insert the effect as intended, with its complete request."""
    row = EffectRow(**_row_of(effect, now))
    session.add(row)
    await session.flush()
    return row


async def intend_first_call(session: AsyncSession, effect: Effect, now: datetime, send_by: datetime, settles_at: datetime) -> int:
    """Insert the effect as intended, and the first call with it; return the call's attempt id."""
    call = {"run_id": effect.run_id, "fence": effect.fence, "started_at": now, "send_by": send_by, "settles_at": settles_at}
    values = {f"effect_{name}": value for name, value in _row_of(effect, now).items()}
    inserted = await session.exec(_FIRST_CALL, params=values | {f"call_{name}": value for name, value in call.items()})
    return int(inserted.scalar_one())


def _row_of(effect: Effect, now: datetime) -> dict[str, Any]:
    what = effect.what
    return {
        "key": effect.key,
        "subject_kind": effect.subject_kind,
        "subject_id": effect.subject_id,
        "step": effect.step,
        "attempt": effect.attempt,
        "provider": what.provider,
        "action": what.action,
        "request": effect.request.model_dump(mode="json"),
        "state": EffectState.INTENDED,
        "same_key_is_useless": False,
        "useful_until": None if what.useful_seconds is None else now + timedelta(seconds=what.useful_seconds),
        "created_at": now,
    }
