"""Due rows → tasks, and provisional results whose series stayed quiet → final. What makes progress certain.

Decides what is put on the queue and how often. It takes no lease and changes no row but `enqueued_at` and
`provisional`, so a second sweep beside it does no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from agatha.pipeline.app import LONGEST_QUEUE, BrokerUnavailable, Publisher
from agatha.pipeline.context import PipelineConfig, utc_now
from agatha.pipeline.limits import REQUEUE_AFTER_S
from agatha.store.database import Database
from agatha.store.errors import StoreError
from agatha.store.records import LeasedKind

_log = structlog.get_logger(__name__)

REQUEUE_AFTER: Final = timedelta(seconds=REQUEUE_AFTER_S)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one pass did."""

    enqueued: dict[LeasedKind, int]
    finalised: int

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to do."""
        return self.finalised == 0 and not any(self.enqueued.values())


def sweep_once(database: Database, publisher: Publisher, config: PipelineConfig, now: datetime) -> Swept:
    """Put every due row on the queue and finalise what has become final.

    Raises
    ------
    StoreUnavailable
        When the database does not answer.
    BrokerUnavailable
        When the broker does not; results have been finalised all the same.
    """
    finalised = _finalise(database, now - config.quiet_period)
    due = _due_rows(database, config, now)
    enqueued: dict[LeasedKind, int] = {}
    for kind, ids_due in due.items():
        ids = ids_due[: publisher.room(kind)] if ids_due else []
        publisher.publish(kind, ids)
        if ids:
            with database.writing() as tx:
                tx.mark_enqueued(kind, ids, now)
        enqueued[kind] = len(ids)
    return Swept(enqueued, finalised)


def run_sweep(
    database: Database,
    publisher: Publisher,
    config: PipelineConfig,
    *,
    interval_s: float,
    stop: threading.Event,
    on_pass: Callable[[], None] = lambda: None,
) -> None:
    """Sweep until `stop` is set. A database or broker that is away is logged when it goes and when it is back.

    Parameters
    ----------
    on_pass
        Called after every pass, failed or not: the sign of life for the health check.
    """
    trouble: str | None = None
    while not stop.is_set():
        try:
            swept = sweep_once(database, publisher, config, utc_now())
            now_wrong = None
            if not swept.is_empty:
                _log.info("sweep", finalised=swept.finalised, **swept.enqueued)
        except (StoreError, BrokerUnavailable) as exc:
            now_wrong = type(exc).__name__
        if now_wrong != trouble:
            _log.warning("sweep_trouble", error=now_wrong or "none", before=trouble or "none")
            trouble = now_wrong
        on_pass()
        stop.wait(interval_s)


def _due_rows(database: Database, config: PipelineConfig, now: datetime) -> dict[LeasedKind, list[int]]:
    with database.reading() as tx:
        return {
            "deliveries": tx.due_deliveries(now, LONGEST_QUEUE, requeue_after=REQUEUE_AFTER),
            "jobs": tx.due_jobs(now, LONGEST_QUEUE, requeue_after=REQUEUE_AFTER),
            "series": tx.due_series(
                now,
                quiet_before=now - config.quiet_period,
                settle_before=now - config.settle_time,
                limit=LONGEST_QUEUE,
                requeue_after=REQUEUE_AFTER,
            ),
        }


def _finalise(database: Database, quiet_before: datetime) -> int:
    with database.reading() as tx:
        ids = tx.provisional_results(quiet_before)
    finalised = 0
    for result_id in ids:
        with database.writing() as tx:
            result = tx.result(result_id)
            if result is not None and tx.finalise_result(result_id):
                text = f"{result.analysis} version {result.version} is final: no instance arrived any more."
                tx.record_event(job_id=result.job_id, kind="RESULT_FINAL", text=text)
                finalised += 1
    return finalised
