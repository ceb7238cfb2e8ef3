"""The flows around stages that misbehave: every ending is recorded, and none is silent."""

from dataclasses import replace

import pytest

from agatha.dicom.facts import read_instance_facts
from agatha.pipeline import examination, tasks
from agatha.pipeline.limits import MAX_ATTEMPTS_OWN_FAULT
from agatha.store.records import StoredFile
from builders.ct_series import build_ct_series

DAY_S = 86_400


@pytest.fixture
def stored_series(context, database, tmp_path):
    """A series of readable files, recorded like received ones."""
    series_id = None
    for path in build_ct_series(tmp_path / "study", slices=24):
        facts = read_instance_facts(path)
        with context.files.begin() as incoming:
            incoming.write(path.read_bytes())
            stored = incoming.commit(facts.study_instance_uid, facts.series_instance_uid, facts.sop_instance_uid)
        with database.writing() as tx:
            series_id = tx.add_instance(facts, stored, calling_ae_title="CT1", received_at=context.clock()).series_id
    return series_id


def rows(database, series_id):
    with database.reading() as tx:
        series = tx.series(series_id)
        uid = series.study_instance_uid
        return series, tx.jobs_of_study(uid), tx.results_of_study(uid), [event.kind for event in tx.timeline(uid)]


def test_a_series_that_cannot_be_examined_ends_with_a_failed_result(
    context, database, clock, stored_series, monkeypatch
):
    def broken(_paths):
        raise ZeroDivisionError("CANARY^PHI")

    monkeypatch.setattr(examination, "read_series_header", broken)
    outcomes = []
    for _ in range(MAX_ATTEMPTS_OWN_FAULT):
        outcomes.append(tasks.assemble_series(context, stored_series))
        clock.advance(DAY_S)
    assert outcomes == ["retry"] * (MAX_ATTEMPTS_OWN_FAULT - 1) + ["parked"]
    series, jobs, results, kinds = rows(database, stored_series)
    assert (series.state, series.reason_code) == ("failed", "UNEXPECTED_ERROR")
    assert [job.state for job in jobs] == ["failed"]
    assert [result.state for result in results] == ["failed"]
    assert results[0].document["calcium"] is None
    assert "sr" in [entry["kind"] for entry in results[0].document["outputs"]]
    assert "CANARY" not in repr(series) + repr(results)
    assert {"SERIES_FAILED", "JOB_FAILED"} <= set(kinds)


def test_a_series_that_kills_workers_is_parked_without_being_touched(context, database, clock, stored_series):
    for _ in range(20):
        with database.writing() as tx:
            assert tx.lease_series(stored_series, "doomed", clock(), tasks.LEASE_DURATION) is not None
        clock.advance(DAY_S)
    assert tasks.assemble_series(context, stored_series) == "parked"
    series, jobs, _, _ = rows(database, stored_series)
    assert (series.state, series.reason_code, jobs) == ("failed", "WORKER_LOST", [])


def test_a_negative_waits_for_the_quiet_period_and_then_is_a_refused_result(context, database, clock, stored_series):
    """72 mm are too short for a heart."""
    clock.advance(5)
    assert tasks.assemble_series(context, stored_series) == "waiting"
    series, jobs, _, kinds = rows(database, stored_series)
    assert (series.state, jobs, kinds[-1]) == ("receiving", [], "SERIES_WAITING")
    assert tasks.assemble_series(context, stored_series) == "busy"
    clock.advance(85)
    assert tasks.assemble_series(context, stored_series) == "refused"
    _, (job,), _, _ = rows(database, stored_series)
    assert context.hint.given == [("jobs", [job.id])]
    assert tasks.analyze_job(context, job.id) == "refused"
    _, (job,), (result,), kinds = rows(database, stored_series)
    assert (job.state, job.reason_code, result.state) == ("refused", "COVERAGE_TOO_SHORT", "refused")
    assert not result.provisional
    assert kinds[-1] == "JOB_REFUSED"


def test_a_series_that_grew_while_it_was_examined_is_not_settled(
    context, database, clock, stored_series, tmp_path, monkeypatch
):
    clock.advance(90)
    before, _, _, _ = rows(database, stored_series)
    (late,) = build_ct_series(tmp_path / "late", slices=1)
    facts = replace(
        read_instance_facts(late),
        study_instance_uid=before.study_instance_uid,
        series_instance_uid=before.series_instance_uid,
    )
    read_header = examination.read_series_header

    def grows_meanwhile(paths):
        with database.writing() as tx:
            tx.add_instance(facts, StoredFile("k", "0" * 64, 1), calling_ae_title="CT1", received_at=clock())
        return read_header(paths)

    monkeypatch.setattr(examination, "read_series_header", grows_meanwhile)
    assert tasks.assemble_series(context, stored_series) == "moved_on"
    after, jobs, _, _ = rows(database, stored_series)
    assert (after.state, after.input_version, jobs) == ("receiving", before.input_version + 1, [])


def test_a_job_whose_input_was_overtaken_has_no_result(context, database, stored_series, make_job):
    job_id = make_job(stored_series, src_digest="e" * 64)
    assert tasks.analyze_job(context, job_id) == "superseded"
    _, (job,), results, kinds = rows(database, stored_series)
    assert (job.state, job.reason_code, results) == ("failed", "SUPERSEDED", [])
    assert kinds[-1] == "JOB_SUPERSEDED"
