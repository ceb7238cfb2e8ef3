"""A listener on real sockets and the real store, once on SQLite and once on PostgreSQL."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agatha.receive import AssociationSummary, ReceiveConfig, StorageScp
from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles
from agatha.store.records import InstanceRecord, QuarantineRecord
from integration.receive.ct_instances import data_set_of


@dataclass
class Observations:
    """What the receiver told its observer."""

    closed: list[AssociationSummary] = field(default_factory=list)
    answered: list[tuple[int, float, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def association_closed(self, summary: AssociationSummary) -> None:
        self.closed.append(summary)

    def instance_stored(self, size_bytes: int, seconds: float, status: int) -> None:
        self.answered.append((size_bytes, seconds, status))

    def connection_refused(self, peer_address: str) -> None:
        self.refused.append(peer_address)

    def summary(self, count: int = 1, timeout_s: float = 15.0) -> AssociationSummary:
        """Wait until `count` associations have ended, and return the last one."""
        deadline = time.monotonic() + timeout_s
        while len(self.closed) < count:
            assert time.monotonic() < deadline, f"{len(self.closed)} of {count} associations ended"
            time.sleep(0.02)
        return self.closed[-1]


class Disk(LocalInstanceFiles):
    """A real folder that says how much room it has."""

    free: int | None = None

    def free_bytes(self) -> int:
        return super().free_bytes() if self.free is None else self.free


@dataclass
class Listener:
    """A receiver that is running, and what is behind it."""

    scp: StorageScp
    database: Database
    database_url: str
    files: Disk
    root: Path
    seen: Observations

    @property
    def port(self) -> int:
        return self.scp.port

    def instances(self, series_instance_uid: str) -> list[InstanceRecord]:
        with self.database.reading() as reading:
            series = reading.series_by_uid(series_instance_uid)
            return [] if series is None else list(reading.instances_of_series(series.id))

    def quarantined(self) -> list[QuarantineRecord]:
        with self.database.reading() as reading:
            return list(reading.quarantined())

    def event_kinds(self, study_instance_uid: str) -> list[str]:
        with self.database.reading() as reading:
            return [event.kind for event in reading.timeline(study_instance_uid)]

    def data_set(self, key: str) -> bytes:
        return data_set_of(self.files.path(key).read_bytes())

    def files_on_disk(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())


StartListener = Callable[..., Listener]


@pytest.fixture
def start_listener_on(tmp_path: Path) -> Iterator[StartListener]:
    """Start listeners on a given database; settings as in ReceiveConfig, short time-outs unless said otherwise."""
    with ExitStack() as running:

        def start(url: str, **settings: object) -> Listener:
            migrate.upgrade(url)
            database = Database(url)
            running.callback(database.close)
            root = tmp_path / "files"
            files, seen = Disk(root), Observations()
            quick: dict[str, object] = {
                "associate_timeout_s": 5.0,
                "pdu_timeout_s": 5.0,
                "drain_timeout_s": 2.0,
                "disk_reserve_bytes": 0,
            }
            config = ReceiveConfig(port=0, **(quick | settings))  # type: ignore[arg-type]
            scp = StorageScp(config=config, database=database, files=files, observer=seen)
            scp.start()
            running.callback(scp.stop)
            return Listener(scp, database, url, files, root, seen)

        yield start


@pytest.fixture
def start_listener(start_listener_on: StartListener, tmp_path: Path) -> StartListener:
    """Start a listener on SQLite, for what does not depend on the database."""
    return lambda **settings: start_listener_on(f"sqlite:///{tmp_path / 'agatha.db'}", **settings)


@pytest.fixture
def listener(start_listener_on: StartListener, database_url: str) -> Listener:
    """A listener on each database in turn."""
    return start_listener_on(database_url)
