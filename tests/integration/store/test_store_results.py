"""Jobs, results, outputs and deliveries: each result once, versions that follow the input, receipts that count."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from agatha.store.database import Database
from agatha.store.errors import NotFound


@pytest.fixture
def series_id(rows) -> int:
    return rows.add().series_id


def test_same_work_requested_twice_is_one_job(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    with database.writing() as tx:
        again = tx.create_job(
            series_id,
            analysis="csct-scoring",
            input_version=1,
            src_digest="d1",
            model_name="unet",
            model_version="1",
            model_sha256="m1",
            config_digest="c1",
            provisional=False,
        )
        assert again.id == job.id
        assert len(tx.jobs_of_study("1.2.1")) == 1


def test_same_work_requested_at_once_is_one_job(database: Database, rows, series_id: int) -> None:
    start = threading.Barrier(4)

    def request(_: int) -> int:
        start.wait()
        with database.writing() as tx:
            return tx.create_job(
                series_id,
                analysis="csct-scoring",
                input_version=1,
                src_digest="d1",
                model_name="unet",
                model_version="1",
                model_sha256="m1",
                config_digest="c1",
                provisional=False,
            ).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(request, range(4)))) == 1


def test_completion_records_result_outputs_and_deliveries_together(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    result = rows.complete(rows.lease(job), destinations=("PACS", "ARCHIVE", "PACS"))
    assert result is not None
    assert (result.version, result.state, result.analysis) == (1, "completed", "csct-scoring")
    assert result.document["calcium"] == {"agatston": {"total": 12.5}}
    assert result.document["version"] == 1
    with database.reading() as tx:
        assert tx.result_of_job(job.id) == result
        (output,) = tx.outputs_of_result(result.id)
        assert tx.output(output.id) == output
        assert tx.outputs_of_study("1.2.1") == [output]
        deliveries = tx.deliveries_of_study("1.2.1")
        assert [(row.destination, row.state) for row in deliveries] == [("PACS", "pending"), ("ARCHIVE", "pending")]
        assert tx.job(job.id).state == "completed"
        assert tx.study("1.2.1").state == "completed"  # type: ignore[union-attr]
        assert tx.is_own_series("2.0")
        assert not tx.is_own_series("1.2.1.1")


def test_completing_twice_records_one_result(database: Database, rows, series_id: int) -> None:
    lease = rows.lease(rows.job(series_id))
    assert rows.complete(lease) is not None
    assert rows.complete(lease) is None
    with database.reading() as tx:
        assert len(tx.results_of_study("1.2.1")) == 1
        assert len(tx.deliveries_of_study("1.2.1")) == 1


def test_completing_from_many_threads_records_one_result(database: Database, rows, series_id: int) -> None:
    lease = rows.lease(rows.job(series_id))
    start = threading.Barrier(5)

    def complete(_: int) -> bool:
        start.wait()
        return rows.complete(lease) is not None

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(complete, range(5))) == 1


def test_worker_whose_job_was_taken_over_records_nothing(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    slow = rows.lease(job)
    with database.writing() as tx:
        quick = tx.lease_job(job.id, "other", datetime.now(UTC) + 2 * rows.minute, rows.minute)
    assert rows.complete(slow) is None
    with database.reading() as tx:
        assert tx.results_of_study("1.2.1") == []
        assert tx.job(job.id).state == "running"
    assert rows.complete(quick) is not None


def test_refused_result_gives_the_job_its_reason_and_the_study_its_state(database: Database, rows, series_id) -> None:
    job = rows.job(series_id)
    with database.writing() as tx:
        result = tx.complete_job(
            tx.lease_job(job.id, "worker", rows.noon, rows.minute),
            state="refused",
            provisional=False,
            document={"reason": {"code": "STENT", "text": "a stent"}},
            outputs=[],
            destinations=["PACS"],
        )
        assert result is not None
        refused = tx.job(job.id)
        assert (refused.state, refused.reason_code, refused.reason_text) == ("refused", "STENT", "a stent")
        assert tx.study("1.2.1").state == "refused"  # type: ignore[union-attr]


def test_result_of_a_newer_input_has_the_higher_version(database: Database, rows, series_id: int) -> None:
    first = rows.complete(rows.lease(rows.job(series_id)))
    rows.add(sop_instance_uid="1.2.1.1.2")
    second = rows.complete(rows.lease(rows.job(series_id, src_digest="d2")), outputs=[rows.output("2.2")])
    assert (first.version, second.version) == (1, 2)
    with database.reading() as tx:
        assert [result.version for result in tx.results_of_study("1.2.1")] == [2, 1]


def test_older_job_that_finishes_last_does_not_overtake_the_newer_result(database: Database, rows, series_id) -> None:
    old = rows.lease(rows.job(series_id))
    rows.add(sop_instance_uid="1.2.1.1.2")
    newer = rows.complete(rows.lease(rows.job(series_id, src_digest="d2")))
    assert newer is not None
    assert rows.complete(old) is None
    with database.reading() as tx:
        (result,) = tx.results_of_study("1.2.1")
        assert result.id == newer.id
        superseded = tx.job(old.record.id)
        assert (superseded.state, superseded.reason_code) == ("failed", "SUPERSEDED")
        assert tx.timeline("1.2.1")[-1].kind == "JOB_SUPERSEDED"
        assert tx.study("1.2.1").state == "completed"  # type: ignore[union-attr]


def test_older_and_newer_job_that_finish_at_once_leave_the_newer_result_on_top(database: Database, rows) -> None:
    for attempt in range(8):
        uid = f"1.8.{attempt}"
        place = {"study_instance_uid": uid, "series_instance_uid": f"{uid}.1"}
        series_id = rows.add(**place, sop_instance_uid=f"{uid}.1.1").series_id
        old = rows.lease(rows.job(series_id))
        rows.add(**place, sop_instance_uid=f"{uid}.1.2")
        new = rows.lease(rows.job(series_id, src_digest="d2"))
        start = threading.Barrier(2)

        def finish(lease, start: threading.Barrier = start) -> None:
            start.wait()
            rows.complete(lease, outputs=[])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(finish, (old, new)))
        with database.reading() as tx:
            results = tx.results_of_study(uid)
        assert results[0].job_id == new.record.id
        assert [result.version for result in results] in ([1], [2, 1])


def test_job_stays_current_when_the_new_instance_is_no_source_of_it(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    rows.add(sop_instance_uid="1.2.1.1.2")
    again = rows.job(series_id)
    assert (again.id, again.input_version) == (job.id, 2)


def test_reprocessing_makes_a_second_result_from_the_same_input(database: Database, rows, series_id: int) -> None:
    first = rows.complete(rows.lease(rows.job(series_id)))
    with database.writing() as tx:
        assert tx.reprocess("1.2.1") == 1
        assert tx.reprocess("9.9") == 0
        assert tx.series(series_id).state == "receiving"
        assert tx.timeline("1.2.1")[-1].kind == "REPROCESS_REQUESTED"
        now = datetime.now(UTC)
        assert tx.due_series(now, quiet_before=now, settle_before=now, limit=5) == [series_id]
    again = rows.job(series_id)
    assert again.id != first.job_id
    second = rows.complete(rows.lease(again), outputs=[rows.output(sha256="o2")])
    assert second.version == 2


def test_object_written_again_belongs_to_the_newest_result_and_is_delivered_again(database, rows, series_id) -> None:
    first = rows.complete(rows.lease(rows.job(series_id)))
    with database.writing() as tx:
        (delivery,) = tx.deliveries_of_study("1.2.1")
        sending = tx.lease_delivery(delivery.id, "worker", rows.noon, rows.minute)
        tx.complete_delivery(sending, dimse_status=0, now=rows.noon)
        tx.reprocess("1.2.1")
    second = rows.complete(rows.lease(rows.job(series_id)), outputs=[rows.output(sha256="o2")])
    with database.reading() as tx:
        assert tx.outputs_of_result(first.id) == []
        (output,) = tx.outputs_of_result(second.id)
        assert output.sha256 == "o2"
        (again,) = tx.deliveries_of_study("1.2.1")
        assert (again.id, again.state, again.attempts, again.delivered_at) == (delivery.id, "pending", 0, None)


def test_provisional_result_is_finalised_once_its_series_is_quiet(database: Database, rows, series_id: int) -> None:
    result = rows.complete(rows.lease(rows.job(series_id, provisional=True)), provisional=True)
    assert result.provisional
    with database.writing() as tx:
        assert tx.provisional_results(rows.noon - rows.minute) == []
        assert tx.provisional_results(rows.noon) == [result.id]
        assert tx.finalise_result(result.id)
        assert not tx.finalise_result(result.id)
        final = tx.result_of_job(result.job_id)
        assert not final.provisional
        assert final.document["provisional"] is False
        assert final.document["calcium"] == {"agatston": {"total": 12.5}}
        assert not tx.job(result.job_id).provisional
        assert tx.provisional_results(rows.noon) == []


def test_provisional_result_of_an_older_input_never_becomes_final(database: Database, rows, series_id: int) -> None:
    rows.complete(rows.lease(rows.job(series_id, provisional=True)), provisional=True)
    rows.add(sop_instance_uid="1.2.1.1.2")
    with database.reading() as tx:
        assert tx.provisional_results(rows.noon) == []


def test_job_that_became_final_while_it_ran_has_a_final_result(database: Database, rows, series_id: int) -> None:
    lease = rows.lease(rows.job(series_id, provisional=True))
    rows.add(sop_instance_uid="1.2.1.1.2")
    rows.job(series_id, provisional=False)
    assert rows.complete(lease, provisional=True).provisional is False


def test_not_a_number_is_refused_in_a_document(database: Database, rows, series_id: int) -> None:
    lease = rows.lease(rows.job(series_id))
    with pytest.raises(ValueError, match="JSON"), database.writing() as tx:
        tx.complete_job(
            lease,
            state="completed",
            provisional=False,
            document={"calcium": float("nan")},
            outputs=[],
            destinations=[],
        )
    with database.reading() as tx:
        assert tx.job(lease.record.id).state == "running"


def test_delivery_is_retried_then_delivered(database: Database, rows, series_id: int) -> None:
    rows.complete(rows.lease(rows.job(series_id)))
    now = rows.noon
    with database.writing() as tx:
        (delivery_id,) = tx.due_deliveries(now, 10)
        lease = tx.lease_delivery(delivery_id, "worker", now, rows.minute)
        assert lease.record.state == "sending"
        assert tx.due_deliveries(now, 10) == []
        tx.release_for_retry(lease, next_attempt_at=now + rows.minute, reason_text="refused", dimse_status=0xA700)
        waiting = tx.delivery(delivery_id)
        assert (waiting.state, waiting.last_error, waiting.dimse_status) == ("pending", "refused", 0xA700)
        lease = tx.lease_delivery(delivery_id, "worker", now + rows.minute, rows.minute)
        assert tx.complete_delivery(lease, dimse_status=0, now=now + rows.minute)
        assert not tx.complete_delivery(lease, dimse_status=0, now=now + rows.minute)
        done = tx.delivery(delivery_id)
    assert (done.state, done.dimse_status, done.last_error, done.attempts) == ("delivered", 0, None, 2)
    assert done.delivered_at == now + rows.minute


def test_delivery_that_is_given_up_is_dead_with_its_reason(database: Database, rows, series_id: int) -> None:
    rows.complete(rows.lease(rows.job(series_id)))
    with database.writing() as tx:
        (delivery_id,) = tx.due_deliveries(rows.noon, 10)
        lease = tx.lease_delivery(delivery_id, "worker", rows.noon, rows.minute)
        assert tx.park(lease, reason_code="DESTINATION_REFUSED", reason_text="no such SOP class", dimse_status=0x0122)
        dead = tx.delivery(delivery_id)
    assert (dead.state, dead.last_error) == ("dead", "DESTINATION_REFUSED: no such SOP class")
    assert dead.dimse_status == 0x0122


def test_two_jobs_that_finish_at_once_leave_the_study_completed(database: Database, rows) -> None:
    """Each sees the other running; without a lock on the study both would leave it processing."""
    for attempt in range(5):
        study = f"1.7.{attempt}"
        leases = []
        for number in range(2):
            uid = f"{study}.{number}"
            series = rows.add(study_instance_uid=study, series_instance_uid=uid, sop_instance_uid=f"{uid}.1").series_id
            leases.append(rows.lease(rows.job(series)))
        start = threading.Barrier(2)

        def finish(lease, start: threading.Barrier = start) -> None:
            start.wait()
            assert rows.complete(lease, outputs=[]) is not None

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(finish, leases))
        with database.reading() as tx:
            assert tx.study(study).state == "completed"  # type: ignore[union-attr]


def test_unknown_ids_are_not_found(database: Database) -> None:
    with database.reading() as tx:
        for look_up in (tx.series, tx.job, tx.delivery):
            with pytest.raises(NotFound):
                look_up(1)
        assert tx.output(1) is None
        assert tx.result_of_job(1) is None


def test_event_of_a_job_is_on_the_timeline_of_its_study(database: Database, rows, series_id: int) -> None:
    job = rows.job(series_id)
    with database.writing() as tx:
        tx.record_event(job_id=job.id, kind="JOB_STARTED", text="started", detail={"attempt": 1})
        event = tx.timeline("1.2.1")[-1]
    assert (event.kind, event.series_id, event.series_instance_uid) == ("JOB_STARTED", series_id, "1.2.1.1")
    assert event.detail == {"attempt": 1}
    assert abs(event.at - datetime.now(UTC)) < timedelta(minutes=5)
