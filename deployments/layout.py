"""Where a stack lives: its folder, its ports, its addresses, and the environment that its processes share."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from deployments import ports, secret_files
from deployments.databases import Databases
from deployments.problems import Problem
from deployments.processes import MARKER, stack_id
from deployments.stack_settings import KEY_VARIABLES, WEBHOOK_VARIABLES, GivenSettings, StackSettings
from hub.private_files import SECRETS_FOLDER, known
from hub.result_files import FOLDER

PROJECT = Path(__file__).resolve().parent.parent
POOL, QUEUE, JANITOR_QUEUE = "hub", "default", "janitor"
RESULTS_BLOCK = "hub-results"
_PREFECTS = {"PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE"}
_NOT_FOR_CHILDREN = _PREFECTS | {*KEY_VARIABLES.values(), *WEBHOOK_VARIABLES.values()}


@dataclass(frozen=True)
class Layout:
    """Everything about one stack that is decided before anything starts."""

    home: Path
    prefect_port: int
    gateway_port: int
    sandbox_port: int
    given: GivenSettings
    auth: str | None = None

    @property
    def prefect_url(self) -> str:
        """Prefect's UI."""
        return f"http://{ports.HOST}:{self.prefect_port}"

    @property
    def prefect_api_url(self) -> str:
        """Prefect's API."""
        return f"{self.prefect_url}/api"

    @property
    def gateway_url(self) -> str:
        """The door for orders and webhooks."""
        return f"http://{ports.HOST}:{self.gateway_port}"

    @property
    def sandbox_url(self) -> str:
        """The rehearsal providers."""
        return f"http://{ports.HOST}:{self.sandbox_port}"

    @property
    def marker(self) -> str:
        """What every process of this stack carries in its environment."""
        return stack_id(self.home)

    def with_auth(self) -> Layout:
        """The same stack with an auth string at Prefect's door."""
        return replace(self, auth=secret_files.auth_string(self.home))

    def client_environment(self, databases: Databases) -> dict[str, str]:
        """What a program needs to work with this stack: the caller's environment with our addresses in it and no provider's key."""
        ours = {
            "HUB_HOME": str(self.home),
            "HUB_DATABASE_URL": databases.hub,
            "HUB_GATEWAY_URL": self.gateway_url,
            "HUB_SANDBOX_URL": self.sandbox_url,
            "PREFECT_API_URL": self.prefect_api_url,
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": f"local-file-system/{RESULTS_BLOCK}",
            "DO_NOT_TRACK": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }
        if self.auth is not None:
            ours["PREFECT_API_AUTH_STRING"] = self.auth
        return {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN} | self.given.as_environment() | ours

    def role_environment(self, databases: Databases) -> dict[str, str]:
        """The environment of every process of the stack itself, marked so that it is found again."""
        return self.client_environment(databases) | {MARKER: self.marker, "PYTHONUNBUFFERED": "1"}

    def server_environment(self, databases: Databases) -> dict[str, str]:
        """What only Prefect's server may know: its database, its encryption key, who may open it from a browser."""
        origins = ",".join(f"http://{name}:{self.prefect_port}" for name in (ports.HOST, "localhost"))
        secret = {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": databases.prefect,
            "PREFECT_SERVER_ENCRYPTION_KEY": secret_files.encryption_key(self.home),
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,
            "PREFECT_SERVER_UI_API_URL": self.prefect_api_url,
        }
        if self.auth is not None:
            secret["PREFECT_SERVER_API_AUTH_STRING"] = self.auth
        return self.role_environment(databases) | secret


def laid_out(home: Path, given: GivenSettings, wishes: StackSettings, *, free_ports: bool) -> Layout:
    """
    Decide where the stack in ``home`` lives; ``home`` is an existing folder as `prepared` returns it.

    Raises:
        Problem: A port is in use, or an address is not on loopback.
    """
    auth = known(home, secret_files.AUTH_STRING)
    if free_ports:
        prefect_port, gateway_port, sandbox_port = ports.free_ports(3)
        return Layout(home, prefect_port, gateway_port, sandbox_port, given, auth)
    wanted = Layout(
        home,
        prefect_port=wishes.prefect_server_api_port,
        gateway_port=_loopback_port(given.gateway_url, "HUB_GATEWAY_URL"),
        sandbox_port=_loopback_port(given.sandbox_url, "HUB_SANDBOX_URL"),
        given=given,
        auth=auth,
    )
    ports.must_be_free(wanted.prefect_port, used_by="Prefect server", setting="PREFECT_SERVER_API_PORT")
    ports.must_be_free(wanted.gateway_port, used_by="gateway", setting="HUB_GATEWAY_URL")
    ports.must_be_free(wanted.sandbox_port, used_by="sandbox", setting="HUB_SANDBOX_URL")
    return wanted


def prepared(home: Path) -> Path:
    """
    Return ``home`` as an absolute path; it and its folders exist.

    Raises:
        Problem: They cannot be made.
    """
    home = home.expanduser().resolve()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("logs", "run", FOLDER, "prefect", "sandbox", SECRETS_FOLDER):
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as refusal:
        raise Problem(f"The folder {home} cannot be used ({refusal.strerror}): choose another one with HUB_HOME.") from refusal
    return home


def _loopback_port(url: str, setting: str) -> int:
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname not in {ports.HOST, "localhost"}:
        raise Problem(f"{setting} must be an http address on {ports.HOST} for `hub up`, which binds to loopback only; it is {url}.")
    return address.port or 80
