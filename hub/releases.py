"""What a release is: the request as it comes in, the frozen snapshot that a run works with, and the result that goes out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from hub.deploying import LONGEST_DESCRIPTION, REPOSITORY, DeploymentRequest, MarkRequest
from hub.incoming import ID_WORDS, SUBJECT_ID, Incoming, printable
from hub.notification_model import Recipient
from hub.release_facets import UNDER_WAY, ReleaseFacets, ReleaseStatus
from hub.subjects import Subject

ReleaseId = Annotated[str, StringConstraints(pattern=SUBJECT_ID), Field(description=ID_WORDS, examples=["r-1001"])]
Repository = Annotated[str, StringConstraints(pattern=REPOSITORY), Field(description="Owner and name.", examples=["example/shop"])]
Ref = Annotated[
    str,
    StringConstraints(min_length=1, max_length=250),
    AfterValidator(printable),
    Field(description="Branch, tag or commit.", examples=["main"]),
]
Environment = Annotated[
    str,
    StringConstraints(min_length=1, max_length=250),
    AfterValidator(printable),
    Field(description="Where to.", examples=["production"]),
]
Check = Annotated[str, StringConstraints(min_length=1, max_length=250), AfterValidator(printable)]
Checks = Annotated[
    tuple[Check, ...], Field(max_length=100, description="Checks that must have passed, by name; none means that none has to.")
]

_MARK = "The hub heard nothing about this deployment for too long."


class ReleaseRequest(Incoming):
    """A release as it comes in."""

    repository: Repository
    ref: Ref
    environment: Environment
    required_contexts: Checks = ()

    def as_stored(self) -> dict[str, Any]:
        """Return the request as plain JSON, in the names it came in with."""
        return self.model_dump(mode="json", by_alias=True)


class ReleaseResult(BaseModel):
    """What a run of ``release_service`` gives back."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    release_id: str
    status: ReleaseStatus
    deployment_id: int | None
    message: str
    correlation_id: str


class Release(Subject):
    """A release as a run holds it; ``changes`` numbers its status, ``until`` is when the patience with whoever deploys ends."""

    kind: Literal["release"] = "release"
    request: ReleaseRequest
    facets: ReleaseFacets
    deployment_id: int | None = None
    changes: int = 1
    until: datetime | None = None
    attention: str | None = None

    @property
    def title(self) -> str:
        """What people call it."""
        asked = self.request
        return f"release {self.id} ({asked.repository}, {asked.ref} to {asked.environment})"

    @property
    def recipient(self) -> Recipient | None:
        """Nobody but the team."""
        return None

    @property
    def status(self) -> ReleaseStatus:
        """How far it is."""
        return self.facets.status

    @property
    def state_name(self) -> str:
        """E.g. ``ReleaseSuccess``; ``ReleaseWaiting`` as long as whoever deploys has not told the end."""
        waits = self.facets.stage in UNDER_WAY and not self.facets.attention
        status = ReleaseStatus.WAITING if waits else self.status
        return f"Release{status.replace('_', ' ').title().replace(' ', '')}"

    @property
    def rests(self) -> bool:
        """True when this run has nothing to do."""
        return self.in_hand or not self.due

    def deployment_request(self) -> DeploymentRequest:
        """Return what is asked of GitHub."""
        asked = self.request
        return DeploymentRequest(
            repository=asked.repository,
            ref=asked.ref,
            environment=asked.environment,
            required_contexts=asked.required_contexts,
            description=f"Release {self.id}"[:LONGEST_DESCRIPTION],
            metadata=self.reference,
        )

    def mark_request(self) -> MarkRequest:
        """Return what GitHub is told when nobody tells anything."""
        return MarkRequest(repository=self.request.repository, deployment_id=self.deployment_id or 0, state="error", description=_MARK)

    def result(self) -> ReleaseResult:
        """Return what the outside may know of it."""
        return ReleaseResult(
            release_id=self.id,
            status=self.status,
            deployment_id=self.deployment_id,
            message=self.message,
            correlation_id=self.correlation_id,
        )
