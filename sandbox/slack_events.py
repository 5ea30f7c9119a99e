"""
What Slack tells an app: events of the Events API, the check of its address, and buttons that people press.

Source: https://docs.slack.dev/apis/events-api and https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import time
from typing import Any

from sandbox.callback_delivery import Callback
from sandbox.calls import World, new_id

NAME = "slack"
TEAM, APP, PERSON = "T0REHEARSAL", "A0REHEARSAL", "U0PERSON"
_TOKEN = "rehearsal-verification-token"  # noqa: S105 - deprecated by Slack, and a secret to nobody


def tell_event(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """Tell an event of the Events API, e.g. ``{"type": "app_mention", …}``, and return its envelope."""
    now = time.time()
    identity = new_id("Ev0", 8).upper()
    envelope = {
        "token": _TOKEN,
        "team_id": TEAM,
        "api_app_id": APP,
        "event": {"event_ts": f"{now:.6f}", **event},
        "type": "event_callback",
        "event_id": identity,
        "event_time": int(now),
        "authorizations": [
            {"enterprise_id": None, "team_id": TEAM, "user_id": "U0REHEARSAL", "is_bot": True, "is_enterprise_install": False}
        ],
        "is_ext_shared_channel": False,
    }
    world.callbacks.post(Callback(NAME, str(event["type"]), identity, envelope))
    return envelope


def check_address(world: World) -> dict[str, Any]:
    """Ask the app for the challenge back, as Slack does when the address is set."""
    content = {"token": _TOKEN, "challenge": new_id("", 52), "type": "url_verification"}
    world.callbacks.post(Callback(NAME, "url_verification", new_id("", 22), content))
    return content


def press(world: World, channel: str, message: dict[str, Any], action_id: str, *, value: str | None, person: str) -> dict[str, Any]:
    """Press the button ``action_id`` of a message and return the payload; ``value`` is what the button carries unless given."""
    block, button = _button(message, action_id)
    now = f"{time.time():.6f}"
    action = {
        "action_id": action_id,
        "block_id": block.get("block_id", "b1"),
        "text": button.get("text", {"type": "plain_text", "text": action_id, "emoji": True}),
        "value": button.get("value", "") if value is None else value,
        "type": "button",
        "action_ts": now,
    }
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": person, "username": "rehearsal", "name": "rehearsal", "team_id": TEAM},
        "api_app_id": APP,
        "token": _TOKEN,
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel, "is_ephemeral": False},
        "trigger_id": f"{int(time.time())}.{new_id('', 24)}",
        "team": {"id": TEAM, "domain": "rehearsal"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel, "name": "rehearsal"},
        "message": message,
        "state": {"values": {}},
        "actions": [action],
    }
    world.callbacks.post(Callback(NAME, "block_actions", f"{channel}:{message['ts']}:{action_id}:{now}", payload, form=True))
    return payload


def _button(message: dict[str, Any], action_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    for block in message.get("blocks") or []:
        for element in [*block.get("elements", []), block.get("accessory") or {}]:
            if element.get("action_id") == action_id:
                return block, element
    return {}, {}
