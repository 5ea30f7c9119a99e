from __future__ import annotations

import logging
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from blocks.profile_service import ProfileService
from hub.errors import Misconfigured, OutcomeUnknown, Refused
from hub.profiles import Profile, ProfileChange, ProfileRemoval, ProfileRequest
from tests.contract.account_kit import (
    CUSTOMER,
    TROUBLES,
    Trouble,
    fails,
    gives_up_on_a_slow_answer,
    keeps_the_send_window,
    long_ago,
    shares_one_pool,
    survives,
    tells_that_nobody_listens,
)
from tests.contract.sandbox_process import Sandbox

BEARER = "profiles_rehearsal_key"
KEY = "3f1c0000-0000-4000-8000-000000000001:signup:s-1:profile:1"
OTHER = KEY.replace("s-1", "s-2")


@pytest_asyncio.fixture(loop_scope="session")
async def service(sandbox: Sandbox) -> ProfileService:
    await sandbox.reset()
    return an_account(sandbox.url)


def an_account(url: str, key: str = BEARER, timeout_seconds: float = 5) -> ProfileService:
    return ProfileService(api_key=key, base_url=url, timeout_seconds=timeout_seconds)


def a_user(**changes: Any) -> ProfileRequest:
    fields = {"email": CUSTOMER, "full_name": "Bob Builder", "phone_number": "+14155550123", "preferences": {"newsletter": True}}
    return ProfileRequest(**{**fields, **changes})


async def test_a_profile_is_made_and_found_by_our_reference(sandbox: Sandbox, service: ProfileService) -> None:
    assert await service.find_profile(a_user(), key=KEY, since=long_ago()) is None

    profile = await service.create_profile(a_user(), key=KEY)

    assert (profile.reference, profile.email, profile.full_name, profile.status) == (KEY, CUSTOMER, "Bob Builder", "pending")
    assert (profile.phone_number, profile.preferences) == ("+14155550123", {"newsletter": True})
    assert await service.find_profile(a_user(), key=KEY, since=long_ago()) == profile
    assert await service.find_profile(a_user(), key=OTHER, since=long_ago()) is None
    assert await service.get_profile(profile.profile_id) == profile
    assert [effect["subject"] for effect in await sandbox.effects("profiles", "profile")] == ["s-1"]


async def test_a_user_without_a_phone_is_a_user(service: ProfileService) -> None:
    assert (await service.create_profile(a_user(phone_number=None, preferences={}), key=KEY)).phone_number is None


async def test_our_reference_is_never_used_twice(sandbox: Sandbox, service: ProfileService) -> None:
    profile = await service.create_profile(a_user(), key=KEY)

    await fails(lambda: service.create_profile(a_user(), key=KEY), OutcomeUnknown)
    await fails(lambda: service.create_profile(a_user(email="another@example.net"), key=KEY), OutcomeUnknown)

    assert await service.find_profile(a_user(), key=KEY, since=long_ago()) == profile
    assert await sandbox.count("profiles", "profile") == 1


@pytest.mark.parametrize("email", [CUSTOMER, CUSTOMER.upper(), f" {CUSTOMER} "])
async def test_a_mail_address_that_another_user_has_is_a_refusal_that_names_the_user(service: ProfileService, email: str) -> None:
    profile = await service.create_profile(a_user(), key=KEY)

    refusal = await fails(lambda: service.create_profile(a_user(email=email), key=OTHER), Refused)

    assert isinstance(refusal, Refused)
    assert (refusal.code, refusal.reference) == ("email_taken", profile.profile_id)


async def test_an_address_that_is_none_is_a_refusal(sandbox: Sandbox, service: ProfileService) -> None:
    refusal = await fails(lambda: service.create_profile(a_user(email="bob at home"), key=KEY), Refused)

    assert isinstance(refusal, Refused)
    assert refusal.code == "invalid_email"
    assert await sandbox.count("profiles", "profile") == 0


