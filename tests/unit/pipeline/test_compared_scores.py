"""Two scores of one study: whichever is reported second compares them, and the comparison is part of its report."""

from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread

from agatha.pipeline import tasks
from agatha.store.results import ResultChanges
from builders.findings import STUDY_UID
from builders.paired_flows import CCTA, CSCT, job_maker, receive_both, stand_in, two_series
from builders.paired_studies import WIDE
from coronary.contract import Refusal


@pytest.fixture
def series(tmp_path):
    return two_series(tmp_path)


@pytest.fixture
def flow(context):
    return replace(context, runtime=lambda: None)


@pytest.fixture
def queue(flow, series, tmp_path, monkeypatch):
    """Queue a job of an analysis; the stages before the report are fakes."""
    stand_in(monkeypatch, series, tasks, tmp_path)
    return job_maker(flow, series, receive_both(flow, series))


def latest(flow, analysis):
    with flow.database.reading() as tx:
        return next(result for result in tx.results_of_study(STUDY_UID) if result.analysis == analysis)


def kinds(flow):
    with flow.database.reading() as tx:
        return [event.kind for event in tx.timeline(STUDY_UID)]


@pytest.mark.parametrize("order", [(CSCT, CCTA), (CCTA, CSCT)], ids=["calcium scan first", "contrast scan first"])
def test_the_second_of_two_scores_is_compared_with_the_first(flow, queue, order):
    assert [tasks.analyze_job(flow, queue(analysis)) for analysis in order] == ["completed", "completed"]
    first, second = (latest(flow, analysis) for analysis in order)
    assert first.document["concordance"] is None
    concordance = second.document["concordance"]
    assert concordance["is_discordant"] is True
    assert concordance["csct"]["total"] == latest(flow, CSCT).document["calcium"]["agatston"]["total"] == 88.0
    assert concordance["ccta"]["total"] == latest(flow, CCTA).document["calcium"]["agatston"]["total"] == 121.625
    assert concordance["expected_ccta"] == pytest.approx([(88**0.5 - 0.5) ** 2, (88**0.5 + 0.5) ** 2])
    assert concordance["data"] == "virtual patients, n = 60"
    assert kinds(flow)[-1] == "SCORES_DISCORDANT"


def test_scores_within_the_limits_agree(flow, series, tmp_path, monkeypatch):
    stand_in(monkeypatch, series, tasks, tmp_path, WIDE)
    queue = job_maker(flow, series, receive_both(flow, series))
    for analysis in (CSCT, CCTA):
        tasks.analyze_job(flow, queue(analysis))
    assert latest(flow, CCTA).document["concordance"]["is_discordant"] is False
    assert kinds(flow)[-1] == "SCORES_AGREE"


def test_without_measured_limits_nothing_is_compared(flow, series, tmp_path, monkeypatch):
    stand_in(monkeypatch, series, tasks, tmp_path, None)
    queue = job_maker(flow, series, receive_both(flow, series))
    for analysis in (CSCT, CCTA, CSCT):
        assert tasks.analyze_job(flow, queue(analysis)) in ("completed", "busy")
    assert latest(flow, CCTA).document["concordance"] is None
    assert latest(flow, CCTA).document["contrast"]["limits_of_agreement"] is None
    assert latest(flow, CSCT).document["concordance"] is None


def test_a_refused_partner_gives_no_comparison(flow, series, queue):
    series.findings[CSCT] = Refusal("STENT", "A stent.")
    assert [tasks.analyze_job(flow, queue(analysis)) for analysis in (CSCT, CCTA)] == ["refused", "completed"]
    assert latest(flow, CCTA).document["concordance"] is None
    assert not {"SCORES_AGREE", "SCORES_DISCORDANT"} & set(kinds(flow))


def test_a_refused_second_analysis_compares_nothing(flow, series, queue):
    series.findings[CCTA] = Refusal("AORTA_MISSING", "The aorta is outside the volume.")
    assert [tasks.analyze_job(flow, queue(analysis)) for analysis in (CSCT, CCTA)] == ["completed", "refused"]
    assert latest(flow, CCTA).document["concordance"] is None


def test_the_limits_of_the_family_stand_in_its_result(flow, queue):
    tasks.analyze_job(flow, queue(CCTA))
    limits = latest(flow, CCTA).document["contrast"]["limits_of_agreement"]
    assert limits == {"lower_root": -0.5, "upper_root": 0.5, "data": "virtual patients, n = 60"}


