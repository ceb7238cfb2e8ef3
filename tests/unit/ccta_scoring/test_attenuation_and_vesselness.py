"""What the network of the coronary tree is shown: peaks of the histogram, the curve through them, tube-likeness."""

from itertools import pairwise

import numpy as np
import pytest

from coronary.ccta_scoring import (
    AttenuationMapping,
    AttenuationMixture,
    attenuation_histogram,
    fit_attenuation_mixture,
    measure_vesselness,
)


def heart(fat_hu, myocardium_hu, blood_hu, noise_hu, right_heart=0.6, dense_share=0.0):
    """Voxels of a heart region: fat, muscle, myocardium, two enhanced pools, some calcium; shape (40, 64, 64).

    ``dense_share`` of them holds undiluted contrast agent of 900 HU.
    """
    rng = np.random.default_rng(3)
    tissue = rng.choice(
        [fat_hu, 50.0, myocardium_hu, right_heart * blood_hu, blood_hu, 1100.0, 900.0],
        size=(40, 64, 64),
        p=[0.33, 0.14, 0.2, 0.11, 0.215 - dense_share, 0.005, dense_share],
    )
    return np.rint(tissue + rng.normal(0, noise_hu, tissue.shape)).astype(np.int16)


@pytest.mark.parametrize(
    ("fat_hu", "myocardium_hu", "blood_hu"), [(-105, 145, 640), (-98, 135, 560), (-92, 130, 480), (-85, 115, 340)]
)
def test_peaks_of_a_scan_are_found(fat_hu, myocardium_hu, blood_hu):
    mixture = fit_attenuation_mixture(attenuation_histogram(heart(fat_hu, myocardium_hu, blood_hu, 28)))
    assert mixture.fat_hu == pytest.approx(fat_hu, abs=8)
    assert mixture.myocardium_hu == pytest.approx(myocardium_hu, abs=12)
    assert mixture.blood_hu == pytest.approx(blood_hu, abs=6)
    assert 0.9 < sum(mixture.weights) < 1


def test_a_little_dense_contrast_agent_is_not_the_blood_pool():
    voxels = heart(-95, 130, 450, 25, right_heart=1.0, dense_share=0.06)
    mixture = fit_attenuation_mixture(attenuation_histogram(voxels))
    assert max(mixture.means_hu) == pytest.approx(900, abs=10)
    assert mixture.blood_hu == pytest.approx(450, abs=6)


def test_scan_without_contrast_agent_has_no_mixture():
    voxels = np.random.default_rng(0).normal(40, 20, (20, 32, 32)).astype(np.int16)
    voxels[0, 0] = 700
    assert fit_attenuation_mixture(attenuation_histogram(voxels)) is None


def test_histogram_counts_every_voxel_of_the_region_once():
    voxels = heart(-95, 130, 450, 25)
    voxels[0, 0, :2] = (-2000, 3500)
    counts = attenuation_histogram(voxels)
    assert counts.sum() == voxels.size
    assert counts[0] == 1
    assert counts[-1] == 1
    region = (slice(2, 9), slice(0, 5), slice(3, 13))
    np.testing.assert_array_equal(attenuation_histogram(voxels, region), attenuation_histogram(voxels[region]))


def mapping(fat_hu, myocardium_hu, blood_hu):
    return AttenuationMapping.of_mixture(AttenuationMixture(fat_hu, myocardium_hu, blood_hu, (), (), (), 1))


def test_scans_of_different_voltage_look_alike_after_mapping():
    def mapped(fat_hu, myocardium_hu, blood_hu):
        voxels = heart(fat_hu, myocardium_hu, blood_hu, 0.001)
        curve = AttenuationMapping.of_mixture(
            fit_attenuation_mixture(attenuation_histogram(heart(fat_hu, myocardium_hu, blood_hu, 28)))
        )
        return [curve.apply(voxels)[voxels == hu].mean() for hu in (fat_hu, myocardium_hu, blood_hu)]

    assert mapped(-105, 145, 640) == pytest.approx(mapped(-85, 115, 340), abs=0.03)


@pytest.mark.parametrize("peaks", [(-100, 140, 600), (-80, 100, 300), (30, 40, 45), (-90, 120, 1450)])
def test_curve_is_strictly_increasing_and_keeps_its_range(peaks):
    curve = mapping(*peaks)
    assert all(a < b for a, b in pairwise(curve.anchors_hu))
    values = curve.apply(np.arange(-1024, 3072, dtype=np.int16))
    assert np.all(np.diff(values) > 0)
    assert (values[0], values[-1]) == (0, pytest.approx(1, abs=1e-6))
    np.testing.assert_array_equal(curve.apply(np.array([-3000, 4000], np.int16)), [values[0], values[-1]])


SPACING, SHAPE = (0.6, 0.4, 0.4), (40, 48, 48)
MIDDLE = (20, 24, 24)
Z, Y, X = np.meshgrid(*((np.arange(n) - n // 2) * step for n, step in zip(SHAPE, SPACING, strict=True)), indexing="ij")


def bright(distance_mm, lumen_hu=400.0):
    """Lumen in fat where the signed distance is negative, with a soft edge of 1 mm."""
    inside = np.clip(0.5 - distance_mm, 0, 1)
    return np.rint(-90 + (lumen_hu + 90) * inside).astype(np.int16)


def answer(voxels):
    return measure_vesselness(voxels, SPACING)[MIDDLE]


def test_tube_answers_and_plate_ball_and_nothing_do_not():
    tube = answer(bright(np.hypot(Y, X) - 1.5))
    plate = answer(bright(np.abs(X) - 1.5))
    bent_plate = answer(bright(np.abs(np.hypot(Y, X + 12) - 12) - 1.5))
    ball = answer(bright(np.sqrt(Z**2 + Y**2 + X**2) - 1.5))
    nothing = answer(bright(np.full(SHAPE, -9.0)))
    assert tube > 0.5
    assert max(plate, bent_plate, ball, nothing) < 0.35 * tube


def test_direction_of_the_tube_does_not_matter():
    straight = answer(bright(np.hypot(Y, X) - 1.5))
    across = answer(bright(np.hypot(Z, Y) - 1.5))
    oblique = answer(bright(np.sqrt(Y**2 + (Z - X) ** 2 / 2) - 1.5))
    assert across == pytest.approx(straight, abs=0.05)
    assert oblique == pytest.approx(straight, abs=0.05)


def test_dark_tube_does_not_answer():
    voxels = bright(np.hypot(Y, X) - 1.5)
    assert answer((500 - voxels).astype(np.int16)) == 0


def test_thin_and_wide_vessels_answer_alike():
    answers = [answer(bright(np.hypot(Y, X) - radius_mm, lumen_hu=250.0)) for radius_mm in (0.8, 1.3, 2.2, 2.6)]
    assert min(answers) > 0.5
    assert max(answers) < 1.4 * min(answers)


def test_slabs_change_nothing():
    voxels = bright(np.sqrt(Y**2 + (Z - X) ** 2 / 2) - 1.2)
    voxels = (voxels + np.random.default_rng(1).normal(0, 25, SHAPE)).astype(np.int16)
    whole = measure_vesselness(voxels, SPACING, slab_slices=SHAPE[0])
    np.testing.assert_allclose(measure_vesselness(voxels, SPACING, slab_slices=7), whole, atol=1e-6)
    assert 0 <= whole.min() < 0.5 < whole.max() <= 1
