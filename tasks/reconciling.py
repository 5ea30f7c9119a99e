"""The ledger is compared with each provider: what is certain is taken in, what is not is listed, and where it matters a person looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import TypeVar

from prefect import task
from prefect.artifacts import acreate_table_artifact

from blocks.accounts import load_account
from blocks.github_account import GitHubAccount
from blocks.github_lists import github_shelf
from blocks.shippo_account import ShippoAccount
from blocks.shippo_lists import shippo_shelves
from blocks.slack_account import SlackAccount
from blocks.slack_lists import slack_shelf
from blocks.stripe_account import StripeAccount
from blocks.stripe_lists import stripe_shelves, told_by_stripe
from blocks.twilio_account import TwilioAccount
from blocks.twilio_lists import twilio_shelves
from hub.audit import verify_chains
from hub.errors import NotSent, OutcomeUnknown, ProviderError, RateLimited
from hub.gate_views import is_left_alone
from hub.inbox import keep
from hub.notices import Notice
from hub.policies import EXTERNAL, INTERNAL, NOTIFICATION
from hub.readings import kinds_that_matter
from hub.reconciliation.comparing import Difference, What, compare, gone
from hub.reconciliation.ledger_side import mails_accepted, places, sight, unheard_mails, unseen
from hub.reconciliation.matching import Match, matched
from hub.reconciliation.missed import what_was_missed
from hub.reconciliation.periods import Begun, digest_of, finish_reconciliation, note_posted
from hub.reconciliation.repairing import call_for, repaired
from hub.reconciliation.reports import Compared, Findings, Report, in_money
from hub.reconciliation.seen import Period, Seen, Shelf
from hub.settings import settings
from tasks.bulk import straight
from tasks.memory import worth_another_transaction, worth_asking_again

Answer = TypeVar("Answer")
MAILS = "sendgrid"
ARTIFACT = "reconciliation"


@straight
@task(name="compare", task_run_name="compare {provider}", persist_result=False)
async def compare_with(begun: Begun, provider: str) -> Compared:
    """
    Compare the ledger with everything of ours that the provider shows of the period, and say what came of it.

    A list that cannot be read is noted, and keeps nobody from the others. Twice at once does no harm.
    """
    findings = Findings(provider)
    if provider == MAILS:
        return await _mails(begun.period, findings)
    if await is_left_alone(provider):
        return findings.result("not compared: nobody may ask it anything now, see `hub providers list`")
    faults: list[str] = []
    try:
        if provider == StripeAccount.provider:
            await _pull(begun.period, findings)
        shelves = await _SHELVES[provider](begun.period)
    except ProviderError as error:
        return findings.result(f"not compared: {error}")
    for shelf in shelves:
        try:
            await _look_through(begun, shelf, findings)
        except ProviderError as error:
            faults.append(str(error))
    return findings.result(f"not compared to the end: {'; '.join(faults)}" if faults else "")


@straight
@task(name="conclude", persist_result=False, retry_condition_fn=worth_another_transaction, **INTERNAL.task_options())
async def conclude(begun: Begun, compared: list[Compared]) -> Report:
    """Follow the chains of the payment audit log, and commit the report."""
    audited = await verify_chains()
    report = Report(
        id=begun.id,
        period=begun.period,
        providers=tuple(compared),
        entries=audited.entries,
        subjects=audited.subjects,
        broken=len(audited.broken),
        audit_heads=audited.heads,
    )
    await finish_reconciliation(report)
    return report


@task(name="publish", persist_result=False)
async def publish(report: Report) -> None:
    """Put the report beside the run in Prefect, as a table."""
    said = f"{report.found} differences, {report.repaired} repaired; drift {in_money(report.drift)}; audit heads {report.audit_heads}"
    await acreate_table_artifact(table=report.table(), key=ARTIFACT, description=said)


@straight
@task(name="tell-team", tags=["slack"], persist_result=False, retry_condition_fn=worth_asking_again, **NOTIFICATION.task_options())
async def tell_team(begun: Begun, report: Report) -> None:
    """Tell the team what was found; once, as far as a look at the channel shows what an earlier try has posted."""
    if begun.posted:
        return
    slack = await load_account(SlackAccount)
    message, key = await digest_of(report)
    posted = await slack.find_message(message, key=key, since=begun.started_at) or await slack.post_message(message, key=key)
    await note_posted(report.id, posted.timestamp)


async def _stripe(_period: Period) -> list[Shelf]:
    return [*stripe_shelves(await load_account(StripeAccount))]


async def _shippo(_period: Period) -> list[Shelf]:
    return [*shippo_shelves(await load_account(ShippoAccount))]


async def _slack(period: Period) -> list[Shelf]:
    slack = await load_account(SlackAccount)
    channels = {settings().team_channel, *await places(slack.provider, "channel", period)}
    return [slack_shelf(slack, channel) for channel in sorted(channels)]


async def _twilio(_period: Period) -> list[Shelf]:
    return [*twilio_shelves(await load_account(TwilioAccount))]


async def _github(period: Period) -> list[Shelf]:
    github = await load_account(GitHubAccount)
    return [github_shelf(github, repository) for repository in await places(github.provider, "repository", period)]


_SHELVES: dict[str, Callable[[Period], Awaitable[list[Shelf]]]] = {
    StripeAccount.provider: _stripe,
    ShippoAccount.provider: _shippo,
    SlackAccount.provider: _slack,
    TwilioAccount.provider: _twilio,
    GitHubAccount.provider: _github,
}
PROVIDERS = (*_SHELVES, MAILS)


async def _look_through(begun: Begun, shelf: Shelf, findings: Findings) -> None:
    """Compare page by page what is there; then look one by one for what was done and not seen."""
    async for page in _pages(shelf, begun.period):
        matches = await matched(page)
        await sight(begun.id, [match.seen for match in matches])
        for match in matches:
            findings.compared += 1
            if (difference := compare(*match)) is not None:
                await _look_again(shelf, difference, findings)
    last = ""
    while known := await unseen(begun.id, shelf, begun.period, last):
        for one in known:
            findings.compared += 1
            there = await _patiently(partial(shelf.read, one.reference or ""))
            if there is None:
                await _take(gone(one), None, findings)
            else:
                await _weigh(there, None, findings)
        last = known[-1].key


async def _pages(shelf: Shelf, period: Period) -> AsyncIterator[tuple[Seen, ...]]:
    following: str | None = None
    while True:
        page = await _patiently(partial(shelf.page, period, following))
        yield page.seen
        if (following := page.following) is None:
            return
        await asyncio.sleep(shelf.pause_seconds * settings().time_scale)


async def _look_again(shelf: Shelf, difference: Difference, findings: Findings) -> None:
    """Count a difference that is still there: our rows are younger than the page that was listed before they were read."""
    seen = await _patiently(partial(shelf.read, difference.reference))
    if seen is not None:
        await _weigh(seen, difference.what, findings)


async def _weigh(seen: Seen, expected: What | None, findings: Findings) -> None:
    for match in await matched([seen]):
        difference = compare(*match)
        if difference is not None and expected in (None, difference.what):
            await _take(difference, match, findings)


async def _take(difference: Difference, match: Match | None, findings: Findings) -> None:
    """Repair what is certain, and call a person where that is not enough."""
    if match is not None and match.known is not None:
        difference = await repaired(difference, match.seen, match.known)
    await call_for(difference)
    findings.add(difference)


async def _pull(period: Period, findings: Findings) -> None:
    """Take in what Stripe has told in the period and nobody here has heard, as if it had been delivered: late, it is known."""
    stripe = await load_account(StripeAccount)
    kinds, following = kinds_that_matter(stripe.provider), None
    while True:
        told, following = await _patiently(partial(told_by_stripe, stripe, kinds, period, following))
        await _hear(told, findings)
        if following is None:
            return


async def _hear(told: tuple[Notice, ...], findings: Findings) -> None:
    new = (await keep(told)).new
    for difference in await what_was_missed([notice for notice in told if notice.identity in new]):
        findings.add(difference)


async def _mails(period: Period, findings: Findings) -> Compared:
    """List the mails of which nothing was heard: SendGrid has no list of what it was given."""
    findings.compared, last = await mails_accepted(period), ""
    while known := await unheard_mails(period, last):
        for one in known:
            findings.add(
                Difference(
                    provider=MAILS,
                    what=What.UNHEARD,
                    reference=one.reference or "",
                    subject=one.subject,
                    key=one.key,
                    ledger=one.state,
                    there="no event has come",
                )
            )
        last = known[-1].key
    return findings.result("cannot be asked for a list: compared by the events that it sends")


async def _patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return what is there; reading does no harm, so whatever may pass is asked again."""
    for tries in count(1):
        try:
            return await ask()
        except (NotSent, OutcomeUnknown) as error:
            if tries == EXTERNAL.attempts:
                raise
            wished = error.retry_after_seconds if isinstance(error, RateLimited) else None
            await asyncio.sleep(EXTERNAL.wait_seconds(tries) if wished is None else wished)
    raise AssertionError("counting never ends")
