"""The steps of the analysis in order, with networks that know the truth: what comes out, and what stops it."""

import numpy as np
import pytest

from builders.contrast_patient import contrast_patient, oracle_sessions
from coronary.calcium import Vessel
from coronary.ccta_scoring import CctaScoring
from coronary.contract import CalciumFindings, Refusal
from coronary.coronary_tree import MAIN_TRUNKS
from coronary.ct_volume import CtVolume
from coronary.evaluation.mask_overlap import mask_overlap
from coronary.evaluation.tree_agreement import compare_trees, overlap

pytestmark = pytest.mark.slow
FAMILY = CctaScoring()


def analyse(patient, sessions, volume=None):
    done = []
    outcome = FAMILY.predict(sessions, volume or patient.volume, patient.facts, done.append)
    assert done == sorted(done)
    return outcome


@pytest.fixture(scope="module")
def patient():
    return contrast_patient()


@pytest.fixture(scope="module")
def findings(patient):
    outcome = analyse(patient, oracle_sessions(patient))
    assert isinstance(outcome, CalciumFindings), outcome
    return outcome


def test_calcium_is_found_where_it_is(patient, findings):
    true = patient.scan.vessel_labels
    found = findings.vessel_labels
    assert findings.score.agatston.total > 0
    dense = (patient.scan.ha_mg_cm3 > 400.0) & (true > 0)
    assert np.mean(found[dense] > 0) > 0.9
    assert np.mean(found[dense] == true[dense]) > 0.85
    near = patient.scan.ha_mg_cm3 > 1.0
    assert np.mean(near[found > 0]) > 0.8


def test_all_parts_of_the_findings_are_of_one_scan(patient, findings):
    contrast = findings.contrast
    assert contrast is not None
    assert np.array_equal(findings.lesion_labels > 0, findings.vessel_labels > 0)
    assert {Vessel(v) for v in np.unique(findings.vessel_labels[findings.vessel_labels > 0])} == {
        lesion.vessel for lesion in findings.score.lesions
    }
    assert [course.name for course in contrast.courses] == [line.name for line in contrast.tree.centerlines]
    assert contrast.aorta_mask.shape == patient.volume.voxels_hu.shape
    voxel_mm3 = float(np.prod(patient.volume.spacing_zyx_mm))
    assert contrast.segmented_volume_mm3.total == pytest.approx((findings.vessel_labels > 0).sum() * voxel_mm3)
    assert contrast.agatston_at_lower_thresholds.total >= findings.score.agatston.total
    assert contrast.agatston_at_higher_thresholds.total <= findings.score.agatston.total
    assert contrast.kvp == patient.facts.kvp


def test_masks_and_tree_survive_the_way_through_the_grids(patient, findings):
    contrast = findings.contrast
    assert mask_overlap(patient.arteries, contrast.tree.vessel_label_map()).dice > 0.9
    assert mask_overlap(patient.scan.aorta_mask, contrast.aorta_mask).dice > 0.95
    counts = compare_trees(patient.scan, contrast.tree).as_dict()
    assert overlap(counts) > 0.92
    assert counts["trunk_found"] > 0.8 * counts["trunk_points"]
    assert counts["trunk_right_vessel"] > 0.8 * counts["trunk_found"]


def test_a_scan_without_contrast_agent_is_refused(patient):
    pale = CtVolume(np.minimum(patient.volume.voxels_hu, 60).astype(np.int16), patient.volume.affine_lps)
    refusal = analyse(patient, oracle_sessions(patient), pale)
    assert isinstance(refusal, Refusal)
    assert refusal.code in {"NO_CONTRAST", "AORTA_NOT_ENHANCED"}


def test_nothing_found_is_a_refusal_and_never_a_zero(patient):
    nothing = np.zeros(patient.volume.voxels_hu.shape, dtype=np.bool_)
    assert analyse(patient, oracle_sessions(patient, aorta=nothing)).code == "AORTA_NOT_FOUND"
    assert analyse(patient, oracle_sessions(patient, arteries=nothing)).code == "NO_ARTERY_VOXELS"


def test_a_missing_trunk_is_a_refusal(patient):
    labels = patient.scan.lumen_labels
    without_right = patient.arteries & ~np.isin(labels, (1, 2, 3, 4, 16)) & (patient.scan.vessel_labels != Vessel.RCA)
    refusal = analyse(patient, oracle_sessions(patient, arteries=without_right))
    assert refusal.code == "TREE_INCOMPLETE"
    assert "RIGHT_TREE_MISSING" in refusal.detail["missing"]


def test_a_trunk_the_network_doubts_is_found_and_noted(patient):
    is_right = np.isin(patient.scan.lumen_labels, (1, 2, 3, 4, 16)) | (patient.scan.vessel_labels == Vessel.RCA)
    probability = np.where(is_right, 0.4, 1.0).astype(np.float32) * patient.arteries
    outcome = analyse(patient, oracle_sessions(patient, arteries=probability))
    assert isinstance(outcome, CalciumFindings), outcome
    assert "TREE_FAINT" in [note.code for note in outcome.quality]
    assert outcome.contrast.tree.centerline("RCA") is not None


@pytest.mark.parametrize("ratio", [0.5, 1.4])
def test_an_impossible_calibration_is_refused(patient, ratio):
    assert analyse(patient, oracle_sessions(patient, ratio=ratio)).code == "CALIBRATION_IMPLAUSIBLE"


def test_a_doubtful_calibration_is_noted(patient):
    outcome = analyse(patient, oracle_sessions(patient, ratio=0.78))
    codes = [note.code for note in outcome.quality] if isinstance(outcome, CalciumFindings) else [outcome.code]
    assert {"CALIBRATION_DISAGREES", "CALIBRATION_IMPLAUSIBLE"} & set(codes)


def test_trunks_are_named(findings):
    assert "TREE_FAINT" not in [note.code for note in findings.quality]
    assert set(MAIN_TRUNKS) <= {line.name for line in findings.contrast.tree.centerlines}
