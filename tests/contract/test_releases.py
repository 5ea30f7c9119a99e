"""Releases and the ledger: one deployment whatever happens, moved by what GitHub tells, given up when nobody tells anything."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio
from sqlmodel import col, select

from blocks.github_account import GitHubAccount
from hub.beginning import intend_once
from hub.claims import current
from hub.database import transaction
from hub.deploying import FailedDelivery, Hook
from hub.due import due_subjects
from hub.effects import LeaseLost, Parked
from hub.errors import Refused
from hub.gate_views import is_left_alone, pause, resume
from hub.hook_looks import LOOK_EVERY_SECONDS, begin_look, end_look, not_here
from hub.messages import MessageUpdate, PostedMessage
from hub.owed import owed_effects
from hub.release_decisions import caught_up, hear, is_silent, update_of
from hub.release_views import view_release
from hub.releases import Release
from hub.releasing import ReleaseDiffers, go_on_with, keep_release
from hub.subject_rows import database_now
from hub.tables import EffectRow
from tests.contract.ledger_kit import SETTLED_SECONDS, Shop, ends_with, outcomes_of, sql, time_passes
from tests.contract.notice_kit import handled, notice_of
from tests.contract.process_kit import accounts_of, goes_on, subject_rests
from tests.contract.release_kit import a_release, a_request, deploy, given_up, mark, row_of, run, silence, status_told, until_deployed

HOOK = Hook(repository="example/shop", hook_id=100_000_001)


@pytest_asyncio.fixture(loop_scope="session")
async def github(shop: Shop) -> GitHubAccount:
    return shop.github


async def snapshot(release_id: str) -> Release:
    release: Release = await current(release_id, kind="release")
    return release


async def test_a_release_is_asked_for_once_and_then_waits_for_whoever_deploys(shop: Shop, github: GitHubAccount) -> None:
    release_id = await a_release()

    first = await until_deployed(github, release_id)
    again = await until_deployed(github, release_id)

    row = await row_of(release_id)
    assert first == again
    assert (row.status, row.deployment_id, row.changes) == ("waiting", first.deployment_id, 2)
    assert row.resume_at == row.news_at + timedelta(seconds=600)
    assert await shop.sandbox.count("github", "deployment", release_id) == 1


async def test_an_answer_that_is_lost_is_looked_for_and_no_second_deployment_is_made(shop: Shop, github: GitHubAccount) -> None:
    release_id = await a_release()
    await shop.sandbox.fault("github", "create deployment", "drop", when="after")
    with ends_with(Parked, match="the answer was lost"):
        async with run(release_id) as release:
            await deploy(github, release)
    await time_passes(release.effect("deployment", release.deployment_request()), SETTLED_SECONDS)

    made = await until_deployed(github, release_id)

    assert (await view_release(release_id)).deployment_id == made.deployment_id
    assert await outcomes_of(release.effect("deployment", release.deployment_request())) == ["found"]
    assert await shop.sandbox.count("github", "deployment", release_id) == 1


async def test_github_tells_of_a_deployment_before_its_answer_is_known_and_nobody_asks_again(shop: Shop, github: GitHubAccount) -> None:
    release_id = await a_release()
    await shop.sandbox.fault("github", "create deployment", "drop", when="after")
    with ends_with(Parked, match="the answer was lost"):
        async with run(release_id) as release:
            await deploy(github, release)
    [kept] = await shop.sandbox.objects("github", "deployment")

    await handled(status_told(release, kept["id"], 7, "in_progress"))
    made = await until_deployed(github, release_id)

    assert made.deployment_id == kept["id"]
    assert (await view_release(release_id)).status == "in_progress"
    assert len(await shop.sandbox.requests("github")) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ref": "conflicting"}, "GitHub makes no such deployment: the ref cannot be merged"),
        ({"requiredContexts": ["red/lint"]}, "GitHub makes no such deployment: a required check has not passed"),
        ({"ref": "no-such-ref"}, "GitHub makes no such deployment: the repository has no such ref"),
    ],
)
async def test_a_refusal_ends_the_release_and_says_why(github: GitHubAccount, changes: dict[str, object], message: str) -> None:
    release_id = await a_release(**changes)

    async with run(release_id) as release:
        with pytest.raises(Refused):
            await deploy(github, release)
        assert (await caught_up(release)).status == "refused"

    assert (await view_release(release_id)).message == message


async def test_news_move_the_release_in_any_order_and_each_change_updates_its_message_once(github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id
    release = await snapshot(release_id)
    success, progress = (status_told(release, deployment_id, number, state) for number, state in ((9, "success"), (8, "in_progress")))

    first = await handled(success)
    before = await row_of(release_id)
    await handled(progress, success)

    row = await row_of(release_id)
    assert first.due == {("release", release_id)}
    assert (row.status, row.status_id, row.changes, row.epoch) == ("success", 9, 3, before.epoch)
    async with run(release_id) as release:
        assert await update_of(release) is None  # its message was never posted
        await _post(release)
        update = await update_of(release)
    assert update is not None
    assert isinstance(update.request, MessageUpdate)
    assert update.step == "update.3"
    assert "*success*" in update.request.text
    assert (await row_of(release_id)).resume_at is None


async def test_silence_ends_a_release_and_is_marked_at_github_and_our_own_mark_is_no_news(shop: Shop, github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id
    await silence(release_id, 601)
    assert ("release", release_id) in {(due.kind, due.id) for due in await due_subjects()}

    async with run(release_id) as release:
        late = await given_up(release)
        [owed] = await owed_effects(late)
        marked = await mark(github, owed)

    assert (late.status, owed.step) == ("timed_out", "mark.3")
    [status] = await shop.sandbox.objects("github", "status")
    await handled(status_told(late, deployment_id, marked.status_id, "error", status["description"]))
    row = await row_of(release_id)
    assert (row.status, row.resume_at) == ("timed_out", None)
    assert await shop.sandbox.count("github", "status", release_id) == 1


async def test_a_mark_whose_answer_is_lost_is_looked_for(shop: Shop, github: GitHubAccount) -> None:
    release_id = await a_release()
    await until_deployed(github, release_id)
    await silence(release_id, 601)
    await shop.sandbox.fault("github", "create status", "drop", when="after")
    with ends_with(Parked, match="the answer was lost"):
        async with run(release_id) as release:
            [owed] = await owed_effects(await given_up(release))
            await mark(github, owed)
    await time_passes(owed, SETTLED_SECONDS)

    async with run(release_id) as release:
        [owed] = await owed_effects(release)
        await mark(github, owed)

    assert await owed_effects(release) == []
    assert await shop.sandbox.count("github", "status", release_id) == 1


async def test_whoever_deploys_may_still_tell_after_the_release_was_given_up(github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id
    await silence(release_id, 601)
    async with run(release_id) as release:
        late = await given_up(release)
        [owed] = await owed_effects(late)

    await handled(status_told(late, deployment_id, 5, "success"))

    assert (await view_release(release_id)).status == "success"
    async with run(release_id) as release:
        with pytest.raises(LeaseLost, match="success does not permit the step mark"):
            await mark(github, release.effect(owed.step, owed.request))
        await caught_up(release)
        assert await owed_effects(release) == []


async def test_whoever_is_silent_is_looked_for_before_a_release_is_given_up(shop: Shop, github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id
    for state in ("in_progress", "success"):
        await shop.sandbox.world(f"github/deployments/{deployment_id}", state=state)  # nobody is called back
    await silence(release_id, 601)

    async with run(release_id) as release:
        assert await is_silent(release)
        await hear(release, await github.statuses_of("example/shop", deployment_id))
        assert (await given_up(release)).status == "success"

    assert (await row_of(release_id)).resume_at is None


async def test_any_news_is_patience_for_ten_minutes_more(github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id
    await silence(release_id, 599)

    await handled(status_told(await snapshot(release_id), deployment_id, 1, "in_progress"))
    async with run(release_id) as release:
        assert (await given_up(release)).status == "in_progress"

    row = await row_of(release_id)
    async with transaction() as session:
        left = (row.resume_at - await database_now(session)).total_seconds()
    assert 590 < left <= 600


async def test_a_second_deployment_for_one_release_calls_a_person_who_may_let_it_go_on(github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id

    await handled(status_told(await snapshot(release_id), deployment_id + 1, 4, "queued"))

    view = await view_release(release_id)
    assert view.status == "needs_attention"
    assert f"did 'create the deployment' twice: {deployment_id} and {deployment_id + 1}" in view.message
    await go_on_with(release_id)
    assert (await view_release(release_id)).status == "queued"


async def test_what_is_told_of_a_release_before_it_gets_here_waits_for_it(github: GitHubAccount) -> None:
    known = await snapshot(await a_release())
    coming = known.model_copy(update={"id": f"{known.id}-later"})
    early = status_told(coming, 1, 1, "pending")
    await handled(early)
    assert (await notice_of(early)).state == "early"

    await keep_release(coming.id, a_request())
    await handled()

    assert (await view_release(coming.id)).status == "pending"


async def test_the_same_id_is_the_same_release() -> None:
    release_id = await a_release()

    assert not (await keep_release(release_id, a_request())).new
    with pytest.raises(ReleaseDiffers, match="it differs in environment"):
        await keep_release(release_id, a_request(environment="staging"))


async def test_a_hook_is_looked_at_now_and_then_and_only_for_what_is_new_and_not_here(github: GitHubAccount) -> None:
    release_id = await a_release()
    deployment_id = (await until_deployed(github, release_id)).deployment_id
    here = status_told(await snapshot(release_id), deployment_id, 1, "pending")
    await handled(here)
    await sql("TRUNCATE hook_looks")

    first = await begin_look(HOOK)
    assert first is not None
    assert await begin_look(HOOK) is None

    now = first + timedelta(days=3)
    tries = [FailedDelivery(delivery_id=n, guid=guid, delivered_at=now) for n, guid in ((1, here.event_id), (2, "lost"), (3, "lost"))]
    assert [one.delivery_id for one in await not_here("github", tries)] == [3]

    await end_look(HOOK, now)
    await sql("UPDATE hook_looks SET looked_at = looked_at - make_interval(secs => :seconds)", seconds=LOOK_EVERY_SECONDS + 1)
    assert await begin_look(HOOK) == now - timedelta(seconds=60)


async def test_a_refused_release_from_its_beginning_to_its_end_is_one_message_that_says_so(shop: Shop) -> None:
    release_id = await a_release(ref="conflicting")

    with accounts_of(shop):
        row = await subject_rests(release_id, "release")
        await goes_on(release_id, "release")

    assert row.status == "refused"
    [message] = await shop.sandbox.objects("slack", "message")
    assert "*refused* (GitHub makes no such deployment: the ref cannot be merged)" in message["text"]
    assert await shop.sandbox.count("slack", "message_updated", release_id) == 1


async def test_an_update_that_slack_did_not_take_is_made_up_for_only_as_long_as_it_is_true(shop: Shop) -> None:
    release_id = await a_release()
    await shop.sandbox.fault("slack", "update message", "status", status=429, times=None)
    with accounts_of(shop):
        await goes_on(release_id, "release")
        await shop.sandbox.clear_faults()
        release = await snapshot(release_id)
        await handled(status_told(release, release.deployment_id or 0, 3, "success"))
        row = await subject_rests(release_id, "release")

    async with transaction() as session:
        mine = (col(EffectRow.subject_id) == release_id, col(EffectRow.step).startswith("update."))
        updates = {effect.step: (effect.state, effect.code) for effect in await session.exec(select(EffectRow).where(*mine))}
    assert row.status == "success"
    assert updates == {"update.2": ("refused", "superseded"), "update.3": ("done", None)}


async def test_a_paused_github_is_left_alone(shop: Shop) -> None:
    del shop  # it has forgotten all gates
    assert not await is_left_alone("github")

    await pause("github", "maintenance")

    assert await is_left_alone("github")
    await resume("github")


async def _post(release: Release) -> None:
    """Let the release's message have been posted."""
    effect = release.effect("message", PostedMessage(channel="C0HUBTEAM", timestamp="1.2"))
    async with transaction() as session:
        await intend_once(session, effect)
        row = await session.get_one(EffectRow, effect.key)
        row.state, row.result, row.resume_at = "done", effect.request.model_dump(), None
