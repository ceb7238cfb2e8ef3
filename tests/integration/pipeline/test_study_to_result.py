"""From C-STORE to a delivered result, through the real processes; and what happens to input that must be refused."""

import hashlib
import json

import pytest

from integration.pipeline.small_studies import CANARY

pytestmark = pytest.mark.timeout(600)


def test_a_study_becomes_a_delivered_result(running, archive, study):
    study_uid, paths = study()
    receipts = running.send(paths)
    assert all(receipt.is_delivered for receipt in receipts)
    (result,) = running.wait_for_results(study_uid)

    assert (result.state, result.version, result.provisional) == ("completed", 1, True)
    agatston = result.document["calcium"]["agatston"]
    assert agatston["total"] == pytest.approx(sum(agatston[vessel] for vessel in ("LM", "LAD", "LCX", "RCA")))
    with running.database.reading() as tx:
        outputs = tx.outputs_of_result(result.id)
    assert next(output.kind for output in outputs) == "sr"
    for output in outputs:
        stored = running.files.path(output.storage_key).read_bytes()
        assert hashlib.sha256(stored).hexdigest() == output.sha256
    listed = {uid for entry in result.document["outputs"] for uid in entry["sop_instance_uids"]}
    assert listed == {output.sop_instance_uid for output in outputs}

    running.wait_for(lambda: listed <= {uid for uid, _ in archive.received}, "delivery")
    with running.database.reading() as tx:
        running.wait_for(
            lambda: all(d.state == "delivered" for d in _deliveries(running, study_uid)), "receipts in the database"
        )
    assert running.get(f"/api/v1/studies/{study_uid}/results")[0]["calcium"] == result.document["calcium"]
    assert running.get(f"/api/v1/studies/{study_uid}")["state"] == "completed"

    running.wait_for(lambda: not running.results(study_uid)[0].provisional, "the result to be final")
    kinds = running.timeline(study_uid)
    order = ["SERIES_RECEIVING", "SERIES_ROUTED", "JOB_STARTED", "JOB_COMPLETED", "RESULT_FINAL"]
    assert [kind for kind in kinds if kind in order] == order


def _deliveries(installation, study_uid):
    with installation.database.reading() as tx:
        return tx.deliveries_of_study(study_uid)


def test_a_refused_series_has_a_refused_result_with_an_sr(running, study):
    study_uid, paths = study(blood_pool_hu=350)
    running.send(paths)
    (result,) = running.wait_for_results(study_uid)
    assert result.state == "refused"
    assert result.document["reason"]["code"] == "CONTRAST_IN_CALCIUM_SCORE"
    assert result.document["calcium"] is None, "a refusal is never a zero"
    assert "sr" in [entry["kind"] for entry in result.document["outputs"]]
    assert running.series(study_uid)[0].state == "refused"
    assert running.get(f"/api/v1/studies/{study_uid}")["state"] == "refused"


@pytest.mark.parametrize(
    ("options", "code"),
    [({"slices": 4}, "TOO_FEW_SLICES"), ({"kvp": 100.0}, "KVP_NOT_120")],
    ids=["four slices", "100 kV"],
)
def test_what_must_not_be_scored_is_refused_with_its_code(running, study, options, code):
    study_uid, paths = study(**options)
    running.send(paths)
    (result,) = running.wait_for_results(study_uid)
    assert (result.state, result.document["reason"]["code"]) == ("refused", code)


