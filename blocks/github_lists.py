"""What GitHub has of a period, page by page: a repository's deployments, and what was told of them."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import TypeAdapter, field_validator

from blocks.github_account import PAGE, DeploymentAnswer, StatusAnswer, statuses_path
from blocks.github_transport import PROVIDER, in_our_words
from blocks.json_api import ask
from hub.deploying import Deployment, meaning_of
from hub.facts import Fact
from hub.readings.news import effect_in
from hub.reconciliation.seen import Page, Period, Seen, Shelf

if TYPE_CHECKING:
    from blocks.github_account import GitHubAccount


class _Deployment(DeploymentAnswer):
    ref: str
    environment: str


class _Status(StatusAnswer):
    created_at: datetime

    @field_validator("created_at", mode="before")
    @classmethod
    def _as_a_moment(cls, text: str) -> datetime:
        return datetime.fromisoformat(text)


_DEPLOYMENTS = TypeAdapter(list[_Deployment])
_STATUSES = TypeAdapter(list[_Status])


def github_shelf(account: GitHubAccount, repository: str) -> Shelf:
    """Return the deployments of the repository."""
    page, read = partial(_deployments, account, repository), partial(_deployment, account, repository)
    return Shelf(PROVIDER, Deployment, page=page, read=read, of={"repository": repository})


async def _deployments(account: GitHubAccount, repository: str, period: Period, after: str | None) -> Page:
    """
    Return a page of the deployments of the period. The list is newest first and takes no dates, so it is read until it gets older.

    Source: https://docs.github.com/en/rest/deployments/deployments#list-deployments
    """
    number = int(after or 1)
    client = await account.get_client()
    with in_our_words("list the deployments"):
        where = {"per_page": PAGE, "page": number}
        found = _DEPLOYMENTS.validate_python(await ask(client, "GET", f"/repos/{repository}/deployments", params=where))
    ours = [one for one in found if period.covers(one.made_at) and isinstance(one.effect, str)]
    over = len(found) < PAGE or any(one.made_at < period.since for one in found)
    seen = tuple([await _seen(account, repository, one, period.until) for one in ours])
    return Page(seen=seen, following=None if over else str(number + 1))


async def _deployment(account: GitHubAccount, repository: str, deployment_id: str) -> Seen | None:
    client = await account.get_client()
    with in_our_words("read the deployment"):
        try:
            answer = await ask(client, "GET", f"/repos/{repository}/deployments/{deployment_id}")
        except httpx.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            return None
        found = _Deployment.model_validate(answer)
    return await _seen(account, repository, found, None) if isinstance(found.effect, str) else None


async def _seen(account: GitHubAccount, repository: str, found: _Deployment, until: datetime | None) -> Seen:
    asked: dict[str, Any] = {"repository": repository, "ref": found.ref, "environment": found.environment}
    return Seen(
        provider=PROVIDER,
        reference=str(found.id),
        key=found.effect,
        result=Deployment(deployment_id=found.id),
        asked=asked,
        news=await _told(account, repository, found, until),
    )


async def _told(account: GitHubAccount, repository: str, found: _Deployment, until: datetime | None) -> tuple[Fact, ...]:
    """Return what the deployment's statuses mean, oldest first; one that is younger than ``until`` may still be on its way to us."""
    ours = effect_in(found.effect)
    if ours is None:
        return ()
    client = await account.get_client()
    with in_our_words("list the statuses"):
        answer = await ask(client, "GET", statuses_path(repository, found.id), params={"per_page": PAGE})
        told = [status for status in _STATUSES.validate_python(answer) if until is None or status.created_at <= until]
    return tuple(meaning_of(status.in_our_type(), found.id, ours.about.subject_id) for status in reversed(told))
