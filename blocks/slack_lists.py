"""What Slack has of a period, page by page: a bot's messages in a channel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from blocks.slack_account import EVENT_TYPE, PROVIDER, in_our_words
from blocks.translation import Answer
from hub.messages import PostedMessage
from hub.reconciliation.seen import Page, Period, Seen, Shelf

if TYPE_CHECKING:
    from blocks.slack_account import SlackAccount

PAGE = 200
LISTS = 50
"""So many pages of a history may be asked for in a minute. Source: https://docs.slack.dev/apis/web-api/rate-limits#tier_t3"""


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


def slack_shelf(account: SlackAccount, channel: str) -> Shelf:
    """Return what was posted to the channel."""
    page, read = partial(_messages, account, channel), partial(_message, account, channel)
    return Shelf(PROVIDER, PostedMessage, page=page, read=read, of={"channel": channel}, pause_seconds=60 / LISTS)


async def _messages(account: SlackAccount, channel: str, period: Period, after: str | None) -> Page:
    """Source: https://docs.slack.dev/reference/methods/conversations.history."""
    moments = {"oldest": f"{period.since.timestamp():.6f}", "latest": f"{period.until.timestamp():.6f}"}
    return await _history(account, channel, **moments, limit=PAGE, cursor=after)


async def _message(account: SlackAccount, channel: str, timestamp: str) -> Seen | None:
    found = await _history(account, channel, oldest=timestamp, latest=timestamp, limit=1)
    return next((one for one in found.seen if one.reference == timestamp), None)


async def _history(account: SlackAccount, channel: str, **where: Any) -> Page:
    client = await account.get_client()
    with in_our_words("list the messages"):
        answer = await client.conversations_history(channel=channel, inclusive=True, include_all_metadata=True, **where)
        page = _History.model_validate(answer.data)
        following = page.response_metadata.next_cursor if page.response_metadata else ""
        return Page(
            seen=tuple(_seen(channel, message, key) for message in page.messages if (key := _key_of(message)) is not None),
            following=following or None,
        )


def _key_of(message: _Message) -> str | None:
    said = message.metadata
    effect = said.event_payload.get("effect") if said is not None and said.event_type == EVENT_TYPE else None
    return effect if isinstance(effect, str) else None


def _seen(channel: str, message: _Message, key: str) -> Seen:
    posted = PostedMessage(channel=channel, timestamp=message.ts)
    return Seen(provider=PROVIDER, reference=message.ts, key=key, result=posted, asked={"channel": channel})
