"""Who our users are: made known to the profile service, and removed again."""

from __future__ import annotations

from prefect import task

from blocks.profile_service import ProfileService
from hub.ledger import once
from hub.policies import EXTERNAL
from hub.profiles import Profile, ProfileRequest, RemovedProfile
from hub.signup_decisions import begin_removal
from hub.signups import Signup
from tasks.accounts import account_for
from tasks.memory import EFFECT_AND_EPOCH, worth_asking_again


@task(
    name="profile",
    task_run_name="create profile {signup.id}",
    tags=["profiles"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def create_profile(signup: Signup) -> Profile:
    """Make the new user known once, whatever dies in between."""
    person = signup.request
    request = ProfileRequest(
        email=person.email, full_name=person.full_name, phone_number=person.phone_number, preferences=person.preferences.model_dump()
    )
    effect = signup.effect("profile", request)
    profiles = await account_for(effect, ProfileService)
    return await once(effect, terms=profiles.terms, call=profiles.create_profile, find=profiles.find_profile)


@task(
    name="remove-profile",
    task_run_name="remove profile {signup.id}",
    tags=["profiles"],
    cache_policy=EFFECT_AND_EPOCH,
    persist_result=True,
    retry_condition_fn=worth_asking_again,
    **EXTERNAL.task_options(),
)
async def remove_profile(signup: Signup, because: str) -> RemovedProfile:
    """Remove the profile again; the intention is committed together with the decision to undo the sign-up."""
    removal = await begin_removal(signup, because)
    profiles = await account_for(removal, ProfileService)
    return await once(removal, terms=profiles.terms, call=profiles.delete_profile)
