"""Installations on SQLite with the embedded broker and on PostgreSQL with Redis; the same tests run on both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt

from integration.pipeline.installation import Installation
from integration.pipeline.small_studies import small_study
from peers import redis
from peers.postgres import fresh_database

BACKENDS = ("embedded", "servers")


@dataclass
class Peers:
    """Where one installation keeps its rows and its queue; a Redis of our own can be killed."""

    database_url: str
    broker_url: str
    redis: redis.RedisServer | None = None


@pytest.fixture(params=BACKENDS, scope="module")
def peers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    """The peers of the tests of one module."""
    with ExitStack() as stack:
        if request.param == "embedded":
            folder = tmp_path_factory.mktemp("peers")
            yield Peers(f"sqlite:///{folder / 'agatha.db'}", f"embedded://{folder / 'broker'}")
        else:
            server = stack.enter_context(redis.own_server())
            database_url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_url")))
            yield Peers(database_url, server.url, server)


@dataclass
class Archive:
    """A C-STORE SCP that takes everything we write; `answers` holds the next statuses per Study Instance UID."""

    port: int
    received: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def written(self) -> str:
        return f"ARCHIVE=ARCHIVE@127.0.0.1:{self.port}"

    def handle_store(self, event: evt.Event) -> int:
        with self.lock:
            planned = self.answers.get(str(event.dataset.StudyInstanceUID))
            status = planned.pop(0) if planned else 0x0000
            if status == 0x0000:
                self.received.append((str(event.request.AffectedSOPInstanceUID), str(event.dataset.Modality)))
            return status


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    """An archive that our results are delivered to."""
    ae = AE(ae_title="ARCHIVE")
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(context.abstract_syntax, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    archive = Archive(0)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, archive.handle_store)])
    archive.port = server.socket.getsockname()[1]
    yield archive
    server.shutdown()


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., tuple[str, list[Path]]]:
    """Write a small study of one's own: its UID and its files from foot to head."""
    numbers = iter(range(1000))
    return lambda **options: small_study(tmp_path / f"study-{next(numbers)}", **options)


@pytest.fixture(scope="module")
def running(peers: Peers, archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with all its processes up, shared by the tests of a module: none of them may kill anything."""
    installation = Installation(
        tmp_path_factory.mktemp("running"), peers.database_url, peers.broker_url, archive.written
    )
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture
def installation(peers: Peers, tmp_path: Path) -> Iterator[Installation]:
    """An installation of one test's own, with nothing started: the test may kill what it likes."""
    installation = Installation(tmp_path / "installation", peers.database_url, peers.broker_url)
    try:
        yield installation
    finally:
        installation.close()
