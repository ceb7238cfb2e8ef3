"""The frame around every flow: take the lease, keep it alive, sort what goes wrong, write one line of log.

Decides how a row is given back after an error. What is done with the row is in `tasks`.
"""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Final, TypeVar

import structlog

from agatha.pipeline.consequences import WORKER_LOST, Consequence, consequence_of
from agatha.pipeline.context import PipelineContext
from agatha.pipeline.lifecycle import check_transition
from agatha.pipeline.limits import (
    HEARTBEATS_PER_LEASE,
    LEASE_S,
    MAX_ATTEMPTS,
    MAX_ATTEMPTS_OWN_FAULT,
    pause_before_next_attempt,
)
from agatha.pipeline.stage_times import recorded_stages
from agatha.store.errors import StoreUnavailable
from agatha.store.records import DeliveryLease, JobLease, Lease, LeasedKind, SeriesLease

_log = structlog.get_logger(__name__)

LEASE_DURATION: Final = timedelta(seconds=LEASE_S)

#: State a row is given back in, and state it is parked in.
_RETRY_STATE: Final[dict[LeasedKind, str]] = {"series": "receiving", "jobs": "queued", "deliveries": "pending"}
_PARKED_STATE: Final[dict[LeasedKind, str]] = {"series": "failed", "jobs": "failed", "deliveries": "dead"}
_HELD_STATE: Final[dict[LeasedKind, str]] = {"series": "assembling", "jobs": "running", "deliveries": "sending"}

L = TypeVar("L", SeriesLease, JobLease, DeliveryLease)


class Heartbeat:
    """Keeps a lease alive from a thread while a stage computes.

    A renewal that fails because the database is away is tried again; a renewal that is refused means that another
    worker has the row. The stage then runs to its end all the same: what it would write is fenced by the token.
    """

    def __init__(self, context: PipelineContext, lease: Lease) -> None:
        self._context = context
        self._lease = lease
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease-heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._done.wait(LEASE_S / HEARTBEATS_PER_LEASE):
            try:
                with self._context.database.writing() as tx:
                    is_held = tx.renew(self._lease, self._context.clock(), LEASE_DURATION)
            except StoreUnavailable:
                _log.warning("lease_not_renewed", row=self._lease.record.id, reason="STORE_UNAVAILABLE")
                continue
            if not is_held:
                _log.warning("lease_lost", row=self._lease.record.id)
                return


def run_leased(
    context: PipelineContext,
    task: str,
    kind: LeasedKind,
    take: Callable[[], L | None],
    flow: Callable[[L], str],
    give_up: Callable[[L, Consequence], bool],
) -> str:
    """Run `flow` on a leased row and return its outcome: what the flow said, "busy", "retry" or "parked".

    Parameters
    ----------
    take
        Takes the lease; None when the row is held, settled or not due: a second delivery of the same task ends here.
    flow
        The work. Raises to have the error sorted by `consequences`.
    give_up
        Records that the row is parked; False when the lease was lost.

    Raises
    ------
    StoreUnavailable
        When the lease cannot be taken, or an error cannot be recorded. Nothing is lost: the sweep offers the row again.
    """
    started = perf_counter()
    lease = take()
    if lease is None:
        _log.info("task", task=task, outcome="busy")
        return "busy"
    with recorded_stages() as stage_seconds:
        outcome, code = _attempt(context, kind, lease, flow, give_up)
    _log.info(
        "task",
        task=task,
        row=lease.record.id,
        attempt=lease.record.attempts,
        outcome=outcome,
        reason_code=code,
        duration_s=round(perf_counter() - started, 3),
        stage_seconds=stage_seconds,
    )
    return outcome


def _attempt(
    context: PipelineContext,
    kind: LeasedKind,
    lease: L,
    flow: Callable[[L], str],
    give_up: Callable[[L, Consequence], bool],
) -> tuple[str, str | None]:
    with Heartbeat(context, lease):
        if lease.record.attempts > MAX_ATTEMPTS[kind]:
            # Only a worker that died without a word gets here: every error it could report was counted below.
            lost = Consequence("park", WORKER_LOST, "The worker process died at every attempt.")
            return _parked(kind, lease, give_up, lost)
        try:
            return flow(lease), None
        except Exception as error:  # noqa: BLE001 - every error has a consequence; the table says which
            consequence = consequence_of(error)
            _log.warning("task_error", reason_code=consequence.code, error=type(error).__name__, where=_where(error))
        ceiling = MAX_ATTEMPTS_OWN_FAULT if consequence.is_own_fault else MAX_ATTEMPTS[kind]
        if consequence.action == "park" or lease.record.attempts >= ceiling:
            return _parked(kind, lease, give_up, consequence)
        return _released(context, kind, lease, consequence)


def _released(context: PipelineContext, kind: LeasedKind, lease: Lease, why: Consequence) -> tuple[str, str]:
    check_transition(kind, _HELD_STATE[kind], _RETRY_STATE[kind])
    pause = pause_before_next_attempt(kind, lease.record.attempts, random.random())  # noqa: S311 - jitter, no secret
    with context.database.writing() as tx:
        is_held = tx.release_for_retry(
            lease, next_attempt_at=context.clock() + pause, reason_text=why.text, dimse_status=why.dimse_status
        )
    return ("retry" if is_held else "lease_lost"), why.code


def _parked(kind: LeasedKind, lease: L, give_up: Callable[[L, Consequence], bool], why: Consequence) -> tuple[str, str]:
    check_transition(kind, _HELD_STATE[kind], _PARKED_STATE[kind])
    return ("parked" if give_up(lease, why) else "lease_lost"), why.code


def _where(error: BaseException) -> str:
    """File names, lines and functions of the innermost frames; never the message, which could quote a patient."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
