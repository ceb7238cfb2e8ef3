"""All in one: the four processes as children of a supervisor, on the embedded default or on whatever is configured.

Decides the order of starting and stopping and what happens when a child dies. The children are the same commands that
compose runs; nothing is different but who starts them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import structlog
from pydantic import SecretStr

from agatha.processes.life import STALE_AFTER_S, life_file, seconds_since_life
from agatha.processes.settings import PREFIX, ConfigurationError, Settings
from agatha.store.migrate import upgrade

_log = structlog.get_logger("agatha.processes.standalone")

#: Order of starting: who needs nothing first. They are stopped all at once; each drains by itself.
CHILDREN: Final = ("listener", "worker", "scheduler", "api")

#: How long the children may take to drain, s: longer than an association's and a request's grace.
DRAIN_S: Final = 45.0

#: A child that dies is started again after this long, doubled with each death in a row, up to the ceiling, s.
FIRST_RESTART_S: Final = 1.0
LONGEST_RESTART_S: Final = 30.0

#: A child that lived this long starts with a clean record, s.
STEADY_AFTER_S: Final = 60.0

#: How long all of it may take to come up, s.
START_S: Final = 90.0

#: Exit status of a child whose configuration is wrong: starting it again would not help.
USAGE_ERROR: Final = 2


@dataclass
class Child:
    """One process and its record."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    restart_at: float = field(default=0.0)


class Supervisor:
    """Keeps the four processes running.

    Parameters
    ----------
    environment
        Of the children: the configuration travels in it, resolved.
    log_dir
        Where the children's logs go, one file each; None leaves them on standard error.
    """

    def __init__(self, environment: Mapping[str, str], log_dir: Path | None) -> None:
        self._environment = dict(environment)
        self._log_dir = log_dir
        self._children = {name: Child(name) for name in CHILDREN}
        self.usage_error: str | None = None

    def start(self) -> None:
        """Start every child."""
        for child in self._children.values():
            self._spawn(child)

    def pid_of(self, name: str) -> int | None:
        """Process number of a child that runs."""
        process = self._children[name].process
        return process.pid if process is not None and process.poll() is None else None

    def watch(self, stop: threading.Event) -> None:
        """Restart what dies until `stop` is set or a child says that its configuration is wrong."""
        while not stop.wait(0.2):
            self.restart_dead()
            if self.usage_error is not None:
                return

    def restart_dead(self) -> None:
        """Look at every child once."""
        for child in self._children.values():
            if child.process is None:
                if time.monotonic() >= child.restart_at:
                    self._spawn(child)
            elif (status := child.process.poll()) is not None:
                self._bury(child, status)

    def stop(self) -> bool:
        """Ask every child to finish, wait, and kill what does not; True when all drained in time."""
        running = [child.process for child in self._children.values() if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_S
        has_drained = True
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                has_drained = False
            if process.stdin is not None:
                process.stdin.close()
        return has_drained

    def _spawn(self, child: Child) -> None:
        command = [sys.executable, "-m", "agatha.processes.cli", child.name, "--stop-with-parent"]
        output = self._log_of(child.name)
        try:
            child.process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        finally:
            if output is not None:
                output.close()
        child.started_at = time.monotonic()

    def _bury(self, child: Child, status: int) -> None:
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()
        child.process = None
        if status == USAGE_ERROR:
            self.usage_error = child.name
            return
        lived = time.monotonic() - child.started_at
        child.deaths = 1 if lived > STEADY_AFTER_S else child.deaths + 1
        pause = min(FIRST_RESTART_S * 2 ** (child.deaths - 1), LONGEST_RESTART_S)
        child.restart_at = time.monotonic() + pause
        _log.error(
            "child_died", child=child.name, exit_status=status, restarts=child.deaths, duration_s=round(lived, 1)
        )

    def _log_of(self, name: str) -> IO[bytes] | None:
        if self._log_dir is None:
            return None
        self._log_dir.mkdir(parents=True, exist_ok=True)
        return (self._log_dir / f"{name}.log").open("ab")


def prepare(settings: Settings) -> Settings:
    """Make folders and tables, and replace port 0 by a free one.

    Raises
    ------
    ConfigurationError
        When a port is taken.
    """
    settings.data_path.mkdir(parents=True, exist_ok=True)
    ports = {
        "dicom_port": free_port(settings.dicom_bind, settings.dicom_port, "AGATHA_DICOM_PORT"),
        "http_port": free_port(settings.http_bind, settings.http_port, "AGATHA_HTTP_PORT"),
    }
    upgrade(settings.database)
    return settings.model_copy(update=ports)


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of the children: ours, with everything that was given by flag or found out by `prepare`."""
    environment = dict(os.environ)
    for name in settings.model_fields_set | {"data_dir", "dicom_port", "http_port"}:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, tuple):
            value = ",".join(value)
        environment[f"{PREFIX}{name.upper()}"] = "" if value is None else str(value)
    environment[f"{PREFIX}DATA_DIR"] = str(settings.data_path)
    return environment


def free_port(bind: str, port: int, variable: str) -> int:
    """Return `port` if it can be bound, a free one for 0; ConfigurationError when it is taken."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as exc:
            raise ConfigurationError(f"{variable}: {bind}:{port} cannot be bound ({exc.strerror})") from exc
        return int(probe.getsockname()[1])


def wait_until_up(settings: Settings, supervisor: Supervisor, stop: threading.Event) -> bool:
    """Wait until all four answer; False when they do not in time, or stop was asked for."""
    deadline = time.monotonic() + START_S
    started = time.time()
    while time.monotonic() < deadline and not stop.is_set() and supervisor.usage_error is None:
        if is_up(settings, started):
            return True
        supervisor.restart_dead()
        stop.wait(0.2)
    return False


def is_up(settings: Settings, since: float = 0.0) -> bool:
    """Whether the listener accepts connections, the HTTP side answers, and worker and scheduler gave a sign of life."""
    for name in ("worker", "scheduler"):
        path = life_file(settings.data_path, name)
        age = seconds_since_life(path)
        if age is None or age > STALE_AFTER_S or path.stat().st_mtime < since:
            return False
    return can_connect(settings.dicom_bind, settings.dicom_port) and is_live(settings)


def can_connect(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((host, port), timeout=2.0):
            return True
    except OSError:
        return False


def http_url(settings: Settings) -> str:
    """Address of the HTTP side as seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.http_bind, settings.http_bind)  # noqa: S104
    return f"http://{host}:{settings.http_port}"


def is_live(settings: Settings) -> bool:
    """Whether `/health/live` answers 200."""
    try:
        with urllib.request.urlopen(f"{http_url(settings)}/health/live", timeout=3.0) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
