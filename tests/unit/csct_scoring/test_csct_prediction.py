"""From network answers to labelled voxels and a score, with networks whose answer is known."""

import numpy as np
import pytest

from builders.network_answers import SameEverywhere
from coronary.contract import AcquisitionFacts
from coronary.csct_scoring.postprocess import agree_with_neighbours
from coronary.csct_scoring.predict import predict
from coronary.csct_scoring.preprocess import (
    CHANNELS,
    CROP_PIXELS,
    context_slices,
    network_input,
    prepare,
    stack_channels,
)
from coronary.ct_volume import CtVolume


class CountingSession:
    """Answers with one class everywhere and counts the slices it was given."""

    def __init__(self, vessel: int) -> None:
        self.vessel = vessel
        self.slices = 0

    def run(self, inputs):
        images = inputs["image"]
        self.slices += len(images)
        answer = np.full((len(images), 5, CROP_PIXELS, CROP_PIXELS), 0.05, np.float32)
        answer[:, self.vessel] = 0.8
        return [answer]


@pytest.fixture
def volume():
    """Water-like block with two bright spots in slices 3 and 4, and a third one in slice 9."""
    voxels = np.full((12, 256, 256), 40, np.int16)
    voxels[3:5, 120:124, 120:124] = 300
    voxels[9, 130:133, 110:113] = 180
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    affine[:2, 3] = -64.0
    return CtVolume(voxels, affine)


def test_labels_cover_exactly_the_calcium_voxels(volume):
    findings = predict(CountingSession(3), volume, AcquisitionFacts(), lambda _: None)
    np.testing.assert_array_equal(findings.vessel_labels == 3, volume.voxels_hu >= 130)
    assert findings.score.agatston.total == findings.score.agatston.LCX
    # Two slices of 16 pixels with weight 3 and one of 9 with weight 1, 0.25 mm² a pixel, 3 mm spacing.
    assert findings.score.agatston.total == pytest.approx((32 * 3 + 9 * 1) * 0.25)


def test_slices_without_calcium_like_voxels_are_not_run(volume):
    session = CountingSession(2)
    predict(session, volume, AcquisitionFacts(), lambda _: None)
    assert session.slices == 3


def test_none_everywhere_gives_zero_with_all_vessels(volume):
    findings = predict(CountingSession(0), volume, AcquisitionFacts(), lambda _: None)
    assert findings.score.agatston.as_dict() == {"total": 0, "LM": 0, "LAD": 0, "LCX": 0, "RCA": 0}
    assert findings.score.lesions == ()
    assert not findings.lesion_labels.any()


def test_where_the_heart_was_not_found_the_result_says_so(volume):
    findings = predict(CountingSession(0), volume, AcquisitionFacts(), lambda _: None)
    assert "HEART_NOT_LOCATED" in [note.code for note in findings.quality], "the block has no lungs"


def test_a_rib_that_the_network_takes_for_an_artery_is_not_scored_but_flagged(volume):
    voxels = volume.voxels_hu.copy()
    voxels[:, 100:190, 150:] = 400  # 35 cm³
    findings = predict(CountingSession(2), CtVolume(voxels, volume.affine_lps), AcquisitionFacts(), lambda _: None)
    np.testing.assert_array_equal(findings.vessel_labels == 2, volume.voxels_hu >= 130)
    assert "CATEGORY_UNCERTAIN" in [note.code for note in findings.quality]


def test_mass_needs_a_calibration(volume):
    uncalibrated = predict(CountingSession(1), volume, AcquisitionFacts(), lambda _: None)
    facts = AcquisitionFacts(calcium_mass_factor=0.7, calcium_mass_factor_source="(0018,9352)")
    calibrated = predict(CountingSession(1), volume, facts, lambda _: None)
    assert uncalibrated.score.mass_mg is None
    assert "MASS_NOT_CALIBRATED" in {note.code for note in uncalibrated.quality}
    assert calibrated.score.mass_mg is not None
    assert calibrated.score.mass_mg.total > 0


def test_progress_ends_at_one(volume):
    seen = []
    predict(CountingSession(1), volume, AcquisitionFacts(), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_context_is_taken_in_millimetres_and_repeated_at_the_ends():
    assert context_slices(5, 20, 3.0) == (1, 3, 4, 5, 6, 7, 9)
    assert context_slices(9, 20, 1.5) == (1, 5, 7, 9, 11, 13, 17)
    assert context_slices(0, 20, 3.0) == (0, 0, 0, 0, 1, 2, 4)


def test_neighbours_share_whether_they_are_coronary_but_not_which_vessel():
    probability = np.zeros((5, 5, 40, 40), np.float32)
    probability[:, 0] = 1.0
    is_calcium_like = np.zeros((5, 40, 40), bool)
    # A plaque of nine pixels whose middle alone was taken for something else, and a lone look-alike far away.
    is_calcium_like[2, 10:13, 10:13] = True
    probability[2, :, 10:13, 10:13] = np.array([0.1, 0.0, 0.6, 0.3, 0.0], np.float32)[:, None, None]
    probability[2, :, 11, 11] = [0.9, 0.02, 0.02, 0.06, 0.0]
    is_calcium_like[2, 32, 32] = True
    probability[2, :, 32, 32] = [0.95, 0.05, 0.0, 0.0, 0.0]
    shared = agree_with_neighbours(probability, is_calcium_like, (3.0, 0.8, 0.8))
    np.testing.assert_allclose(shared.sum(axis=1)[is_calcium_like], 1.0, atol=1e-5)
    assert shared[2, 0, 11, 11] < 0.25
    assert shared[2, 1:, 11, 11].argmax() + 1 == 3
    assert shared[2, 1:, 10, 10].argmax() + 1 == 2
    assert shared[2, 0, 32, 32] == pytest.approx(0.95, abs=0.01)


def test_a_single_calcium_pixel_survives_the_coarser_grid(volume):
    voxels = volume.voxels_hu.copy()
    voxels[6, 140, 141] = 200
    prepared = prepare(CtVolume(voxels, volume.affine_lps))
    assert network_input(prepared, 6)[CHANNELS - 2].sum() >= 1


def test_channels_are_scaled_to_the_unit_range():
    channels = stack_channels(np.full((CHANNELS - 2, 4, 4), -3000, np.float32), np.full((4, 4), 3000, np.float32))
    assert channels.shape == (CHANNELS, 4, 4)
    assert channels[:-2].max() == -1
    assert channels[-1].max() == 1


@pytest.mark.parametrize(("coronary", "is_doubtful"), [(0.05, False), (0.35, True)])
def test_zero_that_hangs_on_close_candidates_is_flagged(volume, coronary, is_doubtful):
    findings = predict(SameEverywhere(coronary), volume, AcquisitionFacts(), lambda _: None)
    assert findings.score.agatston.total == 0
    assert ("ZERO_UNCERTAIN" in {note.code for note in findings.quality}) == is_doubtful