def test_a_localizer_is_not_applicable_and_has_no_result(running, study):
    study_uid, paths = study(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    running.send(paths)
    running.wait_for(lambda: running.series(study_uid)[0].state == "not_applicable", "the series to be settled")
    assert running.series(study_uid)[0].reason_code == "LOCALIZER"
    assert running.jobs(study_uid) == []


def test_a_gap_waits_for_its_slice(running, study):
    study_uid, paths = study()
    running.send(paths[:14] + paths[15:])
    running.wait_for(lambda: "SERIES_WAITING" in running.timeline(study_uid), "the gap to be seen")
    assert running.results(study_uid) == []
    running.send([paths[14]])
    (result,) = running.wait_for_results(study_uid)
    assert (result.state, result.version) == ("completed", 1)


def test_a_gap_that_stays_is_refused_with_its_position(running, study):
    study_uid, paths = study()
    running.send(paths[:14] + paths[15:])
    (result,) = running.wait_for_results(study_uid)
    assert result.state == "refused"
    assert running.series(study_uid)[0].reason_code == result.document["reason"]["code"]
    assert "mm" in result.document["reason"]["text"]


def test_a_late_slice_makes_a_new_version(running, study):
    study_uid, paths = study(slices=32)
    running.send(paths[:30])
    first = running.wait_for_results(study_uid)[0]
    assert first.provisional
    running.send(paths[30:])
    second, again = running.wait_for_results(study_uid, 2)
    assert again.id == first.id
    assert (second.version, second.state) == (2, "completed")
    first_uids, second_uids = (_uids(result) for result in (first, second))
    assert not first_uids & second_uids
    running.wait_for(lambda: not running.results(study_uid)[0].provisional, "the second version to be final")
    assert running.results(study_uid)[1].provisional, "an overtaken version never becomes final"


def _uids(result):
    return {uid for entry in result.document["outputs"] for uid in entry["sop_instance_uids"]}


def test_the_same_instances_again_change_nothing(running, study):
    study_uid, paths = study()
    running.send(paths)
    running.wait_for_results(study_uid)
    before = running.series(study_uid)[0]
    assert all(receipt.is_delivered for receipt in running.send(paths))
    assert running.series(study_uid)[0] == before


def test_reprocessing_gives_a_new_version_of_the_same_objects(running, study):
    study_uid, paths = study()
    running.send(paths)
    first = running.wait_for_results(study_uid)[0]
    with running.database.reading() as tx:
        before = {output.sop_instance_uid: output.sha256 for output in tx.outputs_of_result(first.id)}
    with running.database.writing() as tx:
        assert tx.reprocess(study_uid) == 1
    second = running.wait_for_results(study_uid, 2)[0]
    assert (second.version, second.document["calcium"]) == (2, first.document["calcium"])
    with running.database.reading() as tx:
        after = {output.sop_instance_uid: output.sha256 for output in tx.outputs_of_result(second.id)}
    assert after == before, "the same UID must mean the same bytes"


def test_a_task_that_is_delivered_many_times_makes_one_result(running, study):
    from agatha.pipeline.app import Publisher, make_celery
    from agatha.pipeline.context import PipelineConfig

    config = PipelineConfig(broker_url=running.broker_url)
    publisher = Publisher(make_celery(config), config)
    study_uid, paths = study()
    running.send(paths)
    job = running.wait_for(lambda: running.jobs(study_uid), "a job")[0]
    publisher.publish("jobs", [job.id] * 10)
    publisher.publish("series", [job.series_id] * 10)
    running.wait_for_results(study_uid)
    publisher.publish("jobs", [job.id] * 3)
    running.wait_for(lambda: publisher.room("jobs") == publisher.room("series") == 200, "the queue to be empty")
    assert len(running.results(study_uid)) == 1
    assert running.timeline(study_uid).count("JOB_STARTED") == 1


def test_a_busy_archive_is_tried_again(running, archive, study):
    study_uid, paths = study()
    archive.answers[study_uid] = [0xA700]
    running.send(paths)
    result = running.wait_for_results(study_uid)[0]
    running.wait_for(lambda: _uids(result) <= {uid for uid, _ in archive.received}, "delivery at the second attempt")
    assert max(delivery.attempts for delivery in _deliveries(running, study_uid)) == 2


def test_an_archive_that_refuses_an_object_ends_in_a_dead_letter(running, archive, study):
    study_uid, paths = study()
    archive.answers[study_uid] = [0xC000]
    running.send(paths)
    running.wait_for_results(study_uid)
    running.wait_for(
        lambda: "dead" in [delivery.state for delivery in _deliveries(running, study_uid)], "the dead letter"
    )
    (dead,) = [delivery for delivery in _deliveries(running, study_uid) if delivery.state == "dead"]
    assert dead.dimse_status == 0xC000
    assert dead.last_error == "DESTINATION_REFUSED: The destination refused the object (status 0xC000)."


def test_no_log_and_no_message_holds_patient_data(running, study):
    """Runs last by name only; whatever ran before has filled the logs."""
    study_uid, paths = study()
    running.send(paths)
    running.wait_for_results(study_uid)
    for name in ("listener", "worker", "scheduler", "api"):
        text = running.log(name)
        assert "CANARY" not in text
        assert study_uid not in text
        for line in text.splitlines():
            if line.startswith("{"):
                assert "dropped_keys" not in json.loads(line), line
    assert CANARY.startswith("CANARY")
