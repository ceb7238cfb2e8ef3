"""The all-in-one service in its own process, as an administrator starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agatha.dicom.virtual_study import VirtualStudy
from peers.dcmtk import free_port, storescu, wait_for_port
from peers.orthanc import Archive

PATIENCE_S = 240.0

#: The service imports its networks and makes its tables before it listens; on a busy machine that takes a while.
START_S = 120.0


class AgathaService:
    """`agatha serve` with an archive as its only destination; settings beyond that by their variables."""

    def __init__(self, folder: Path, archive: Archive, **settings: str) -> None:
        self.dicom_port, self.http_port = free_port(), free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AGATHA_")}
        arguments = ["--data-dir", folder, "--dicom-port", self.dicom_port, "--http-port", self.http_port]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agatha.processes.cli", "serve", *map(str, arguments)],
            env=inherited
            | {
                "AGATHA_DESTINATIONS": f"PACS={archive.ae_title}@127.0.0.1:{archive.dicom_port}",
                "AGATHA_SETTLE_S": "1",
                "AGATHA_QUIET_S": "5",
                "AGATHA_DISK_RESERVE_MB": "0",
            }
            | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for port in (self.dicom_port, self.http_port):
                wait_for_port(port, self.process, START_S)
        except RuntimeError:
            self.process.kill()
            self.process.wait()
            raise

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as response:
            return json.loads(response.read())

    def page(self, path: str) -> str:
        """A page as HTML."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as response:
            return str(response.read().decode())

    def finished(self, path: str) -> list[Any]:
        """Final results; none yet while the study is unknown."""
        try:
            return [result for result in self.get(path) if not result["provisional"]]
        except urllib.error.HTTPError as exc:
            if exc.code == 404:
                return []
            raise

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def wait_for(what: str, look: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Look until the answer is true."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.5)
    raise AssertionError(f"waited {patience_s:.0f} s for {what}")


@contextmanager
def answered_service(
    folder: Path,
    archive: Archive,
    study: VirtualStudy,
    *,
    results: int,
    patience_s: float = PATIENCE_S,
    **settings: str,
) -> Iterator[AgathaService]:
    """A service that was sent a study and has this many final results; it must end cleanly."""
    service = AgathaService(folder, archive, **settings)
    try:
        for paths in study.series.values():
            sent = storescu(service.dicom_port, paths)
            assert sent.returncode == 0, sent.stderr
        path = f"/api/v1/studies/{study.study_instance_uid}/results"
        wait_for("all final results", lambda: len(service.finished(path)) == results, patience_s)
        yield service
    finally:
        code = service.stop()
    assert code == 0