async def test_what_is_given_of_a_profile_is_changed_and_nothing_else(sandbox: Sandbox, service: ProfileService) -> None:
    profile = await service.create_profile(a_user(), key=KEY)

    for _ in range(2):
        changed = await service.update_profile(ProfileChange(profile_id=profile.profile_id, status="complete"), key="k")

    assert changed == profile.model_copy(update={"status": "complete"})
    assert await service.get_profile(profile.profile_id) == changed
    assert [effect["subject"] for effect in await sandbox.effects("profiles", "change")] == ["s-1", "s-1"]


async def test_a_profile_is_removed_once_and_its_address_is_free_again(sandbox: Sandbox, service: ProfileService) -> None:
    profile = await service.create_profile(a_user(), key=KEY)

    for _ in range(2):
        removed = await service.delete_profile(ProfileRemoval(profile_id=profile.profile_id), key="k")
        assert removed.profile_id == profile.profile_id

    assert await service.get_profile(profile.profile_id) is None
    assert await service.find_profile(a_user(), key=KEY, since=long_ago()) is None
    assert await sandbox.count("profiles", "removal") == 1
    refusal = await fails(lambda: service.update_profile(ProfileChange(profile_id=profile.profile_id, status="late"), key="k"), Refused)
    assert isinstance(refusal, Refused)
    assert refusal.code == "profile_not_found"
    assert (await service.create_profile(a_user(), key=OTHER)).profile_id != profile.profile_id


@pytest.mark.parametrize("lost", ["drop", "garbage"])
async def test_a_removal_whose_answer_is_lost_is_simply_asked_again(sandbox: Sandbox, service: ProfileService, lost: str) -> None:
    removal = ProfileRemoval(profile_id=(await service.create_profile(a_user(), key=KEY)).profile_id)
    await sandbox.fault("profiles", "remove profile", lost, "after", status=200)

    await fails(lambda: service.delete_profile(removal, key="k"), OutcomeUnknown)
    await service.delete_profile(removal, key="k")

    assert await sandbox.count("profiles", "removal") == 1


async def test_a_missing_page_is_no_missing_user(sandbox: Sandbox, service: ProfileService) -> None:
    profile = await service.create_profile(a_user(), key=KEY)
    for operation in ("read profile", "remove profile"):
        await sandbox.fault("profiles", operation, "status", status=404, body="<html>not here</html>")

    await fails(lambda: service.get_profile(profile.profile_id), Misconfigured)
    await fails(lambda: service.delete_profile(ProfileRemoval(profile_id=profile.profile_id), key="k"), Misconfigured)


def an_answer(**changes: Any) -> dict[str, Any]:
    fields = {"id": "usr_1", "externalReference": KEY, "email": CUSTOMER, "fullName": "Bob Builder", "phoneNumber": None}
    return {**fields, "preferences": {}, "status": "pending", **changes}


LIES = [
    pytest.param({"id": None}, id="no id"),
    pytest.param({"id": 17}, id="a number for an id"),
    pytest.param({"id": "../../admin"}, id="an id that is a path"),
    pytest.param({"externalReference": OTHER}, id="another's reference"),
    pytest.param({"externalReference": None}, id="no reference"),
    pytest.param({"email": ["a@example.com"]}, id="a list of addresses"),
    pytest.param({"preferences": {"newsletter": "yes"}}, id="a word for yes"),
    pytest.param({"preferences": None}, id="no preferences"),
    pytest.param({"status": 1}, id="a number for a status"),
]


@pytest.mark.parametrize("lie", LIES)
async def test_an_answer_of_another_shape_leaves_the_outcome_open(sandbox: Sandbox, service: ProfileService, lie: dict[str, Any]) -> None:
    poisoned = an_answer(**lie)
    lacking = {name: value for name, value in an_answer().items() if name not in lie}
    for told in (poisoned, lacking):
        await sandbox.fault("profiles", "create profile", "garbage", status=201, body=told)
        await fails(lambda: service.create_profile(a_user(), key=KEY), OutcomeUnknown)
        await sandbox.fault("profiles", "find profiles", "garbage", body={"profiles": [told]})
        await fails(lambda: service.find_profile(a_user(), key=KEY, since=long_ago()), OutcomeUnknown)


