"""The sweep: finds what is due, does not flood the queue, and survives broker and database being away."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from agatha.pipeline.app import BrokerUnavailable
from agatha.pipeline.limits import REQUEUE_AFTER_S
from agatha.pipeline.sweep import run_sweep, sweep_once
from agatha.store.errors import StoreUnavailable

SETTLE_S = 5
QUIET_S = 90


@dataclass
class Queue:
    """Takes tasks, or says that it is away; has room for so many."""

    free: int = 1000
    is_away: bool = False
    taken: list = field(default_factory=list)

    def room(self, _kind):
        if self.is_away:
            raise BrokerUnavailable("away")
        return self.free

    def publish(self, kind, ids):
        if self.is_away and ids:
            raise BrokerUnavailable("away")
        self.taken += [(kind, row) for row in ids]


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def sweep(database, queue, context, clock):
    return lambda: sweep_once(database, queue, context.config, clock())


@pytest.fixture
def provisional_result(database, job_id, clock):
    """A completed provisional result of the one series."""
    with database.writing() as tx:
        lease = tx.lease_job(job_id, "worker-1", clock(), timedelta(seconds=30))
        document = {"reason": None, "provisional": True}
        result = tx.complete_job(
            lease, state="completed", provisional=True, document=document, outputs=[], destinations=[]
        )
    return result.id


@pytest.fixture
def job_id(series_id, make_job):
    return make_job(series_id, provisional=True)


def test_a_series_is_looked_at_when_it_has_settled(sweep, queue, clock, series_id):
    clock.advance(SETTLE_S - 1)
    assert sweep().is_empty
    clock.advance(1)
    sweep()
    assert queue.taken == [("series", series_id)]


def test_a_row_on_the_queue_is_offered_again_only_when_the_queue_must_have_lost_it(sweep, queue, clock, series_id):
    clock.advance(SETTLE_S)
    sweep()
    for _ in range(5):
        clock.advance(1)
        assert sweep().is_empty
    clock.advance(REQUEUE_AFTER_S)
    sweep()
    assert queue.taken == [("series", series_id)] * 2


def test_a_row_in_work_is_offered_again_when_its_worker_died(sweep, queue, clock, database, job_id):
    with database.writing() as tx:
        tx.lease_job(job_id, "worker-1", clock(), timedelta(seconds=30))
    clock.advance(29)
    sweep()
    assert ("jobs", job_id) not in queue.taken
    clock.advance(1)
    sweep()
    assert ("jobs", job_id) in queue.taken


def test_a_full_queue_is_not_filled_further(sweep, queue, clock, series_id):
    queue.free = 0
    clock.advance(SETTLE_S)
    assert sweep().is_empty
    queue.free = 1
    sweep()
    assert queue.taken == [("series", series_id)]


def test_a_lost_broker_loses_nothing(sweep, queue, clock, series_id):
    queue.is_away = True
    clock.advance(SETTLE_S)
    with pytest.raises(BrokerUnavailable):
        sweep()
    queue.is_away = False
    sweep()
    assert queue.taken == [("series", series_id)]


def test_two_sweeps_at_once_do_no_harm(sweep, queue, clock, series_id, database, context):
    clock.advance(SETTLE_S)
    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(queue.taken) == {("series", series_id)}
    assert len(queue.taken) <= 2


def test_a_provisional_result_becomes_final_when_the_series_stays_quiet(sweep, database, clock, provisional_result):
    clock.advance(QUIET_S - 1)
    assert sweep().finalised == 0
    clock.advance(1)
    assert sweep().finalised == 1
    assert sweep().finalised == 0
    with database.reading() as tx:
        result = tx.result(provisional_result)
        assert (result.provisional, result.document["provisional"]) == (False, False)
        assert [event.kind for event in tx.timeline("1.2.1")][-1] == "RESULT_FINAL"


def test_results_become_final_without_a_broker(sweep, queue, database, clock, series_id, provisional_result):
    queue.is_away = True
    clock.advance(QUIET_S)
    with pytest.raises(BrokerUnavailable):
        sweep()
    with database.reading() as tx:
        assert tx.result(provisional_result).provisional is False


def test_the_loop_outlives_database_and_broker(database, queue, context, monkeypatch):
    """Passes 1 and 2 fail, pass 3 works, and the loop ends when it is told to."""
    passes, stop = [], threading.Event()

    def on_pass():
        passes.append(len(queue.taken))
        queue.is_away = len(passes) == 1
        if len(passes) == 3:
            stop.set()

    real = type(database).reading
    monkeypatch.setattr(type(database), "reading", lambda self: real(self) if passes else _away())
    run_sweep(database, queue, context.config, interval_s=0.001, stop=stop, on_pass=on_pass)
    assert len(passes) == 3


def _away():
    raise StoreUnavailable("away")
