"""GitHub: releasing services, and asking for webhooks that did not get through."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import httpx
from pydantic import Field, SecretStr, StringConstraints, TypeAdapter

from blocks.github_transport import PROVIDER, github_client, in_our_words
from blocks.json_api import answered, ask
from blocks.provider_account import ProviderAccount
from blocks.translation import Answer
from hub.deploying import REPOSITORY, Deployment, DeploymentRequest, DeploymentStatus, FailedDelivery, Hook, Mark, MarkRequest, marked
from hub.release_facts import DeploymentState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from blocks.transports import GuardedClient

PAGE, PAGES = 100, 20
CLOCKS_DIFFER = timedelta(seconds=60)
_HOOK = REPOSITORY.removesuffix("$") + r"/[0-9]{1,18}$"


class _User(Answer):
    login: str


class _Made(Answer):
    id: int


class DeploymentAnswer(Answer):
    """A deployment as GitHub shows it."""

    id: int
    payload: dict[str, Any] | str | None
    created_at: str

    @property
    def effect(self) -> Any:
        """Return our reference, if it has one."""
        return self.payload.get("effect") if isinstance(self.payload, dict) else None

    @property
    def made_at(self) -> datetime:
        """Return when it was asked for."""
        return _moment(self.created_at)


class StatusAnswer(Answer):
    """A status of a deployment as GitHub shows it."""

    id: int
    state: DeploymentState
    environment: str
    description: str | None

    def in_our_type(self) -> DeploymentStatus:
        """Return it as one of our values."""
        return DeploymentStatus(status_id=self.id, state=self.state, environment=self.environment, description=self.description or "")


class _Delivery(Answer):
    id: int
    guid: str
    delivered_at: str
    status_code: int
    event: str


_DEPLOYMENTS = TypeAdapter(list[DeploymentAnswer])
_STATUSES = TypeAdapter(list[StatusAnswer])
_DELIVERIES = TypeAdapter(list[_Delivery])


class GitHubAccount(ProviderAccount):
    """
    A token that may read and write the deployments of some repositories.

    GitHub keeps no idempotency keys; our reference travels in a deployment's payload and at the end of a status's description, where
    ``find_deployment`` and ``find_mark`` look for it.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Bad token, missing permission, no such repository; nothing happened.

    Source: https://docs.github.com/en/rest
    """

    _block_type_slug = "hub-github-account"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub GitHub Account"
    _description = "Asks for deployments of the company's services."

    provider: ClassVar[str] = PROVIDER
    official_hosts: ClassVar[frozenset[str]] = frozenset({"api.github.com"})

    api_key: SecretStr = Field(
        min_length=8, title="Token", description="Fine-grained token: Deployments read and write; Webhooks read and write for ``hooks``."
    )
    base_url: str = Field(default="https://api.github.com", description="Where the API lives.")
    hooks: tuple[Annotated[str, StringConstraints(pattern=_HOOK)], ...] = Field(
        default=(), description="Webhooks whose missed deliveries are asked for again, each owner/name/hook-id."
    )

    async def get_client(self) -> GuardedClient:
        """Return an ``httpx.AsyncClient`` for this event loop that knows the address, the token and the API version."""
        return await self.pooled(partial(github_client, self.api_key.get_secret_value(), self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """
        Return one sentence about who we are.

        Source: https://docs.github.com/en/rest/users/users#get-the-authenticated-user
        """
        client = await self.get_client()
        with in_our_words("say who we are"):
            return f"GitHub knows us as {_User.model_validate(await ask(client, 'GET', '/user')).login}."

    async def create_deployment(self, request: DeploymentRequest, *, key: str) -> Deployment:
        """
        Ask for a deployment. A repeat asks for a second one: look first. Nothing is merged on the way.

        Raises:
            Refused: The ref cannot be merged, is none, or one of its required checks has not passed.

        Source: https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
        """
        wanted = {
            "ref": request.ref,
            "environment": request.environment,
            "auto_merge": False,
            "required_contexts": request.required_contexts,
            "description": request.description,
            "payload": {**request.metadata, "effect": key},
        }
        client = await self.get_client()
        with in_our_words("create the deployment"):
            made = _Made.model_validate(await ask(client, "POST", f"/repos/{request.repository}/deployments", json=wanted))
            return Deployment(deployment_id=made.id)

    async def find_deployment(self, request: DeploymentRequest, *, key: str, since: datetime) -> Deployment | None:
        """
        Return the deployment that was asked for under ``key``, or None when there is none now. ``since`` is when the request was made.

        Raises:
            OutcomeUnknown: Also when there are too many deployments to look through.

        Source: https://docs.github.com/en/rest/deployments/deployments#list-deployments
        """
        oldest = since - CLOCKS_DIFFER
        where = {"ref": request.ref, "environment": request.environment}
        client = await self.get_client()
        with in_our_words("look for the deployment") as call:
            async for page in _pages(client, f"/repos/{request.repository}/deployments", where):
                found = _DEPLOYMENTS.validate_python(page)
                for deployment in found:
                    if deployment.effect == key:
                        return Deployment(deployment_id=deployment.id)
                if len(found) < PAGE or all(deployment.made_at < oldest for deployment in found):
                    return None
            raise call.unknown("there is more than we look through")

    async def mark_deployment(self, request: MarkRequest, *, key: str) -> Mark:
        """
        Give a deployment a status of ours. A repeat gives it a second one: look first.

        Source: https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status
        """
        said = {"state": request.state, "description": marked(request, key)}
        client = await self.get_client()
        with in_our_words("mark the deployment"):
            return Mark(
                status_id=_Made.model_validate(
                    await ask(client, "POST", statuses_path(request.repository, request.deployment_id), json=said)
                ).id
            )

    async def find_mark(self, request: MarkRequest, *, key: str, since: datetime) -> Mark | None:
        """
        Return the status that was given under ``key``, or None when there is none now.

        Source: https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
        """
        del since  # a deployment has few statuses
        description = marked(request, key)
        statuses = await self.statuses_of(request.repository, request.deployment_id)
        return next((Mark(status_id=status.status_id) for status in statuses if status.description == description), None)

    async def statuses_of(self, repository: str, deployment_id: int) -> list[DeploymentStatus]:
        """
        Return everything that was told of a deployment so far, by whoever deploys and by us.

        Source: https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
        """
        told: list[DeploymentStatus] = []
        client = await self.get_client()
        with in_our_words("list the statuses") as call:
            async for page in _pages(client, statuses_path(repository, deployment_id), {}):
                found = _STATUSES.validate_python(page)
                told += [status.in_our_type() for status in found]
                if len(found) < PAGE:
                    return told
            raise call.unknown("there is more than we look through")

    @property
    def watched_hooks(self) -> tuple[Hook, ...]:
        """The webhooks whose missed deliveries are asked for again."""
        parts = (name.rpartition("/") for name in self.hooks)
        return tuple(Hook(repository=repository, hook_id=int(number)) for repository, _, number in parts)

    async def failed_deliveries(self, hook: Hook, *, kind: str, newer_than: datetime) -> list[FailedDelivery]:
        """
        Return the deliveries of events of this kind that failed after that moment, oldest first; GitHub keeps them for three days.

        Source: https://docs.github.com/en/rest/repos/webhooks#list-deliveries-for-a-repository-webhook
        """
        failed: list[FailedDelivery] = []
        where: dict[str, Any] = {"per_page": PAGE, "status": "failure"}
        client = await self.get_client()
        with in_our_words("list the deliveries"):
            for _ in range(PAGES):
                response = await answered(client, "GET", f"/repos/{hook.repository}/hooks/{hook.hook_id}/deliveries", params=where)
                page = [(one, _moment(one.delivered_at)) for one in _DELIVERIES.validate_python(response.json())]
                failed += [
                    FailedDelivery(delivery_id=one.id, guid=one.guid, delivered_at=moment)
                    for one, moment in page
                    if one.event == kind and not 200 <= one.status_code < 300 and moment > newer_than  # noqa: PLR2004 - what a success is
                ]
                following = httpx.URL(response.links.get("next", {}).get("url", "")).params.get("cursor")
                if following is None or not page or page[-1][1] <= newer_than:
                    break
                where["cursor"] = following  # the rest of that address is not followed: the token goes nowhere else
        return sorted(failed, key=lambda one: one.delivered_at)

    async def redeliver(self, hook: Hook, delivery_id: int) -> None:
        """
        Have a past delivery sent once more, under its old id.

        Source: https://docs.github.com/en/rest/repos/webhooks#redeliver-a-delivery-for-a-repository-webhook
        """
        client = await self.get_client()
        with in_our_words("redeliver"):
            await answered(client, "POST", f"/repos/{hook.repository}/hooks/{hook.hook_id}/deliveries/{delivery_id}/attempts")


async def _pages(client: GuardedClient, path: str, where: dict[str, str]) -> AsyncIterator[Any]:
    """Yield a list page by page, newest first, but not for ever."""
    for page in range(1, PAGES + 1):
        yield await ask(client, "GET", path, params={**where, "per_page": PAGE, "page": page})


def statuses_path(repository: str, deployment_id: int) -> str:
    """Return where the statuses of a deployment are."""
    return f"/repos/{repository}/deployments/{deployment_id}/statuses"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))
