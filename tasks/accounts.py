"""The account that an effect goes through, loaded so that a courtesy without one is not forgotten."""

from __future__ import annotations

from typing import TypeVar

from blocks.accounts import load_account
from blocks.provider_account import ProviderAccount
from hub.beginning import postpone
from hub.effects import Effect
from hub.errors import ProviderError

Account = TypeVar("Account", bound=ProviderAccount)


async def account_for(effect: Effect, kind: type[Account]) -> Account:
    """
    Return the account that ``effect`` goes through.

    Raises:
        Misconfigured: There is no usable account of this kind in Prefect.
        NotSent: Prefect could not be asked. In both cases a courtesy is kept and made up for later.
    """
    try:
        return await load_account(kind)
    except ProviderError:
        await postpone(effect)
        raise
