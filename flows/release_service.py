"""A release of a service: a deployment at GitHub, followed to its end."""

from __future__ import annotations

from contextlib import suppress

from prefect import flow

from hub.errors import Refused
from hub.owed import owed_effects
from hub.release_decisions import caught_up, give_up_waiting, is_silent, update_of
from hub.release_facets import ReleaseStage
from hub.releases import Checks, Environment, Ref, Release, ReleaseId, ReleaseRequest, ReleaseResult, Repository
from tasks.claiming import released
from tasks.courtesies import courtesies
from tasks.releasing import create_deployment, look_at_deployment, mark_deployment, post_release, tell_of_silence, update_release
from tasks.team import OWED_TO_TEAM, call_attention
from tasks.timeline import publish_timeline
from tasks.trying import side_by_side


@flow(name="release-service", flow_run_name="release {release_id}", persist_result=True, on_completion=[publish_timeline])
async def release_service(
    repository: Repository | None = None,
    ref: Ref | None = None,
    environment: Environment | None = None,
    required_contexts: Checks = (),
    release_id: ReleaseId | None = None,
) -> ReleaseResult:
    """
    Ask GitHub for a deployment and show the team how far it is.

    Safe to start again at any time: the same id is the same release. Nobody waits here for whoever deploys; the next news starts the next
    run, and so does the end of our patience.

    Args:
        repository: Owner and name; like ref and environment left out for a release that was started before.
        ref: Branch, tag or commit.
        environment: Where to.
        required_contexts: Checks that must have passed, by name; none means that none has to.
        release_id: Letters, digits, dot, underscore and dash; at most 64. Without one it is made from the run.
    """
    asked = {"repository": repository, "ref": ref, "environment": environment}
    whole = any(part is not None for part in asked.values())
    request = ReleaseRequest.model_validate({**asked, "required_contexts": required_contexts}) if whole else None
    async with released(release_id, request) as held:
        await go_on(held.subject)
    return await held.ending()  # type: ignore[return-value]  # Prefect takes the result out of the state


async def go_on(release: Release) -> None:
    """Do what is due of the release now."""
    if release.rests:
        return
    await tell_what_is_owed(release)
    if release.attention is not None:
        await courtesies(attention=call_attention(release))
        return
    await side_by_side(courtesies(message=post_release(release)), deploy(release))
    await be_patient(release)
    release = await caught_up(release)
    await show(release)
    if release.facets.stage is ReleaseStage.TIMED_OUT:
        await courtesies(silence=tell_of_silence(release))
        for owed in await owed_effects(release):
            if owed.what.name == "mark":
                await courtesies(mark=mark_deployment(release, owed))


async def tell_what_is_owed(release: Release) -> None:
    """Tell the team what it would not hear otherwise, and what came of its buttons."""
    for owed in await owed_effects(release):
        if (tell := OWED_TO_TEAM.get(owed.what.name)) is not None:
            await courtesies(team=tell(release, owed))


async def deploy(release: Release) -> None:
    """Ask for the deployment, unless that was done; a refusal is the release's end."""
    if release.facets.stage is ReleaseStage.REQUESTED:
        with suppress(Refused):
            await create_deployment(release)


async def be_patient(release: Release) -> None:
    """Look at GitHub when nobody has told anything for too long, and give up when nobody has there either, or GitHub does not say."""
    if await is_silent(release):
        await courtesies(look=look_at_deployment(release))
        await give_up_waiting(release)


async def show(release: Release) -> None:
    """Let the team's message say how far the release is."""
    if (update := await update_of(release)) is not None:
        await courtesies(update=update_release(release, update))
