"""The company's user-profile service: who our users are."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, SecretStr

from blocks.json_api import ask
from blocks.profile_transport import GONE, PROVIDER, in_our_words, profile_client
from blocks.provider_account import ProviderAccount
from blocks.translation import Answer
from hub.errors import Refused
from hub.profiles import PROFILE_ID, Profile, ProfileChange, ProfileRemoval, ProfileRequest, RemovedProfile

if TYPE_CHECKING:
    from datetime import datetime

    from blocks.transports import GuardedClient

NOBODY = "hub-doctor"


class _Profile(Answer):
    id: str = Field(pattern=PROFILE_ID)
    externalReference: str  # noqa: N815 - the service's spelling
    email: str
    fullName: str  # noqa: N815 - the service's spelling
    phoneNumber: str | None  # noqa: N815 - the service's spelling
    preferences: dict[str, bool]
    status: str

    def in_our_type(self) -> Profile:
        return Profile(
            profile_id=self.id,
            reference=self.externalReference,
            email=self.email,
            full_name=self.fullName,
            phone_number=self.phoneNumber,
            preferences=self.preferences,
            status=self.status,
        )


class _Found(Answer):
    profiles: list[_Profile]


class ProfileService(ProviderAccount):
    """
    Our key at the user-profile service, and the few things we ask of it.

    The service keeps no idempotency keys, but our reference is unique there: a profile is not made twice, and ``find_profile`` looks by it.
    It has no official host: an address outside of this machine needs ``allow_other_host``.

    Every verb can raise, beside what it names:
        NotSent: No connection, or the send window was over; nothing happened.
        RateLimited: Asked too often; nothing happened.
        OutcomeUnknown: Connection lost, 5xx, or an answer nobody can read; it may have happened.
        Misconfigured: Bad key, or a request the service does not accept; nothing happened.
    """

    _block_type_slug = "hub-profile-service"  # ours, so it cannot meet a built-in one; never rename
    _block_type_name = "Hub Profile Service"
    _description = "Makes users known to the company's profile service."

    provider: ClassVar[str] = PROVIDER
    official_hosts: ClassVar[frozenset[str]] = frozenset()

    api_key: SecretStr = Field(min_length=8, description="Bearer key.")
    base_url: str = Field(description="Where the API lives, without /profiles.")

    async def get_client(self) -> GuardedClient:
        """Return an ``httpx.AsyncClient`` for this event loop that knows the address and the key."""
        return await self.pooled(partial(profile_client, self.api_key.get_secret_value(), self.base_url, self.timeout_seconds))

    async def check(self) -> str:
        """Return one sentence about the service; it is asked for a profile that nobody has."""
        client = await self.get_client()
        with in_our_words("say who we are"):
            _Found.model_validate(await ask(client, "GET", "/profiles", params={"externalReference": NOBODY}))
        return "The profile service accepts the key."

    async def create_profile(self, request: ProfileRequest, *, key: str) -> Profile:
        """
        Make a user known under our reference ``key``.

        Raises:
            Refused: The mail address is another user's (``email_taken``, with that user's id) or none, or the phone number is none.
            OutcomeUnknown: Also when our reference is known there already; ``find_profile`` will tell.
        """
        wanted = _plain(request.full_name, request.phone_number, request.preferences) | {"email": request.email, "externalReference": key}
        client = await self.get_client()
        with in_our_words("create the profile") as call:
            made = _Profile.model_validate(await ask(client, "POST", "/profiles", json=wanted))
            if made.externalReference != key:
                raise call.unknown("the answer is about another profile")
            return made.in_our_type()

    async def find_profile(self, request: ProfileRequest, *, key: str, since: datetime) -> Profile | None:
        """
        Return the profile that was made under ``key``, or None when there is none now.

        Raises:
            OutcomeUnknown: Also when the service answers with profiles that nobody asked for.
        """
        del request, since  # our reference says it all
        client = await self.get_client()
        with in_our_words("look for the profile") as call:
            found = _Found.model_validate(await ask(client, "GET", "/profiles", params={"externalReference": key})).profiles
            if len(found) > 1 or any(profile.externalReference != key for profile in found):
                raise call.unknown("the answer is about another profile")
            return found[0].in_our_type() if found else None

    async def get_profile(self, profile_id: str) -> Profile | None:
        """Return the profile, or None when there is none now."""
        client = await self.get_client()
        try:
            with in_our_words("read the profile"):
                return _the(profile_id, await ask(client, "GET", f"/profiles/{profile_id}"))
        except Refused as refusal:
            if refusal.code == GONE:
                return None
            raise

    async def update_profile(self, request: ProfileChange, *, key: str) -> Profile:
        """
        Change a profile and return it; a repeat changes nothing more.

        Raises:
            Refused: There is no such profile (``profile_not_found``), or the phone number is none.
        """
        del key  # the same change twice is one
        changes = _plain(request.full_name, request.phone_number, request.preferences, request.status)
        client = await self.get_client()
        with in_our_words("change the profile"):
            return _the(request.profile_id, await ask(client, "PATCH", f"/profiles/{request.profile_id}", json=changes))

    async def delete_profile(self, request: ProfileRemoval, *, key: str) -> RemovedProfile:
        """Remove a profile; one that is not there any more is removed, too, so a repeat does no harm."""
        del key  # gone twice is gone
        client = await self.get_client()
        try:
            with in_our_words("remove the profile") as call:
                await ask(client, "DELETE", f"/profiles/{request.profile_id}")
                if call.exchange.http_status != HTTPStatus.NO_CONTENT:
                    raise call.unknown("an answer nobody can read")
        except Refused as refusal:
            if refusal.code != GONE:
                raise
        return RemovedProfile(profile_id=request.profile_id)


def _plain(
    full_name: str | None, phone_number: str | None, preferences: dict[str, bool] | None, status: str | None = None
) -> dict[str, Any]:
    fields = {"fullName": full_name, "phoneNumber": phone_number, "preferences": preferences, "status": status}
    return {name: value for name, value in fields.items() if value is not None}


def _the(profile_id: str, answer: Any) -> Profile:
    """Return the profile in ``answer``; a ValueError when it is another one's."""
    profile = _Profile.model_validate(answer)
    if profile.id != profile_id:
        raise ValueError("an answer about another profile")
    return profile.in_our_type()
