"""The two analyses of one study in two workers that end at the same moment, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from agatha.pipeline import tasks
from agatha.pipeline.context import PipelineConfig, PipelineContext
from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles
from agatha.store.results import ResultChanges
from builders.findings import STUDY_UID
from builders.paired_flows import CCTA, CSCT, job_maker, receive_both, stand_in, two_series
from coronary import registry


@pytest.fixture
def worker(database_url, tmp_path):
    """What a worker process has; a second worker differs in its name only."""
    migrate.upgrade(database_url)
    database = Database(database_url)
    yield PipelineContext(
        config=PipelineConfig(broker_url=f"embedded://{tmp_path / 'broker'}"),
        owner="worker-1",
        database=database,
        files=LocalInstanceFiles(tmp_path / "instances"),
        families=registry.FAMILIES,
        runtime=lambda: None,
        hint=lambda _kind, _ids: None,
    )
    database.close()


@pytest.fixture
def finish_at_once(worker, tmp_path, monkeypatch):
    """Run both jobs in two workers; neither records its result before both have compared theirs with nothing."""
    series = two_series(tmp_path)
    stand_in(monkeypatch, series, tasks, tmp_path)
    queue = job_maker(worker, series, receive_both(worker, series))
    jobs = {analysis: queue(analysis) for analysis in (CSCT, CCTA)}
    written, both_wrote, write = [], threading.Barrier(2), tasks.write_report

    def write_and_wait(context, job, *arguments, **keywords):
        report = write(context, job, *arguments, **keywords)
        written.append(job.analysis)
        if written.count(job.analysis) == 1:
            both_wrote.wait(60)
        return report

    monkeypatch.setattr(tasks, "write_report", write_and_wait)

    def run():
        workers = [replace(worker, owner=f"worker-{number}") for number in (1, 2)]
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(tasks.analyze_job, workers, jobs.values()))
        assert outcomes == ["completed", "completed"]
        with worker.database.reading() as tx:
            compared = [result.document["concordance"] for result in tx.results_of_study(STUDY_UID)]
            kinds = [event.kind for event in tx.timeline(STUDY_UID)]
        return written, compared, kinds

    return run


def test_exactly_one_of_them_compares_the_two(finish_at_once):
    written, compared, kinds = finish_at_once()
    assert sorted(written) in ([CCTA, CCTA, CSCT], [CCTA, CSCT, CSCT])
    assert [concordance is None for concordance in compared].count(True) == 1
    (concordance,) = filter(None, compared)
    assert (concordance["csct"]["total"], concordance["ccta"]["total"]) == (88.0, 121.625)
    assert kinds.count("SCORES_DISCORDANT") == 1


def test_without_the_check_neither_would(finish_at_once, monkeypatch):
    """Plant the fault: the test above proves something only because the two really meet."""
    monkeypatch.setattr(ResultChanges, "_require_current", lambda *_: None)
    written, compared, kinds = finish_at_once()
    assert sorted(written) == [CCTA, CSCT]
    assert compared == [None, None]
    assert "SCORES_DISCORDANT" not in kinds
