"""The plain-language answer to "why is there no score?"."""

from datetime import UTC, datetime, timedelta

import pytest

from agatha.serve.display_text import dicom_date, number
from builders.findings import STUDY_UID
from builders.served_studies import GAP, facts, queue_job, receive, settle, write_scored_study, write_zero_study


def timeline(client, uid="1.2.3"):
    answer = client.get(f"/api/v1/studies/{uid}/timeline")
    assert answer.status_code == 200
    return answer.json()


def test_events_come_oldest_first(store, client):
    settle(store, receive(store, facts()), "not_applicable", reason_code="LOCALIZER", reason_text="A localizer.")
    events = timeline(client)["events"]
    assert [event["kind"] for event in events] == ["SERIES_RECEIVING", "SERIES_NOT_APPLICABLE"]
    assert events == sorted(events, key=lambda event: event["at"])
    assert events[0]["series_instance_uid"] == "1.2.3.1"


def test_a_study_that_is_being_received_says_so(store, client):
    receive(store, facts())
    body = timeline(client)
    assert body["summary"].startswith("There is no score yet. Series 3 (CaScSeq 3.0) is being received: 1 instance(s)")
    assert body["next_try_at"] is None


def test_a_series_that_no_analysis_is_for_gives_its_reason(store, client):
    settle(store, receive(store, facts()), "not_applicable", reason_code="LOCALIZER", reason_text="A localizer")
    assert timeline(client)["summary"] == (
        "There is no score. Series 3 (CaScSeq 3.0) is not analysed: A localizer. (LOCALIZER)"
    )


def test_a_refused_result_gives_its_reason_and_is_not_a_zero(store, client):
    write_scored_study(store, refusal=GAP)
    summary = timeline(client, STUDY_UID)["summary"]
    assert summary.startswith("There is no score. csct-scoring refused series 3")
    assert GAP.text in summary
    assert GAP.code in summary
    assert "This is not a score of zero." in summary


def test_a_job_that_waits_for_another_attempt_tells_when_and_why(store, client):
    series = receive(store, facts())
    settle(store, series, "routed", kind="csct")
    job = queue_job(store, series)
    now = datetime.now(UTC)
    next_try = (now + timedelta(minutes=5)).replace(microsecond=0)
    with store.database.writing() as writing:
        lease = writing.lease_job(job.id, "worker", now, timedelta(minutes=1))
        writing.release_for_retry(lease, next_attempt_at=next_try, reason_text="the storage did not answer")
    body = timeline(client)
    assert datetime.fromisoformat(body["next_try_at"]) == next_try
    assert "There is no score yet." in body["summary"]
    assert f"its next try at {next_try:%Y-%m-%d %H:%M:%S} UTC after 1 attempt(s)" in body["summary"]
    assert "the storage did not answer." in body["summary"]


def test_a_running_job_is_named(store, client):
    series = receive(store, facts())
    settle(store, series, "routed", kind="csct")
    job = queue_job(store, series)
    with store.database.writing() as writing:
        writing.lease_job(job.id, "worker", datetime.now(UTC), timedelta(minutes=1))
    assert "csct-scoring of series 3 (CaScSeq 3.0) is running" in timeline(client)["summary"]


def test_a_parked_job_says_that_it_failed(store, client):
    series = receive(store, facts())
    settle(store, series, "routed", kind="csct")
    job = queue_job(store, series)
    with store.database.writing() as writing:
        lease = writing.lease_job(job.id, "worker", datetime.now(UTC), timedelta(minutes=1))
        writing.park(lease, reason_code="OUT_OF_MEMORY", reason_text="The worker ran out of memory")
    summary = timeline(client)["summary"]
    assert "ended as failed: The worker ran out of memory. (OUT_OF_MEMORY) This is not a score of zero." in summary


def test_a_score_is_told_with_its_category_and_the_state_of_its_deliveries(scored_client):
    body = timeline(scored_client, STUDY_UID)
    assert "There is no score" not in body["summary"]
    assert body["summary"].startswith("csct-scoring: Agatston score ")
    assert "Outputs: 0 of 5 delivered, 5 waiting to be sent." in body["summary"]


def test_a_zero_that_needs_reading_says_so_before_everything_else(store, client):
    write_zero_study(store, 0.9)
    summary = timeline(client, STUDY_UID)["summary"]
    assert summary.startswith(
        "The score is zero, but the independent detection sees coronary calcium (probability 0.90"
    )
    assert "needs reading. csct-scoring: Agatston score 0 (0) for series" in summary
    assert "calcium-detection: calcium seen (score of 20 or more expected) for series" in summary


def test_a_detection_that_was_refused_does_not_mean_that_there_is_no_calcium(store, client):
    write_zero_study(store, GAP)
    summary = timeline(client, STUDY_UID)["summary"]
    assert f"{GAP.text} ({GAP.code}) Calcium was not looked for. This does not mean that there is none." in summary


@pytest.mark.parametrize("state", ["receiving", "assembling", "routed", "refused", "not_applicable", "failed"])
def test_without_a_score_there_is_always_a_sentence_that_says_so(store, client, state):
    series = receive(store, facts())
    if state == "assembling":
        with store.database.writing() as writing:
            writing.lease_series(series.id, "worker", datetime.now(UTC), timedelta(minutes=1))
    elif state != "receiving":
        settle(store, series, state)
    assert timeline(client)["summary"].startswith("There is no score")


def test_a_number_reads_as_zero_only_when_it_is_zero():
    assert number(0.0) == "0"
    for value in (1e-9, 0.01, 0.049, 0.05, 0.5, 999.96):
        assert number(value) not in ("0", "0.0")
    shown = [number(value) for value in (0.04, 0.06, 12.34, 1234.5, None)]
    assert shown == ["< 0.1", "0.1", "12.3", "1234.5", "–"]


def test_dates_that_are_none_are_left_as_they_are():
    assert [dicom_date(text) for text in ("20260131", "", "2026", "²0260131")] == [
        "2026-01-31",
        "–",
        "2026",
        "²0260131",
    ]