def objects_of(flow, result):
    with flow.database.reading() as tx:
        return {row.kind: row for row in tx.outputs_of_result(result.id)}


def reprocess(flow):
    with flow.database.writing() as tx:
        assert tx.reprocess(STUDY_UID) == 2


def test_a_report_with_another_comparison_is_another_object_and_names_the_one_it_replaces(flow, queue):
    """The calcium scan is reported alone, then again beside the contrast scan: never other bytes under one UID."""
    tasks.analyze_job(flow, queue(CSCT))
    alone = objects_of(flow, latest(flow, CSCT))
    tasks.analyze_job(flow, queue(CCTA))
    reprocess(flow)
    tasks.analyze_job(flow, queue(CSCT))
    result = latest(flow, CSCT)
    compared = objects_of(flow, result)
    assert (result.version, result.document["concordance"]["is_discordant"]) == (2, True)
    assert alone["sr"].sop_instance_uid != compared["sr"].sop_instance_uid
    for kind in ("seg-vessels", "seg-lesions"):
        assert (alone[kind].sop_instance_uid, alone[kind].sha256) == (
            compared[kind].sop_instance_uid,
            compared[kind].sha256,
        )
    report = dcmread(BytesIO(flow.files.path(compared["sr"].storage_key).read_bytes()))
    assert _predecessor(report) == alone["sr"].sop_instance_uid


def test_the_same_comparison_again_gives_the_same_objects(flow, queue):
    for analysis in (CSCT, CCTA):
        tasks.analyze_job(flow, queue(analysis))
    first = objects_of(flow, latest(flow, CCTA))
    reprocess(flow)
    tasks.analyze_job(flow, queue(CSCT))
    tasks.analyze_job(flow, queue(CCTA))
    result = latest(flow, CCTA)
    assert result.version == 2
    again = objects_of(flow, result)
    assert {kind: (row.sop_instance_uid, row.sha256) for kind, row in again.items()} == {
        kind: (row.sop_instance_uid, row.sha256) for kind, row in first.items()
    }


def _predecessor(report):
    series = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    return str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _overtake(monkeypatch, flow, csct_job):
    """Let the calcium scan end between the first report of the contrast scan and its recording."""
    write, written = tasks.write_report, []

    def overtaken(context, job, *arguments, **keywords):
        report = write(context, job, *arguments, **keywords)
        written.append(job.analysis)
        if written == [CCTA]:
            assert tasks.analyze_job(flow, csct_job) == "completed"
        return report

    monkeypatch.setattr(tasks, "write_report", overtaken)
    return written


def test_a_partner_that_comes_while_the_report_is_written_is_in_it(flow, queue, monkeypatch):
    csct, ccta = queue(CSCT), queue(CCTA)
    written = _overtake(monkeypatch, flow, csct)
    assert tasks.analyze_job(flow, ccta) == "completed"
    assert written == [CCTA, CSCT, CCTA]
    assert latest(flow, CSCT).document["concordance"] is None
    assert latest(flow, CCTA).document["concordance"]["is_discordant"] is True


def test_without_the_check_the_two_would_miss_each_other(flow, queue, monkeypatch):
    """Plant the fault in the test above: it proves something only if this goes wrong."""
    csct, ccta = queue(CSCT), queue(CCTA)
    _overtake(monkeypatch, flow, csct)
    monkeypatch.setattr(ResultChanges, "_require_current", lambda *_: None)
    assert tasks.analyze_job(flow, ccta) == "completed"
    assert latest(flow, CSCT).document["concordance"] is None
    assert latest(flow, CCTA).document["concordance"] is None


def test_a_partner_that_never_rests_lets_the_job_wait_and_try_again(flow, queue, monkeypatch):
    csct, ccta = queue(CSCT), queue(CCTA)
    tasks.analyze_job(flow, csct)
    monkeypatch.setattr(tasks, "write_report", _compared_with_nothing(tasks.write_report))
    assert tasks.analyze_job(flow, ccta) == "retry"
    with flow.database.reading() as tx:
        job = tx.job(ccta)
        assert [result.analysis for result in tx.results_of_study(STUDY_UID)] == [CSCT]
    assert (job.state, job.reason_text) == ("queued", "The other score of the study changed again and again.")


def _compared_with_nothing(write):
    def without_partner(*arguments, **keywords):
        report = write(*arguments, **keywords)
        compared_with = replace(report.comparison.compared_with, result_id=None)
        return replace(report, comparison=replace(report.comparison, compared_with=compared_with))

    return without_partner