@pytest.mark.parametrize(
    "told", [{"profiles": None}, {}, {"profiles": [an_answer(), an_answer(id="usr_2")]}], ids=["null", "empty", "two with our reference"]
)
async def test_a_list_of_another_shape_decides_nothing(sandbox: Sandbox, service: ProfileService, told: dict[str, Any]) -> None:
    await sandbox.fault("profiles", "find profiles", "garbage", body=told)

    await fails(lambda: service.find_profile(a_user(), key=KEY, since=long_ago()), OutcomeUnknown)


async def test_another_users_profile_is_not_taken_for_the_one_we_asked_for(sandbox: Sandbox, service: ProfileService) -> None:
    for operation in ("read profile", "change profile"):
        await sandbox.fault("profiles", operation, "garbage", body=an_answer(id="usr_2"))

    await fails(lambda: service.get_profile("usr_1"), OutcomeUnknown)
    await fails(lambda: service.update_profile(ProfileChange(profile_id="usr_1", status="late"), key="k"), OutcomeUnknown)


@pytest.mark.parametrize("profile_id", ["", "..", "a/b", "a?b", "a%2fb", "x" * 101])
def test_what_is_no_id_never_gets_into_an_address(profile_id: str) -> None:
    with pytest.raises(ValidationError):
        ProfileRemoval(profile_id=profile_id)


def test_a_change_changes_something() -> None:
    with pytest.raises(ValidationError, match="nothing would change"):
        ProfileChange(profile_id="usr_1")


async def test_an_unknown_code_is_for_an_operator_and_words_are_not_repeated(sandbox: Sandbox, service: ProfileService) -> None:
    for body in ({"error": {"code": "a new rule", "message": CUSTOMER}}, {"error": CUSTOMER}, {"error": {"code": ["email_taken"]}}):
        await sandbox.fault("profiles", "create profile", "status", status=422, body=body)

        await fails(lambda: service.create_profile(a_user(), key=KEY), Misconfigured)


async def test_the_doctor_hears_that_the_key_works(service: ProfileService) -> None:
    assert await service.check() == "The profile service accepts the key."


async def test_no_key_and_no_person_reaches_a_log(service: ProfileService, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await service.create_profile(a_user(), key=KEY)
    await service.find_profile(a_user(), key=KEY, since=long_ago())

    assert "/profiles" in caplog.text
    for secret in (BEARER, CUSTOMER, "Bob Builder", "4155550123"):
        assert secret not in caplog.text


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_every_trouble_is_one_of_our_errors(sandbox: Sandbox, service: ProfileService, trouble: Trouble) -> None:
    await survives(
        trouble,
        sandbox,
        ("profiles", "create profile", "profile"),
        lambda seconds: an_account(sandbox.url, timeout_seconds=seconds).create_profile(a_user(), key=KEY),
    )
    if trouble.kind is OutcomeUnknown:
        found = await service.find_profile(a_user(), key=KEY, since=long_ago())
        assert isinstance(found, Profile) is bool(trouble.happened)


async def test_an_answer_that_drips_is_given_up_on() -> None:
    await gives_up_on_a_slow_answer(
        lambda url: lambda: an_account(url, timeout_seconds=0.5).create_profile(a_user(), key=KEY), timeout_seconds=0.5
    )


async def test_a_revoked_key_is_for_an_operator(sandbox: Sandbox, service: ProfileService) -> None:
    await sandbox.revoke("profiles", BEARER)

    await fails(lambda: service.create_profile(a_user(), key=KEY), Misconfigured)
    await fails(service.check, Misconfigured)


async def test_a_refused_connection_has_sent_nothing() -> None:
    await tells_that_nobody_listens(lambda url: lambda: an_account(url).create_profile(a_user(), key=KEY))


async def test_nothing_is_written_after_the_send_window(sandbox: Sandbox) -> None:
    account = an_account(sandbox.url, BEARER + "_unused_so_far")
    await keeps_the_send_window(sandbox, "profiles", lambda: account.create_profile(a_user(), key=KEY))


async def test_accounts_loaded_again_share_one_pool_that_closes_with_its_loop(sandbox: Sandbox) -> None:
    client = await shares_one_pool(lambda: an_account(sandbox.url), lambda: an_account(sandbox.url, BEARER + "_other"))

    assert client.is_closed
