"""Loading accounts from Prefect's block documents, remembered for a moment so that fifty orders do not ask fifty times."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

import httpx
from pydantic import ValidationError

from blocks.provider_account import ProviderAccount
from hub.errors import Misconfigured, NotSent

Account = TypeVar("Account", bound=ProviderAccount)
REMEMBERED_SECONDS = 30
_ACTION = "be reached"


@dataclass
class _Memory:
    """One kind of account in one event loop. The lock makes many that ask at once ask Prefect once."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    account: ProviderAccount | None = None
    loaded_at: float = 0.0


_memories: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[type[ProviderAccount], _Memory]] = WeakKeyDictionary()


async def load_account(kind: type[Account]) -> Account:
    """
    Return the account in the block document that is named after its provider, e.g. ``hub-stripe-account/stripe``.

    A document is remembered for 30 s per event loop; a mended key counts after that at the latest.

    Raises:
        Misconfigured: There is no such document, or what it holds is no usable account; the reason says what to do.
        NotSent: Prefect could not be asked.
    """
    memory = _memory_of(kind)
    async with memory.lock:
        if memory.account is None or time.monotonic() - memory.loaded_at > REMEMBERED_SECONDS:
            memory.account = await _read(kind)
            memory.loaded_at = time.monotonic()
        return cast("Account", memory.account)


def _memory_of(kind: type[ProviderAccount]) -> _Memory:
    return _memories.setdefault(asyncio.get_running_loop(), {}).setdefault(kind, _Memory())


async def _read(kind: type[Account]) -> Account:
    document = f"{kind.get_block_type_slug()}/{kind.provider}"
    try:
        return await kind.aload(kind.provider)
    except httpx.HTTPError as error:
        raise NotSent(kind.provider, _ACTION, f"Prefect did not hand out {document} ({type(error).__name__})") from None
    except (ValueError, RuntimeError) as error:  # Prefect's own for "not found" and for "does not fit the class"
        fault = error.__cause__
        what = _faults(fault) if isinstance(fault, ValidationError) else "there is no such block document"
        advice = "save it with `hub up` or in Prefect's UI under Blocks"
        raise Misconfigured(kind.provider, _ACTION, f"{document}: {what}; {advice}") from None


def _faults(error: ValidationError) -> str:
    """Return what is wrong with which field; values stay out of it."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return ", ".join(f"{'.'.join(map(str, fault['loc'])) or 'address'}: {fault['msg']}" for fault in faults)
