"""kill -9 of every process and of the broker in the middle of work: every study ends with one result per input."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from agatha.processes.life import life_file

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

STUDIES = 6
LEAST_KILLS = 15


def test_killed_processes_lose_no_acknowledged_instance_and_make_no_twin_result(installation, peers, study):
    """Listener, worker, scheduler, broker and database connections are killed at random while studies come in."""
    studies = [study(slices=27) for _ in range(STUDIES)]
    installation.start("listener", "worker", "scheduler")
    done = threading.Event()
    chaos = threading.Thread(target=_wreak_havoc, args=(installation, peers, done, random.Random(11)))
    chaos.start()
    try:
        with ThreadPoolExecutor(2) as senders:
            list(senders.map(installation.send_until_taken, [paths for _, paths in studies]))
    finally:
        done.set()
        chaos.join()
    for study_uid, paths in studies:
        _assert_durable(installation, study_uid, paths)
        results = installation.wait_for_results(study_uid)
        installation.wait_for(lambda uid=study_uid: _is_settled(installation, uid), "the study to be settled")
        results = installation.results(study_uid)
        per_input = [(result.analysis, _input_of(installation, result)) for result in results]
        assert len(per_input) == len(set(per_input)), "two results of one input"
        assert results[0].state == "completed"
        assert [result.version for result in results] == list(range(len(results), 0, -1))
        (series,) = installation.series(study_uid)
        assert series.instance_count == len(paths)
        newest = next(job for job in installation.jobs(study_uid) if job.id == results[0].job_id)
        assert newest.input_version == series.input_version


def _wreak_havoc(installation, peers, done, dice):
    """Kill something every second or two and start it again, until the senders are done and enough was killed."""
    kills = 0
    victims = ["listener", "worker", "scheduler", "database"] + (["redis"] if peers.redis is not None else ["worker"])
    while not done.is_set() or kills < LEAST_KILLS:
        time.sleep(dice.uniform(0.5, 2.0))
        victim, kills = dice.choice(victims), kills + 1
        if victim == "database":
            _cut_database_connections(peers)
        elif victim == "redis":
            peers.redis.kill()
            time.sleep(dice.uniform(0.0, 1.0))
            peers.redis.start()
        else:
            installation.kill(victim)
            installation.start(victim)


def _cut_database_connections(peers):
    if not peers.database_url.startswith("postgresql"):
        return
    address = peers.database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _assert_durable(installation, study_uid, paths):
    (series,) = installation.series(study_uid)
    with installation.database.reading() as tx:
        rows = {row.sop_instance_uid: row for row in tx.instances_of_series(series.id)}
    for path in paths:
        row = rows[path.stem]
        assert installation.files.path(row.storage_key).stat().st_size == row.size_bytes


def _is_settled(installation, study_uid):
    (series,) = installation.series(study_uid)
    states = {job.state for job in installation.jobs(study_uid) if job.input_version == series.input_version}
    return series.state == "routed" and states == {"completed"}


def _input_of(installation, result):
    with installation.database.reading() as tx:
        job = tx.job(result.job_id)
    return job.src_digest, job.generation


def test_a_worker_killed_in_the_middle_of_an_analysis_is_replaced(installation, study):
    installation.start("listener", "scheduler", "worker")
    study_uid, paths = study()
    installation.send(paths)
    installation.wait_for(
        lambda: "running" in [job.state for job in installation.jobs(study_uid)], "the analysis to run"
    )
    installation.kill("worker")
    installation.start("worker")
    (result,) = installation.wait_for_results(study_uid)
    assert (result.state, result.version) == ("completed", 1)
    assert installation.jobs(study_uid)[0].attempts == 2


def test_without_a_broker_instances_are_taken_and_the_rest_is_caught_up(installation, peers, study):
    if peers.redis is None:
        pytest.skip("the embedded broker is a folder: it has no process to kill")
    peers.redis.kill()
    installation.start("listener", "scheduler")
    study_uid, paths = study()
    assert all(receipt.is_delivered for receipt in installation.send(paths))
    installation.wait_for(lambda: "BrokerUnavailable" in installation.log("scheduler"), "the scheduler to notice")
    assert installation.processes["scheduler"].poll() is None
    starting = threading.Thread(target=installation.start, args=("worker",))
    starting.start()
    time.sleep(2)
    peers.redis.start()
    starting.join()
    (result,) = installation.wait_for_results(study_uid)
    assert result.state == "completed"


def test_a_worker_that_could_not_acknowledge_takes_the_next_task(installation, peers, study):
    """The broker goes away while a task runs: nothing waits for a task then, so only the acknowledgement notices."""
    if peers.redis is None:
        pytest.skip("the embedded broker is a folder: it has no process to kill")
    installation.start("listener", "scheduler", "worker")
    (first, paths), (second, other_paths) = study(), study()
    installation.send(paths)
    installation.wait_for(lambda: "running" in [job.state for job in installation.jobs(first)], "the analysis to run")
    peers.redis.kill()
    installation.wait_for(lambda: "celery.worker.request" in installation.log("worker"), "the lost acknowledgement")
    peers.redis.start()
    installation.send(other_paths)
    for study_uid in (first, second):
        (result,) = installation.wait_for_results(study_uid)
        assert result.state == "completed"


def test_a_redis_that_forgets_everything_costs_time_only(installation, peers, study):
    if peers.redis is None:
        pytest.skip("the embedded broker is a folder: it has no process to kill")
    installation.start("listener", "scheduler")
    study_uid, paths = study()
    installation.send(paths)
    with installation.database.reading():
        installation.wait_for(lambda: _enqueued(installation, study_uid), "the series to be on the queue")
    peers.redis.kill()
    peers.redis.start()
    installation.start("worker")
    (result,) = installation.wait_for_results(study_uid)
    assert result.state == "completed"


def _enqueued(installation, study_uid):
    return '"series": 1' in installation.log("scheduler") and installation.series(study_uid)


def test_two_schedulers_and_two_workers_make_one_result(installation, study):
    installation.start("listener", "scheduler", "worker")
    first = {name: installation.processes.pop(name) for name in ("scheduler", "worker")}
    try:
        installation.start("scheduler", "worker")
        study_uid, paths = study()
        installation.send(paths)
        installation.wait_for_results(study_uid)
        installation.wait_for(lambda: _is_settled(installation, study_uid), "the study to be settled")
        assert len(installation.results(study_uid)) == 1
    finally:
        for process in first.values():
            process.kill()
            process.wait()


def test_every_process_stops_cleanly_when_asked(installation):
    installation.start()
    assert installation.stop() == {"listener": 0, "worker": 0, "scheduler": 0, "api": 0}
    assert life_file(installation.folder, "worker").exists()
