"""Slack: telling the team."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from blocks.provider_account import ProviderAccount
from blocks.translation import Answer, Call, seconds_to_wait, translated
from blocks.transports import guarded_session
from hub.errors import Refused
from hub.messages import Button, MessageUpdate, PostedMessage, TeamMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.errors import ProviderError

PROVIDER = "slack"
EVENT_TYPE = "hub_effect"
PAGE, PAGES = 200, 20
LONGEST_SECTION = 3000
"""Source: https://docs.slack.dev/reference/block-kit/blocks/section-block"""
CLOCKS_DIFFER = timedelta(seconds=60)
TOO_OFTEN = frozenset({"ratelimited", "rate_limited"})
SLACK_FAILED = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
"""Answers after which it may have happened. Source: https://docs.slack.dev/reference/methods/chat.postMessage#errors"""

CANNOT_BE_UPDATED = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})
"""Answers to an update that no second try changes. Source: https://docs.slack.dev/reference/methods/chat.update#errors"""

_quiet = logging.getLogger("blocks.slack_sdk")
_quiet.setLevel(logging.WARNING)  # the SDK logs messages and answers at DEBUG


class _Posted(Answer):
    ok: Literal[True]
    channel: str
    ts: str


class _Metadata(Answer):
    event_type: str
    event_payload: dict[str, Any]


class _Message(Answer):
    ts: str
    metadata: _Metadata | None = None


class _More(Answer):
    next_cursor: str = ""


class _History(Answer):
    ok: Literal[True]
    messages: list[_Message]
    response_metadata: _More | None = None


class _Who(Answer):
    ok: Literal[True]
    team: str
    user: str


