"""Which hub this database belongs to, and in which mode it works: live, test or rehearsal."""

from __future__ import annotations

from hub.database import transaction
from hub.subject_rows import hub_identity


class OtherMode(Exception):
    """This database has been used in another mode."""

    def __init__(self, remembered: str, wanted: str) -> None:
        super().__init__(remembered, wanted)
        self.remembered, self.wanted = remembered, wanted

    def __str__(self) -> str:
        return (
            f"this database has been used for {self.remembered} work and the accounts are for {self.wanted}: use another HUB_HOME or "
            f"HUB_DATABASE_URL for {self.wanted}, or start with --mixed if you mean it"
        )


async def remember_mode(mode: str, *, even_if_different: bool = False) -> None:
    """
    Note that this hub works in ``mode`` from now on.

    Raises:
        OtherMode: The database remembers another mode, and ``even_if_different`` was not given.
    """
    async with transaction() as session:
        identity = await hub_identity(session)
        if identity.mode not in (None, mode) and not even_if_different:
            raise OtherMode(identity.mode or "", mode)
        identity.mode = mode


async def remembered_mode() -> str | None:
    """Return the mode of this hub, or None when it was never decided."""
    async with transaction() as session:
        return (await hub_identity(session)).mode
