"""What we ask of the user-profile service, and what it gives back."""

from __future__ import annotations

from pydantic import Field, model_validator

from hub.messages import E164
from hub.values import Frozen

PROFILE_ID = r"^[A-Za-z0-9_-]{1,100}$"


class ProfileRequest(Frozen):
    """Make one user known. ``preferences`` says yes or no to each thing by name, e.g. ``sms_notifications``."""

    email: str = Field(min_length=3)
    full_name: str = Field(min_length=1)
    phone_number: str | None = Field(default=None, pattern=E164)
    preferences: dict[str, bool] = Field(default_factory=dict)


class Profile(Frozen):
    """
    A user as the service knows it.

    ``reference`` is ours, the provider key of the effect that made it; the service keeps it unique. ``status`` is how far the sign-up is.
    """

    profile_id: str = Field(pattern=PROFILE_ID)
    reference: str
    email: str
    full_name: str
    phone_number: str | None
    preferences: dict[str, bool]
    status: str


class ProfileChange(Frozen):
    """Change what is given of a profile, and nothing else; ``preferences`` takes the place of all earlier ones."""

    profile_id: str = Field(pattern=PROFILE_ID)
    full_name: str | None = Field(default=None, min_length=1)
    phone_number: str | None = Field(default=None, pattern=E164)
    preferences: dict[str, bool] | None = None
    status: str | None = Field(default=None, pattern=r"^[a-z_]{1,30}$")

    @model_validator(mode="after")
    def _something_changes(self) -> ProfileChange:
        if not self.model_dump(exclude_none=True, exclude={"profile_id"}):
            raise ValueError("nothing would change")
        return self


class ProfileRemoval(Frozen):
    """Remove a profile."""

    profile_id: str = Field(pattern=PROFILE_ID)


class RemovedProfile(Frozen):
    """A profile that is no longer there."""

    profile_id: str
