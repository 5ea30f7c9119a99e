"""Where an account's requests may go: the provider's official host, this machine, or what somebody has allowed by name."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Mode = Literal["rehearsal", "test", "live"]


def is_loopback(base_url: str) -> bool:
    """Tell whether ``base_url`` is on this machine: a loopback address, or the name ``localhost`` (RFC 6761)."""
    return _loopback_host(urlsplit(base_url).hostname or "")


def checked_address(base_url: str, *, official_hosts: frozenset[str], kind_of_key: Mode, allow_other_host: bool) -> str:
    """
    Return ``base_url`` without a trailing slash when a key of this kind may travel there.

    Raises:
        ValueError: It may not; the sentence says what to change and never holds the key.
    """
    parts = _plain(base_url)
    host = parts.hostname or ""
    loopback = _loopback_host(host)
    if kind_of_key == "live":
        if parts.scheme != "https":
            raise ValueError("a live key never goes to http, not even on this machine; use the provider's https address")
        if loopback:
            raise ValueError("a live key has no business on this machine; use a rehearsal key with the sandbox")
    official = parts.scheme == "https" and host in official_hosts and parts.port in (None, 443)
    if not (official or loopback or allow_other_host):
        known = ", ".join(f"https://{name}" for name in sorted(official_hosts)) or "an official address"
        raise ValueError(f"{parts.scheme}://{host} is neither {known} nor this machine; set allow_other_host if it is meant")
    return base_url.rstrip("/")


def _plain(base_url: str) -> SplitResult:
    if not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise ValueError("the address holds characters that no address holds")
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address must look like https://api.example.com")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("the address must not hold a user, a password, a query or a fragment")
    if parts.port == 0:
        raise ValueError("the address must not name port 0")
    return parts


def _loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
