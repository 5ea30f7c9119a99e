"""
Which button somebody has pressed. Our reference is in the metadata of the message, as ``effect``, or is the button's value.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hub.facts import ButtonPressed
from hub.readings.news import Foreign, Id, Line, Metadata, News, Ours, effect_in
from hub.readings.registry import reads

PROVIDER = "slack"


class _User(Foreign):
    id: Id
    username: Line | None = None
    name: Line | None = None


class _Action(Foreign):
    action_id: Line
    action_ts: Id
    value: Line | None = None


class _MessageMetadata(Foreign):
    event_payload: Metadata


class _Message(Foreign):
    ts: Id
    metadata: _MessageMetadata | None = None


class _Channel(Foreign):
    id: Id


class _Click(Foreign):
    user: _User
    channel: _Channel | None = None
    message: _Message | None = None
    actions: Annotated[list[_Action], Field(min_length=1)]

    @property
    def ours(self) -> Ours | None:
        """The effect that the message was, or that one of its buttons names."""
        said = self.message and self.message.metadata
        values = (effect_in(action.value) for action in self.actions)
        return (said and said.event_payload.ours) or next((found for found in values if found is not None), None)


@reads(PROVIDER, "block_actions")
def buttons_pressed(event: dict[str, Any]) -> News | None:
    """Somebody has pressed a button, chosen something or set a date."""
    click = _Click.model_validate(event)
    if (ours := click.ours) is None:
        return None
    pressed = tuple(
        ButtonPressed(
            action=action.action_id,
            value=action.value,
            user_id=click.user.id,
            user_name=click.user.username or click.user.name or click.user.id,
            channel=click.channel and click.channel.id,
            message=click.message and click.message.ts,
            pressed_at=action.action_ts,
        )
        for action in click.actions
    )
    return News(about=ours.about, facts=pressed)
