"""Leases: exclusive under concurrency, fenced by their token, and given back on every way out."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from agatha.store.database import Database
from agatha.store.leases import REQUEUE_AFTER


@pytest.fixture
def series_id(rows) -> int:
    return rows.add().series_id


def take_series(database: Database, series_id: int, now: datetime, owner: str = "worker"):
    with database.writing() as tx:
        return tx.lease_series(series_id, owner, now, timedelta(minutes=1))


def take_job(database: Database, job_id: int, now: datetime, owner: str = "worker"):
    with database.writing() as tx:
        return tx.lease_job(job_id, owner, now, timedelta(minutes=1))


def test_only_one_of_many_workers_gets_the_lease(database: Database, rows, series_id: int) -> None:
    workers = 8
    start = threading.Barrier(workers)

    def attempt(number: int) -> bool:
        start.wait()
        return take_series(database, series_id, rows.noon, f"worker-{number}") is not None

    with ThreadPoolExecutor(workers) as pool:
        assert sum(pool.map(attempt, range(workers))) == 1


def test_every_one_of_many_jobs_is_taken_exactly_once(database: Database, rows, series_id: int) -> None:
    jobs = [
        rows.job(rows.add(series_instance_uid=f"1.5.{i}", sop_instance_uid=f"1.5.{i}.1").series_id).id
        for i in range(12)
    ]
    taken: list[int] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for job_id in jobs:
            if take_job(database, job_id, rows.noon, f"worker-{number}") is not None:
                taken.append(job_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(taken) == sorted(jobs)


def test_lease_sets_the_state_and_counts_the_attempt(database: Database, rows, series_id: int) -> None:
    lease = take_series(database, series_id, rows.noon)
    assert lease is not None
    assert (lease.record.state, lease.record.attempts, lease.expires_at) == ("assembling", 1, rows.noon + rows.minute)
    with database.reading() as tx:
        assert tx.study("1.2.1").state == "processing"  # type: ignore[union-attr]


def test_expired_lease_is_taken_over_and_its_first_holder_is_fenced_out(database: Database, rows, series_id) -> None:
    slow = take_series(database, series_id, rows.noon)
    assert take_series(database, series_id, rows.noon + rows.minute / 2) is None
    quick = take_series(database, series_id, rows.noon + rows.minute)
    assert slow is not None
    assert quick is not None
    later = rows.noon + 2 * rows.minute
    with database.writing() as tx:
        assert not tx.renew(slow, later, rows.minute)
        assert not tx.settle_series(slow, state="refused", reason_code="GAP", reason_text="late")
        assert not tx.release_for_retry(slow, next_attempt_at=later, reason_text="late")
        assert not tx.park(slow, reason_code="LATE", reason_text="late")
        assert tx.series(series_id).state == "assembling"
        assert tx.renew(quick, later, rows.minute)
        assert tx.settle_series(quick, state="routed", kind="csct")
        assert tx.series(series_id).state == "routed"


def test_expired_lease_that_nobody_took_can_still_be_renewed(database: Database, rows, series_id: int) -> None:
    lease = take_series(database, series_id, rows.noon)
    later = rows.noon + 10 * rows.minute
    with database.writing() as tx:
        assert tx.renew(lease, later, rows.minute)
    assert take_series(database, series_id, later) is None


def test_settled_series_cannot_be_leased(database: Database, rows, series_id: int) -> None:
    lease = take_series(database, series_id, rows.noon)
    with database.writing() as tx:
        tx.settle_series(lease, state="not_applicable", reason_code="LOCALIZER", reason_text="a localizer")
    assert take_series(database, series_id, rows.noon + 5 * rows.minute) is None


def test_instance_that_arrives_during_assembly_prevents_settling_and_makes_the_series_due(
    database: Database, rows, series_id: int
) -> None:
    lease = take_series(database, series_id, rows.noon)
    rows.add(sop_instance_uid="1.2.1.1.2")
    assert take_series(database, series_id, rows.noon) is None  # still held, so nobody assembles it twice
    with database.writing() as tx:
        assert not tx.settle_series(lease, state="routed", kind="csct")
        series = tx.series(series_id)
        assert (series.state, series.kind, series.attempts) == ("receiving", None, 0)
    again = take_series(database, series_id, rows.noon)
    assert again is not None
    assert again.record.input_version == 2


def test_released_row_waits_for_its_next_attempt(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    lease = take_job(database, job.id, rows.noon)
    due_at = rows.noon + 5 * rows.minute
    with database.writing() as tx:
        assert tx.release_for_retry(lease, next_attempt_at=due_at, reason_text="the disk was full")
        waiting = tx.job(job.id)
        assert (waiting.state, waiting.reason_text, waiting.next_attempt_at) == ("queued", "the disk was full", due_at)
        assert tx.due_jobs(due_at - rows.minute, 10) == []
        assert tx.due_jobs(due_at, 10) == [job.id]
    assert take_job(database, job.id, due_at - rows.minute) is None
    again = take_job(database, job.id, due_at)
    assert again is not None
    assert again.record.attempts == 2


def test_released_series_with_a_new_instance_does_not_wait(database: Database, rows, series_id: int) -> None:
    lease = take_series(database, series_id, rows.noon)
    rows.add(sop_instance_uid="1.2.1.1.2")
    with database.writing() as tx:
        tx.release_for_retry(lease, next_attempt_at=rows.noon + 60 * rows.minute, reason_text="a gap")
    assert take_series(database, series_id, rows.noon) is not None


def test_parked_rows_stay_with_their_reason(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    lease = take_job(database, job.id, rows.noon)
    with database.writing() as tx:
        assert tx.park(lease, reason_code="OUT_OF_MEMORY", reason_text="three times")
        parked = tx.job(job.id)
        assert (parked.state, parked.reason_code, parked.reason_text) == ("failed", "OUT_OF_MEMORY", "three times")
        assert parked.finished_at is not None
        assert tx.study("1.2.1").state == "failed"  # type: ignore[union-attr]
    assert take_job(database, job.id, rows.noon + 60 * rows.minute) is None


def test_parked_series_with_a_new_instance_is_tried_again_instead(database: Database, rows, series_id: int) -> None:
    lease = take_series(database, series_id, rows.noon)
    rows.add(sop_instance_uid="1.2.1.1.2")
    with database.writing() as tx:
        assert tx.park(lease, reason_code="UNREADABLE", reason_text="no")
        series = tx.series(series_id)
    assert (series.state, series.reason_code, series.reason_text) == ("receiving", None, None)


def test_series_is_due_once_it_settled_and_the_quiet_ones_come_first(database: Database, rows, series_id: int) -> None:
    second = rows.add(series_instance_uid="1.6", sop_instance_uid="1.6.1", at=rows.noon - 10 * rows.minute).series_id

    def due(settle_before: datetime) -> list[int]:
        with database.reading() as tx:
            quiet_before = rows.noon - 5 * rows.minute
            return tx.due_series(rows.noon, quiet_before=quiet_before, settle_before=settle_before, limit=10)

    assert due(rows.noon) == [second, series_id]
    assert due(rows.noon - rows.minute) == [second]
    take_series(database, second, rows.noon)
    assert due(rows.noon) == [series_id]


def test_enqueued_row_is_offered_again_only_after_its_task_counts_as_lost(database: Database, rows, series_id) -> None:
    job = rows.job(series_id)
    with database.writing() as tx:
        tx.mark_enqueued("jobs", [job.id], rows.noon)
        assert tx.due_jobs(rows.noon + rows.minute, 10) == []
        assert tx.due_jobs(rows.noon + REQUEUE_AFTER, 10) == [job.id]
        assert tx.due_jobs(rows.noon + rows.minute, 10, requeue_after=rows.minute) == [job.id]
    assert take_job(database, job.id, rows.noon + rows.minute) is not None


def test_row_of_a_dead_worker_is_due_as_soon_as_its_lease_expires(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    with database.writing() as tx:
        tx.mark_enqueued("jobs", [job.id], rows.noon)
    assert take_job(database, job.id, rows.noon) is not None
    with database.reading() as tx:
        assert tx.due_jobs(rows.noon + rows.minute / 2, 10) == []
        assert tx.due_jobs(rows.noon + rows.minute, 10) == [job.id]
