"""The frame around every flow: one worker at a time, errors by consequence, no foreign message kept."""

from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from agatha.pipeline import leased_work
from agatha.pipeline.consequences import PermanentError, TransientError
from agatha.pipeline.leased_work import LEASE_DURATION, run_leased
from agatha.pipeline.limits import MAX_ATTEMPTS, MAX_ATTEMPTS_OWN_FAULT
from agatha.store.errors import StoreUnavailable

DAY_S = 86_400


@pytest.fixture
def work(context, database, clock, job_id):
    """Run a flow on the one job; what it raises is sorted."""

    def park(lease, why):
        with database.writing() as tx:
            return tx.park(lease, reason_code=why.code, reason_text=why.text)

    def take():
        with database.writing() as tx:
            return tx.lease_job(job_id, "worker-1", clock(), LEASE_DURATION)

    def run(flow):
        return run_leased(context, "analyze_job", "jobs", take, flow, park)

    return run


def job(database, job_id):
    with database.reading() as tx:
        return tx.job(job_id)


def raising(error):
    def flow(_lease):
        raise error

    return flow


def test_a_second_delivery_of_a_task_finds_the_row_taken(work):
    outcomes = []

    def flow(_lease):
        outcomes.append(work(lambda _inner: "done twice"))
        return "done"

    assert work(flow) == "done"
    assert outcomes == ["busy"]


def test_a_transient_error_gives_the_row_back_after_a_pause(work, database, clock, job_id):
    assert work(raising(TransientError("NOT_NOW", "Later."))) == "retry"
    row = job(database, job_id)
    assert (row.state, row.reason_text) == ("queued", "Later.")
    assert row.next_attempt_at == clock.now + timedelta(seconds=5)
    assert work(lambda _lease: "done") == "busy", "not before the pause is over"
    clock.advance(5)
    assert work(lambda _lease: "done") == "done"


def test_a_permanent_error_parks_the_row_with_its_reason(work, database, job_id):
    assert work(raising(PermanentError("BROKEN", "For good."))) == "parked"
    row = job(database, job_id)
    assert (row.state, row.reason_code, row.reason_text) == ("failed", "BROKEN", "For good.")


def test_attempts_have_a_ceiling(work, database, clock, job_id):
    outcomes = []
    for _ in range(MAX_ATTEMPTS["jobs"] + 1):
        outcomes.append(work(raising(StoreUnavailable("down"))))
        clock.advance(DAY_S)
    assert outcomes == ["retry"] * (MAX_ATTEMPTS["jobs"] - 1) + ["parked", "busy"]
    assert job(database, job_id).reason_code == "STORE_UNAVAILABLE"


def test_a_row_that_kills_every_worker_is_parked_without_being_tried_again(work, database, clock, job_id):
    for _ in range(MAX_ATTEMPTS["jobs"]):
        with database.writing() as tx:  # a worker that dies takes the lease and never says another word
            assert tx.lease_job(job_id, "doomed", clock(), LEASE_DURATION) is not None
        clock.advance(DAY_S)
    assert work(raising(AssertionError("the flow must not run"))) == "parked"
    assert job(database, job_id).reason_code == "WORKER_LOST"


def test_time_limit_is_transient(work, database, job_id):
    assert work(raising(SoftTimeLimitExceeded())) == "retry"
    assert job(database, job_id).reason_text == "The task took longer than its time limit."


def test_the_message_of_a_foreign_exception_is_kept_nowhere(work, database, clock, job_id, capfd):
    for _ in range(MAX_ATTEMPTS_OWN_FAULT):
        work(raising(ValueError("invalid value for VR PN: CANARY^PHI")))
        clock.advance(DAY_S)
    row = job(database, job_id)
    assert (row.reason_code, row.reason_text) == ("UNEXPECTED_ERROR", "Unexpected ValueError.")
    out, err = capfd.readouterr()
    assert "UNEXPECTED_ERROR" in out + err
    assert "CANARY" not in out + err


def test_a_worker_that_was_paused_past_its_lease_changes_nothing(work, context, database, clock, job_id):
    def flow(lease):
        clock.advance(LEASE_DURATION.total_seconds() + 1)
        with database.writing() as tx:
            assert tx.lease_job(job_id, "worker-2", clock(), LEASE_DURATION) is not None
        raise PermanentError("LATE", "Too late.")

    assert work(flow) == "lease_lost"
    assert (job(database, job_id).state, job(database, job_id).reason_code) == ("running", None)


def test_the_lease_is_renewed_while_the_flow_runs(work, database, clock, job_id, monkeypatch):
    monkeypatch.setattr(leased_work, "LEASE_S", 0.03)  # beats every 10 ms

    def flow(_lease):
        clock.advance(LEASE_DURATION.total_seconds() - 1)
        for _ in range(500):  # wait for a heartbeat at the new time
            leased_work.threading.Event().wait(0.01)
            with database.writing() as tx:
                held_until = clock.now + timedelta(seconds=2)
                if tx.lease_job(job_id, "worker-2", held_until, LEASE_DURATION) is None:
                    return "kept"
        return "lost"

    assert work(flow) == "kept"


def test_the_store_being_away_when_the_outcome_is_recorded_leaves_the_row_to_the_sweep(work, database, monkeypatch):
    def flow(_lease):
        monkeypatch.setattr(type(database), "writing", lambda _self: raising(StoreUnavailable("down"))(None))
        raise PermanentError("BROKEN", "For good.")

    with pytest.raises(StoreUnavailable):
        work(flow)
