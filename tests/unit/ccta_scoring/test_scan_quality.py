"""Which contrast scans are refused or noted because of what is measured in them."""

import numpy as np
import pytest

from coronary.ccta_scoring import (
    AorticAttenuation,
    ScanAssessment,
    check_contrast,
    check_noise,
    check_slices,
    check_steps,
)
from coronary.ccta_scoring.scan_quality import check_hidden_calcium, measure_steps
from coronary.contract import QualityNote, Refusal
from coronary.ct_volume import CtVolume


def outcome(findings):
    """Kind and code of each finding."""
    return [("refused" if isinstance(each, Refusal) else "noted", each.code) for each in findings]


def aorta(mean_hu=400.0, sd_hu=20.0):
    return AorticAttenuation(mean_hu, sd_hu, (mean_hu,) * 7, (0.5,) * 8, mean_hu, mean_hu, 15.0, 20.0)


def empty(spacing_mm, pixel_mm=0.4):
    return CtVolume(np.zeros((4, 8, 8), np.int16), np.diag([pixel_mm, pixel_mm, spacing_mm, 1.0]))


@pytest.mark.parametrize(
    ("spacing_mm", "thickness_mm", "pixel_mm", "expected"),
    [
        (0.5, 0.5, 0.4, []),
        (0.5, 0.75, 0.4, []),
        (0.5, None, 0.4, []),
        (1.0, 1.0, 0.4, []),
        (1.2, 1.2, 0.4, [("noted", "COARSE_SLICES")]),
        (1.6, 2.0, 0.4, [("refused", "SLICES_TOO_FAR_APART")]),
        (0.7, 0.5, 0.4, [("refused", "SLICES_LEAVE_GAPS")]),
        (0.54, 0.5, 0.4, []),
        (0.5, 0.5, 0.8, [("noted", "COARSE_PIXELS")]),
    ],
)
def test_slices_are_judged_by_distance_thickness_and_pixel(spacing_mm, thickness_mm, pixel_mm, expected):
    assert outcome(check_slices(empty(spacing_mm, pixel_mm), thickness_mm)) == expected


def test_refused_slices_name_their_distance():
    (refusal,) = check_slices(empty(1.6), None)
    assert "1.60 mm" in refusal.text
    assert refusal.detail == {"slice_spacing_mm": 1.6}


@pytest.fixture(scope="module")
def heart():
    """Two leaning ellipsoids of blood in fat with 25 HU of noise; 60 slices 0.5 mm apart."""
    z, y, x = np.meshgrid(np.arange(60) * 0.5, np.arange(100) * 0.6, np.arange(100) * 0.6, indexing="ij")
    hu = np.full(z.shape, -90.0)
    for middle, size, lumen_hu in (((15, 25, 22), (26, 14, 12), 400), ((14, 38, 40), (24, 10, 14), 250)):
        lean = middle[2] + 0.3 * (z - 15)
        inside = ((z - middle[0]) / size[0]) ** 2 + ((y - middle[1]) / size[1]) ** 2 + ((x - lean) / size[2]) ** 2 < 1
        hu[inside] = lumen_hu
    hu += np.random.default_rng(5).normal(0, 25, hu.shape)
    return np.rint(hu).astype(np.int16)


def stepped(heart, *places, shift=4):
    """The heart with everything from each place on moved by ``shift`` pixels of 0.6 mm, back and forth."""
    voxels = heart.copy()
    for number, place in enumerate(places):
        voxels[place:] = np.roll(voxels[place:], shift if number % 2 == 0 else -shift, axis=2)
    return CtVolume(voxels, np.diag([0.6, 0.6, 0.5, 1.0]))


def test_scan_whose_slices_fit_together_has_no_step(heart):
    volume = stepped(heart)
    assert check_steps(volume) == []
    assert np.median(measure_steps(volume)) == pytest.approx(1.0, abs=0.1)


def test_step_between_slabs_is_noted_with_its_slices(heart):
    volume = stepped(heart, 30)
    assert int(np.argmax(measure_steps(volume))) == 29
    (note,) = check_steps(volume)
    assert outcome([note]) == [("noted", "STEP_ARTEFACT")]
    assert "30/31" in note.text


def test_scan_of_slabs_that_do_not_fit_together_is_refused_with_their_number(heart):
    assert outcome(check_steps(stepped(heart, 20, 40))) == [("noted", "STEP_ARTEFACT")]
    (refusal,) = check_steps(stepped(heart, 15, 30, 45))
    assert isinstance(refusal, Refusal)
    assert refusal.detail["steps"] == 3


def test_single_slice_has_no_step(heart):
    assert check_steps(CtVolume(heart[:1], np.diag([0.6, 0.6, 0.5, 1.0]))) == []


@pytest.mark.parametrize(
    ("mean_hu", "pool_hu", "expected"),
    [
        (400, 410, []),
        (170, 175, [("refused", "AORTA_NOT_ENHANCED")]),
        (190, 195, [("noted", "LOW_ENHANCEMENT")]),
        (400, 500, [("noted", "EARLY_PHASE")]),
        (400, 650, [("refused", "EARLY_PHASE")]),
        (400, 200, []),
        (170, 500, [("refused", "AORTA_NOT_ENHANCED"), ("refused", "EARLY_PHASE")]),
    ],
)
def test_contrast_phase_is_judged_by_aorta_and_brightest_blood(mean_hu, pool_hu, expected):
    assert outcome(check_contrast(aorta(mean_hu), pool_hu)) == expected


def test_refused_contrast_names_the_attenuations():
    (refusal,) = check_contrast(aorta(400), 650)
    assert refusal.detail == {"blood_pool_hu": 650, "aorta_mean_hu": 400}
    assert "650 HU" in refusal.text
    assert "400 HU" in refusal.text


@pytest.mark.parametrize(
    ("kvp", "sd_hu", "expected"),
    [
        (120, 40, []),
        (120, 46, [("noted", "NOISY")]),
        (120, 66, [("refused", "NOISY")]),
        # Calcium is 1.39 times as bright at 80 kVp, and noise may be.
        (80, 59, []),
        (80, 66, [("noted", "NOISY")]),
        (80, 91, [("refused", "NOISY")]),
    ],
)
def test_noise_is_judged_against_the_faintest_calcium_of_the_voltage(kvp, sd_hu, expected):
    assert outcome(check_noise(aorta(sd_hu=sd_hu), kvp)) == expected


@pytest.mark.parametrize(
    ("kvp", "lumen_hu", "is_noted"),
    [
        (120.0, 450.0, False),
        (120.0, 577.0, False),
        (120.0, 579.0, True),  # 400 mg/cm³ of 1.32 HU each, in plaque of 50 HU
        (80.0, 600.0, False),
        (80.0, 781.0, False),
        (80.0, 783.0, True),
    ],
)
def test_contrast_as_bright_as_dense_calcium_is_noted(kvp, lumen_hu, is_noted):
    expected = [("noted", "CONTRAST_HIDES_CALCIUM")] if is_noted else []
    found = check_hidden_calcium(lumen_hu, kvp)
    assert outcome(found) == expected
    assert all(f"{lumen_hu:.0f} HU" in each.text for each in found)


def test_assessment_keeps_the_first_refusal_and_all_notes_in_order():
    note, other = QualityNote("A", "first"), QualityNote("B", "other")
    first, second = Refusal("X", "first"), Refusal("Y", "second")
    assert ScanAssessment.of([note], [first, other], [second]) == ScanAssessment(first, (note, other))
    assert ScanAssessment.of([], []) == ScanAssessment(None, ())
