"""Living and dying of a process: stop on SIGTERM or when the parent goes, and a sign of life for health checks.

Decides how long a sign of life counts. What a process does between its start and the stop is not decided here.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Final

#: Between two signs of life, and how old the last one may be, s.
BEAT_S: Final = 5.0
STALE_AFTER_S: Final = 30.0


def private_files() -> None:
    """Let nobody else on the machine read what this process and its children write: it is patient data."""
    os.umask(0o077)


def stop_on_signal() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


def exit_on_sigterm() -> None:
    """End with status 0 on SIGTERM, for the time of a start in which nothing is running that must be finished."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, handle)


def stop_with_parent() -> None:
    """Send this process SIGTERM when its standard input ends: the parent holds the other end while it lives."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


class SignOfLife:
    """A file whose age says that the process lives."""

    def __init__(self, data_path: Path, name: str) -> None:
        self._path = life_file(data_path, name)
        self._next = 0.0

    def beat(self) -> None:
        """Touch the file, at most every BEAT_S; a full disk is no reason to die."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + BEAT_S
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
        except OSError as exc:
            print(f"sign of life not written: {exc.strerror}", file=sys.stderr)

    def beat_in_background(self) -> None:
        """Beat from a thread until the process ends."""

        def run() -> None:
            while True:
                self.beat()
                time.sleep(BEAT_S)

        threading.Thread(target=run, name="sign-of-life", daemon=True).start()


def life_file(data_path: Path, name: str) -> Path:
    """File of one process on this host; containers that share the data folder differ in their host names."""
    return data_path / "run" / f"{name}@{socket.gethostname()}.alive"


def seconds_since_life(path: Path) -> float | None:
    """Age of the last sign of life; None when there never was one."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None


def note_provider(data_path: Path, provider: str) -> None:
    """Leave beside the worker's sign of life which execution provider its networks run on."""
    path = life_file(data_path, "worker").with_suffix(".provider")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(provider, "utf-8")


def providers_in_use(data_path: Path) -> list[str]:
    """Execution providers of the workers that are alive, on all hosts that share the data folder."""
    found = set()
    for path in (data_path / "run").glob("worker@*.alive"):
        age = seconds_since_life(path)
        noted = path.with_suffix(".provider")
        if age is not None and age < STALE_AFTER_S and noted.is_file():
            found.add(noted.read_text("utf-8").strip())
    return sorted(found)
