"""Statistics of the ascending aorta and what the regression of the calibration factor is given."""

import numpy as np
import pytest

from coronary.ccta_scoring import CALIBRATION_FEATURES, AorticAttenuation, calibration_features, measure_aorta
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume

SPACING_ZYX_MM = (1.0, 0.8, 0.8)


def aorta(*, flipped=False, length=40, slope_hu_per_mm=0.5, noise_hu=20.0, radius_mm=15.0):
    """Vessel of 500 HU in its middle slice, brighter toward the head, with a wall of 50 HU inside its mask."""
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in (length, 60, 60)), indexing="ij")
    distance = 0.8 * np.hypot(y - 29.5, x - 29.5)
    hu = np.where(distance < radius_mm - 1.5, 500 + slope_hu_per_mm * (z - 0.5 * (length - 1)), 50.0)
    hu += np.random.default_rng(2).normal(0, noise_hu, hu.shape)
    affine = np.diag([0.8, 0.8, 1.0, 1.0])
    mask = distance < radius_mm
    if flipped:
        affine[2, 2], affine[2, 3] = -1.0, length - 1.0
        hu, mask = hu[::-1], mask[::-1]
    return CtVolume(np.rint(hu).astype(np.int16), affine), mask


def test_mean_and_noise_are_those_of_the_blood_without_the_wall():
    measured = measure_aorta(*aorta())
    assert measured.mean_hu == pytest.approx(500, abs=1)
    assert measured.sd_hu == pytest.approx(np.hypot(20, 0.5 * 40 / np.sqrt(12)), abs=1)
    assert measured.radius_mm == pytest.approx(15, abs=0.2)
    assert measured.quantiles_hu[3] == pytest.approx(500, abs=1)
    assert list(measured.quantiles_hu) == sorted(measured.quantiles_hu)
    assert measured.histogram_shares[3] < 0.5 < measured.histogram_shares[4]


def test_calcium_of_the_wall_and_a_lead_do_not_move_the_mean():
    volume, mask = aorta()
    voxels = volume.voxels_hu.copy()
    voxels[:, 28:31, 28:31] = 3000
    assert measure_aorta(CtVolume(voxels, volume.affine_lps), mask).mean_hu == pytest.approx(500, abs=2)


@pytest.mark.parametrize("flipped", [False, True])
def test_course_of_the_bolus_follows_the_patient_not_the_slice_order(flipped):
    measured = measure_aorta(*aorta(flipped=flipped, slope_hu_per_mm=1.0))
    assert measured.cranial_hu - measured.caudal_hu == pytest.approx(2 / 3 * 40, abs=2)


def test_too_little_aorta_is_refused_with_its_volume():
    volume, mask = aorta(length=4)
    refusal = measure_aorta(volume, mask)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "AORTA_NOT_FOUND"
    assert 0 < refusal.detail["aorta_volume_cm3"] < 2
    nothing = measure_aorta(volume, np.zeros_like(mask))
    assert isinstance(nothing, Refusal)


def test_mask_of_another_volume_is_an_error():
    volume, mask = aorta()
    with pytest.raises(ValueError, match="shape"):
        measure_aorta(volume, mask[1:])


def test_features_have_the_order_of_their_names():
    measured = AorticAttenuation(
        mean_hu=1.0,
        sd_hu=2.0,
        quantiles_hu=tuple(np.arange(10.0, 17.0)),
        histogram_shares=tuple(np.arange(0.1, 0.85, 0.1)),
        caudal_hu=3.0,
        cranial_hu=4.0,
        radius_mm=5.0,
        volume_cm3=6.0,
    )
    named = dict(zip(CALIBRATION_FEATURES, calibration_features(measured, 90.0).tolist(), strict=True))
    assert (named["kvp"], named["aorta_mean_hu"], named["aorta_sd_hu"]) == (90, 1, 2)
    assert (named["aorta_quantile_05_hu"], named["aorta_quantile_95_hu"]) == (10, 16)
    assert named["aorta_share_below_080_percent_of_median"] == pytest.approx(0.1)
    assert named["aorta_share_below_120_percent_of_median"] == pytest.approx(0.8)
    assert (named["aorta_caudal_hu"], named["aorta_cranial_hu"], named["aorta_radius_mm"]) == (3, 4, 5)