class SlackAccount(ProviderAccount):
    """
    A bot in one Slack workspace.

    Slack keeps no idempotency keys; our reference travels in the message's metadata, where ``find_message`` looks for it.

    Every verb can raise:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Bad token, missing scope, no such channel, or a message Slack does not accept; nothing happened.

    Source: https://docs.slack.dev/reference/methods
    """

    _block_type_slug = "hub-slack-account"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Slack Account"
    _description = "Posts to team channels as a bot of one Slack workspace."

    provider: ClassVar[str] = PROVIDER
    official_hosts: ClassVar[frozenset[str]] = frozenset({"slack.com"})

    api_key: SecretStr = Field(min_length=8, title="Bot token", description="Bot token (xoxb-…), scopes chat:write and channels:history.")
    base_url: str = Field(default="https://slack.com/api", description="Where the API lives, /api included.")

    async def get_client(self) -> AsyncWebClient:
        """Return Slack's own client for this event loop; it repeats nothing by itself."""
        return await self.pooled(partial(_slack_client, self.api_key.get_secret_value(), self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """
        Return one sentence about who we are.

        Source: https://docs.slack.dev/reference/methods/auth.test
        """
        client = await self.get_client()
        with in_our_words("say who we are"):
            who = _Who.model_validate((await client.auth_test()).data)
        return f"Slack knows us as {who.user} in {who.team}."

    async def post_message(self, request: TeamMessage, *, key: str) -> PostedMessage:
        """
        Post a message; a repeat posts a second one. A reply is also shown in the channel: others are not in its history.

        Source: https://docs.slack.dev/reference/methods/chat.postMessage
        """
        metadata = {"event_type": EVENT_TYPE, "event_payload": {**request.metadata, "effect": key}}
        client = await self.get_client()
        with in_our_words("post the message"):
            answer = await client.chat_postMessage(
                channel=request.channel,
                text=request.text,
                blocks=_blocks(request, key) or None,
                metadata=metadata,
                thread_ts=request.thread,
                reply_broadcast=None if request.thread is None else True,
            )
            posted = _Posted.model_validate(answer.data)
            return PostedMessage(channel=posted.channel, timestamp=posted.ts)

    async def update_message(self, request: MessageUpdate, *, key: str) -> PostedMessage:
        """
        Let a posted message say something else; a repeat changes nothing more.

        Raises:
            Refused: Somebody has deleted it, or it may not be changed any more.

        Source: https://docs.slack.dev/reference/methods/chat.update
        """
        metadata = {"event_type": EVENT_TYPE, "event_payload": {**request.metadata, "effect": key}}
        client = await self.get_client()
        with in_our_words("update the message"):
            answer = await client.chat_update(
                channel=request.channel, ts=request.timestamp, text=request.text, blocks=_blocks(request, key), metadata=metadata
            )
            posted = _Posted.model_validate(answer.data)
            return PostedMessage(channel=posted.channel, timestamp=posted.ts)

    async def find_message(self, request: TeamMessage, *, key: str, since: datetime) -> PostedMessage | None:
        """
        Return the message that was posted under ``key``, or None when there is none now. ``since`` is when the request was made.

        Raises:
            OutcomeUnknown: Also when there are too many messages to look through.

        Source: https://docs.slack.dev/reference/methods/conversations.history
        """
        oldest = f"{(since - CLOCKS_DIFFER).timestamp():.6f}"
        client = await self.get_client()
        with in_our_words("look for the message") as call:
            cursor: str | None = None
            for _ in range(PAGES):
                answer = await client.conversations_history(
                    channel=request.channel, oldest=oldest, inclusive=True, limit=PAGE, cursor=cursor, include_all_metadata=True
                )
                page = _History.model_validate(answer.data)
                for message in page.messages:
                    if _carries(message, key):
                        return PostedMessage(channel=request.channel, timestamp=message.ts)
                cursor = page.response_metadata.next_cursor if page.response_metadata else ""
                if not cursor:
                    return None
            raise call.unknown("there is more than we look through")


def in_our_words(action: str) -> AbstractContextManager[Call]:
    """Turn what the SDK raises into a ``ProviderError`` by listed errors; a refusal is only that a message cannot be changed."""
    return translated(PROVIDER, action, _verdict)


@asynccontextmanager
async def _slack_client(token: str, base_url: str, timeout_seconds: float) -> AsyncIterator[AsyncWebClient]:
    async with guarded_session(timeout_seconds) as session:
        client = AsyncWebClient(token, base_url=f"{base_url}/", session=session, retry_handlers=[], logger=_quiet)
        client.proxy = None  # the constructor takes one from the environment when it is given none
        yield client


def _blocks(request: TeamMessage | MessageUpdate, key: str) -> list[dict[str, Any]]:
    """
    Return the message as blocks when it has buttons; each carries our reference, so that a click names the effect.

    Source: https://docs.slack.dev/reference/block-kit/blocks/actions-block
    """
    if not request.buttons:
        return []
    elements = [_button(button, key) for button in request.buttons]
    said = {"type": "mrkdwn", "text": request.text[:LONGEST_SECTION]}
    return [{"type": "section", "text": said}, {"type": "actions", "elements": elements}]


def _button(button: Button, key: str) -> dict[str, Any]:
    """
    Return the button, which asks whether that is meant where it has a question.

    Source: https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object
    """
    shown = {
        "type": "button",
        "action_id": button.action,
        "text": {"type": "plain_text", "text": button.text},
        "style": button.style,
        "value": key,
    }
    if button.sure is None:
        return shown
    words = {"title": f"{button.text}?", "text": button.sure, "confirm": button.text, "deny": "Cancel"}
    return shown | {"confirm": {name: {"type": "plain_text", "text": text} for name, text in words.items()}}


def _carries(message: _Message, key: str) -> bool:
    said = message.metadata
    return said is not None and said.event_type == EVENT_TYPE and said.event_payload.get("effect") == key


def _verdict(call: Call, error: Exception) -> ProviderError | None:
    if not isinstance(error, SlackApiError):
        return None
    answer = error.response
    if not isinstance(answer, AsyncSlackResponse):  # aiohttp's own answer: its body is no JSON
        return call.by_status(retry_after_seconds=seconds_to_wait(answer.headers))
    wait = seconds_to_wait(answer.headers)
    said = answer.data if isinstance(answer.data, dict) else {}
    call.exchange.said(str(said))
    code = said.get("error")
    if said.get("ok") is not False or not isinstance(code, str):
        return call.by_status(retry_after_seconds=wait)
    return _by_code(call, code, wait)


def _by_code(call: Call, code: str, wait: float | None) -> ProviderError:
    if code in TOO_OFTEN:
        return call.rate_limited(wait, code)
    if code in CANNOT_BE_UPDATED:
        return Refused(PROVIDER, call.action, call.reason("the message cannot be changed", code), code)
    if code in SLACK_FAILED:
        return call.unknown("the provider failed", code)
    if call.exchange.http_status == HTTPStatus.OK:
        return call.misconfigured("the request is not accepted", code)
    return call.by_status(code, retry_after_seconds=wait)
