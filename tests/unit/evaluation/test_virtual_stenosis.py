"""Who is in the stenosis study, and what of a case is counted."""

from dataclasses import replace

import pytest

from coronary.derived_findings import SegmentReading
from coronary.evaluation.stenosis_study import STUDY_SEGMENTS
from coronary.evaluation.virtual_stenosis import (
    SEVERE_MG,
    UNREADABLE_SHARE,
    compare_case,
    is_severe,
)
from coronary.stenosis import SegmentStenosis
from coronary.virtual_patient import draw_patient

SEED = 943002


def reading(artery, segment, original, derived, covered_share=0.1, distrust=""):
    return SegmentReading(
        SegmentStenosis(artery, segment, original, 5.0, 2.0, 3.0, covered_share),
        SegmentStenosis(artery, segment, derived, 5.0, 2.0, 3.0, 0.0),
        distrust,
    )


@pytest.fixture(scope="module")
def patient():
    return draw_patient(SEED, calcium="present")


def test_only_patients_with_severe_calcium_and_no_stent_are_in_the_study():
    severe = with_stent = 0
    for seed in range(SEED, SEED + 12):
        drawn = draw_patient(seed, calcium="present")
        has_much = sum(lesion.mass_mg for lesion in drawn.lesions) >= SEVERE_MG
        has_stent = any(distractor.kind == "stent" for distractor in drawn.distractors)
        assert is_severe(seed) == (has_much and not has_stent)
        severe, with_stent = severe + is_severe(seed), with_stent + (has_much and has_stent)
    assert 0 < severe < 12
    assert is_severe(SEED)


def test_readings_of_trunk_segments_stand_beside_the_truth(patient):
    removed = (
        reading("LAD", 6, 80.0, 30.0, UNREADABLE_SHARE),
        reading("LAD", 7, 40.0, 20.0, 0.2, distrust="covered"),
        reading("D1", 9, 99.0, 99.0),  # no segment of the study
        reading("OM1", 6, 1.0, 1.0),  # not a trunk: must not take the place of the LAD's
    )
    lumen = (reading("LAD", 6, 80.0, 35.0, UNREADABLE_SHARE), reading("LAD", 7, 40.0, 25.0, 0.2))
    case = compare_case(patient, {"removed": removed, "lumen": lumen})
    by_segment = {record.segment: record for record in case.records}
    assert set(by_segment) == {6, 7}
    assert by_segment[6].original_percent == 80.0
    assert by_segment[6].derived_percent == {"removed": 30.0, "lumen": 35.0}
    assert (by_segment[6].is_unreadable, by_segment[7].is_unreadable) == (True, False)
    assert (by_segment[6].distrusted, by_segment[7].distrusted) == ((), ("removed",))
    assert case.covered_shares == (UNREADABLE_SHARE, 0.2)
    assert set(case.missing) | {6, 7} <= set(STUDY_SEGMENTS)
    assert not set(case.missing) & {6, 7}


def test_the_truth_follows_the_drawn_narrowings(patient):
    healthy = replace(patient, narrowings=(), lesions=())
    readings = {"removed": (reading("LAD", 6, 0.0, 0.0), reading("LAD", 7, 0.0, 0.0))}
    assert all(
        record.true_percent == pytest.approx(0.0, abs=1e-4) for record in compare_case(healthy, readings).records
    )
    assert max(record.true_percent for record in compare_case(patient, readings).records) > 0
