"""Presence of calcium per patient, by hand."""

import pytest

from coronary.evaluation.detection_study import DetectionRecord, detection_report, to_detection_markdown


def record(name, true, probability, presence, distractors=""):
    return DetectionRecord(name, true, probability, presence, covariates={"distractors": distractors})


CASES = [
    record("right none", 0, 0.1, "none"),
    record("stent", 0, 0.9, "high", "node, stent"),
    record("node", 0, 0.2, "none", "node"),
    record("low as low", 12, 0.8, "low"),
    record("low as high", 19.9, 0.9, "high"),
    record("high as high", 20, 0.95, "high"),
    record("missed", 30, 0.3, "none"),
    DetectionRecord("refused", 5, None, None, refusal="HEART_NOT_FOUND"),
]


def test_sensitivity_and_specificity_leave_refusals_out():
    found = detection_report(CASES, "seven")
    assert (found.accuracy.sensitivity.successes, found.accuracy.sensitivity.n) == (3, 4)
    assert (found.accuracy.specificity.successes, found.accuracy.specificity.n) == (2, 3)
    assert found.refusals == {"HEART_NOT_FOUND": 1}
    assert found.missed_ids == ("missed",)
    # 12 pairs of a case with and one without: the stent at 0.9 beats 0.3 and 0.8 and ties with one.
    assert found.area.value == pytest.approx(9.5 / 12)


def test_classes_part_at_twenty():
    assert detection_report(CASES, "seven").counts.tolist() == [[2, 0, 1], [0, 1, 1], [1, 0, 1]]


def test_false_alarms_are_counted_for_each_look_alike_of_a_patient():
    alarms = detection_report(CASES, "seven").false_alarms
    assert {kind: (share.successes, share.n) for kind, share in alarms.items()} == {
        "": (0, 1), "node": (1, 2), "stent": (1, 1),
    }  # fmt: skip


def test_the_table_names_its_data_and_what_was_refused():
    text = to_detection_markdown(detection_report(CASES, "virtual patients, n = 8"))
    assert "### Calcium per patient: virtual patients, n = 8" in text
    assert "8 cases, 1 refused (HEART_NOT_FOUND 1)" in text
    assert "| Sensitivity | 3/4, 75.0 %" in text
    assert "| none | 0/1, 0.0 %" in text


def test_a_study_without_answers_has_no_figures():
    with pytest.raises(ValueError, match="no case has an answer"):
        detection_report([CASES[-1]], "one")
