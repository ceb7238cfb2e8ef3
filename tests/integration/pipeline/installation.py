"""The service as its own processes on one set of peers, to send to, to look into, and to kill parts of."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from agatha.deliver import DeliveryFailed, Destination, Receipt, send
from agatha.processes.life import life_file
from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles
from agatha.store.records import JobRecord, ResultRecord, SeriesRecord

T = TypeVar("T")

PROCESSES = ("listener", "worker", "scheduler", "api")
SETTLE_S, QUIET_S = 1.0, 8.0

#: Generous: the machine that runs the tests may be busy with something else.
PATIENCE_S = 150.0


@dataclass
class Installation:
    """One installation; `start` and `kill` work on its processes, everything else looks or sends."""

    folder: Path
    database_url: str
    broker_url: str
    destinations: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.dicom_port, self.http_port = free_port(), free_port()
        migrate.upgrade(self.database_url)
        self.database = Database(self.database_url)
        self.files = LocalInstanceFiles(self.folder / "instances")

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AGATHA_")}
        return inherited | {
            "AGATHA_DATA_DIR": str(self.folder),
            "AGATHA_DATABASE_URL": self.database_url,
            "AGATHA_BROKER_URL": self.broker_url,
            "AGATHA_DICOM_PORT": str(self.dicom_port),
            "AGATHA_HTTP_PORT": str(self.http_port),
            "AGATHA_SETTLE_S": str(SETTLE_S),
            "AGATHA_QUIET_S": str(QUIET_S),
            "AGATHA_SWEEP_INTERVAL_S": "0.2",
            "AGATHA_DISK_RESERVE_MB": "0",
            "AGATHA_INFERENCE_THREADS": "1",
            "AGATHA_DESTINATIONS": self.destinations,
        }

    # ── processes ──

    def start(self, *names: str) -> None:
        """Start processes and wait until they say that they live."""
        started = time.time()
        for name in names or PROCESSES:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "agatha.processes.cli", name],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        for name in names or PROCESSES:
            self.wait_for(lambda name=name: self.is_up(name, started), f"{name} to be up")

    def is_up(self, name: str, since: float) -> bool:
        assert self.processes[name].poll() is None, f"{name} ended: {self.log(name)[-3000:]}"
        if name == "listener":
            return can_connect(self.dicom_port)
        if name == "api":
            return can_connect(self.http_port)
        path = life_file(self.folder, name)
        return path.exists() and path.stat().st_mtime >= since - 1

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes.pop(name).wait()

    def stop(self, *names: str) -> dict[str, int]:
        """Ask processes to finish; returns their exit statuses."""
        chosen = [name for name in names or PROCESSES if name in self.processes]
        for name in chosen:
            self.processes[name].send_signal(signal.SIGTERM)
        return {name: self.processes.pop(name).wait(timeout=90) for name in chosen}

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.database.close()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8")

    # ── sending ──

    def send(self, paths: Sequence[Path]) -> tuple[Receipt, ...]:
        destination = Destination("test", "AGATHA", "127.0.0.1", self.dicom_port)
        return send(paths, destination, "SCANNER")

    def send_until_taken(self, paths: Sequence[Path]) -> None:
        """Send as a scanner does that repeats what was not acknowledged."""
        remaining = list(paths)
        deadline = time.monotonic() + PATIENCE_S
        while remaining and time.monotonic() < deadline:
            try:
                receipts = self.send(remaining)
            except DeliveryFailed:
                time.sleep(0.2)
                continue
            taken = {receipt.sop_instance_uid for receipt in receipts if receipt.is_delivered}
            remaining = [path for path in remaining if path.stem not in taken]
        assert not remaining, f"{len(remaining)} instances were never acknowledged"

    # ── looking ──

    def wait_for(self, condition: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
        """Return what `condition` returns as soon as it is true."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        logs = "\n".join(f"== {name}\n{self.log(name)[-1500:]}" for name in PROCESSES if self._has_log(name))
        raise AssertionError(f"waited {patience_s:g} s for {what}\n{logs}")

    def _has_log(self, name: str) -> bool:
        return (self.folder / f"{name}.log").exists()

    def results(self, study_uid: str) -> list[ResultRecord]:
        with self.database.reading() as tx:
            return tx.results_of_study(study_uid)

    def series(self, study_uid: str) -> list[SeriesRecord]:
        with self.database.reading() as tx:
            return tx.series_of_study(study_uid)

    def jobs(self, study_uid: str) -> list[JobRecord]:
        with self.database.reading() as tx:
            return tx.jobs_of_study(study_uid)

    def timeline(self, study_uid: str) -> list[str]:
        with self.database.reading() as tx:
            return [event.kind for event in tx.timeline(study_uid)]

    def wait_for_results(self, study_uid: str, count: int = 1) -> list[ResultRecord]:
        return self.wait_for(
            lambda: found if len(found := self.results(study_uid)) >= count else [], f"{count} result(s)"
        )

    def get(self, path: str) -> Any:

        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
            return json.load(answer)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
