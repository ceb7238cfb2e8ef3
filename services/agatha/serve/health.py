"""Readiness: runs the checks it is given side by side, each with a time limit, and never lets one of them hang it.

Decides how a check is run and reported; what is checked belongs to whoever composes the process. A check that raises
counts as failed and only the name of its exception is told.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from agatha.serve.documents import CheckDocument
from agatha.store.errors import StoreError

#: A probe gives up after some seconds of its own (10 s is usual); the answer must come before that.
CHECK_TIMEOUT_S = 4.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome of one check.

    Parameters
    ----------
    detail
        One sentence for the operator; no patient data.
    facts
        What a program may want to read, e.g. ``{"provider": "CPUExecutionProvider"}``.
    """

    ok: bool
    detail: str
    facts: Mapping[str, str] = field(default_factory=dict)


Check = Callable[[], CheckResult]


class Pingable(Protocol):
    """What answers or raises StoreUnavailable; the database is one."""

    def ping(self) -> None:
        """Return when it answers."""
        ...


class HasFreeBytes(Protocol):
    """A storage that knows its free room."""

    def free_bytes(self) -> int:
        """Return the free room in bytes."""
        ...


def database_check(database: Pingable) -> Check:
    """Return the check that the database answers."""

    def check() -> CheckResult:
        try:
            database.ping()
        except StoreError as error:
            return CheckResult(False, f"the database does not answer ({type(error).__name__})")
        return CheckResult(True, "the database answers")

    return check


def storage_check(files: HasFreeBytes, reserve_bytes: int) -> Check:
    """Return the check that the storage has more room than the reserve below which instances are refused."""

    def check() -> CheckResult:
        free = files.free_bytes()
        facts = {"free_bytes": str(free), "reserve_bytes": str(reserve_bytes)}
        if free <= reserve_bytes:
            return CheckResult(False, f"{free} bytes free, expected more than {reserve_bytes}", facts)
        return CheckResult(True, "the storage has room", facts)

    return check


class Readiness:
    """Runs the checks.

    A check that did not return in time is not started again until it does: a dead peer costs one thread, not one per
    probe.
    """

    def __init__(self, checks: Mapping[str, Check], timeout_s: float = CHECK_TIMEOUT_S) -> None:
        self._checks = dict(checks)
        self._timeout_s = timeout_s
        self._executor = ThreadPoolExecutor(max(1, len(self._checks)), thread_name_prefix="readiness")
        self._running: dict[str, Future[CheckResult]] = {}
        self._lock = threading.Lock()

    def run(self) -> dict[str, CheckDocument]:
        """Return the outcome of every check, at the latest after the time limit."""
        with self._lock:
            for name, check in self._checks.items():
                if name not in self._running:
                    self._running[name] = self._executor.submit(check)
            futures = dict(self._running)
        wait(futures.values(), timeout=self._timeout_s)
        outcomes = {name: self._outcome(future) for name, future in futures.items()}
        with self._lock:
            for name, future in futures.items():
                if future.done() and self._running.get(name) is future:
                    del self._running[name]
        return outcomes

    def close(self) -> None:
        """Stop accepting probes; does not wait for a check that hangs."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, future: Future[CheckResult]) -> CheckDocument:
        if not future.done():
            return CheckDocument(ok=False, detail=f"no answer within {self._timeout_s:g} s", facts={})
        error = future.exception()
        if error is not None:
            return CheckDocument(ok=False, detail=f"the check failed ({type(error).__name__})", facts={})
        result = future.result()
        return CheckDocument(ok=result.ok, detail=result.detail, facts=dict(result.facts))
