"""Stenosis of a drawn artery, blurred and noisy, against the narrowing it was drawn with."""

import numpy as np
import pytest
from scipy import ndimage

from coronary.calcium import Vessel
from coronary.coronary_tree import Centerline
from coronary.ct_volume import CtVolume
from coronary.stenosis import READER_GRADES, SegmentStenosis, healthy_diameter_mm, measure_profile, segment_stenoses
from coronary.stenosis.segment_stenosis import SCATTER_PERCENT, beyond_scatter

BLOOD_HU, PLAQUE_HU, FAT_HU, NOISE_HU = 400.0, 70.0, -90.0, 20.0
POINT_SPREAD_MM = 0.45
SPACING_MM = 0.4
LENGTH_MM = 60.0


def drawn(narrowed_to=1.0, at_mm=30.0, radius_mm=(1.8, 1.4), turned=False, plaque=None):
    """An artery along z (along x if `turned`) that narrows to a share of its diameter over 10 mm, and its centreline.

    ``plaque`` (share of the diameter, HU) lies at its wall at the narrowing. The mask that gives the radius of the
    centreline misses the narrowing's last third, as masks do.
    """
    along = np.arange(0.0, LENGTH_MM, SPACING_MM)
    across = np.arange(-6.0, 6.0 + 1e-9, SPACING_MM)
    healthy = np.linspace(*radius_mm, len(along))
    offset = (along - at_mm) / 5.0
    profile = np.where(np.abs(offset) < 1.0, 0.5 + 0.5 * np.cos(np.pi * offset), 0.0)
    lumen = healthy * (1.0 - (1.0 - narrowed_to) * profile)
    distance = np.hypot(across[:, None], across[None, :])
    # Four by four parts of a pixel.
    fine = np.arange(-6.0 - 0.375 * SPACING_MM, 6.0 + 0.5 * SPACING_MM, SPACING_MM / 4.0)
    fine_distance = np.hypot(fine[:, None], fine[None, :])
    hu = np.stack(
        [
            np.where(fine_distance < free, BLOOD_HU, np.where(fine_distance < whole + 0.6, PLAQUE_HU, FAT_HU))
            .reshape(len(across), 4, len(across), 4)
            .mean(axis=(1, 3))
            for free, whole in zip(lumen, healthy, strict=True)
        ]
    )
    calcium = np.zeros(hu.shape, bool)
    if plaque is not None:
        share, attenuation = plaque
        beside = (distance > (1.0 - share) * radius_mm[0]) & (distance < radius_mm[0]) & (across[None, :] > 0)
        calcium = beside[None] & (profile > 0.5)[:, None, None]
        hu[calcium] = attenuation
    hu = ndimage.gaussian_filter(hu, POINT_SPREAD_MM / SPACING_MM)
    hu += np.random.default_rng(4).normal(0.0, NOISE_HU, hu.shape)
    points = np.stack([np.zeros_like(along), np.zeros_like(along), along], axis=1)
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:2, 3] = -6.0
    voxels = np.rint(hu).astype(np.int16)
    if turned:
        voxels, calcium, points = voxels.transpose(2, 1, 0), calcium.transpose(2, 1, 0), points[:, ::-1]
        affine[:3, 3] = [0.0, -6.0, -6.0]
    line = Centerline(
        name="LAD",
        parent="LM",
        points_lps_mm=np.ascontiguousarray(points),
        radius_mm=np.minimum(healthy, lumen + 0.15),
        segment=np.where(along < 20.0, 6, np.where(along < 40.0, 7, 8)).astype(np.uint8),
        vessel=np.full(len(along), int(Vessel.LAD), np.uint8),
        is_bridged=np.zeros(len(along), bool),
    )
    return CtVolume(np.ascontiguousarray(voxels), affine), line, CtVolume(calcium.astype(np.int16), affine)


def percents(volume, line, left_out=None):
    stenoses = segment_stenoses([measure_profile(volume, line, BLOOD_HU, left_out)])
    return {each.segment: each.percent for each in stenoses}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("narrowed_to", [1.0, 0.75, 0.5, 0.3])
def test_narrowing_is_measured_in_its_segment(narrowed_to, turned):
    volume, line, _ = drawn(narrowed_to, turned=turned)
    found = percents(volume, line)
    assert found[7] == pytest.approx(100.0 * (1.0 - narrowed_to), abs=10.0)
    assert found[6] < 12.0
    assert found[8] < 12.0


def test_scatter_of_a_healthy_artery_is_no_narrowing_and_hides_none():
    assert beyond_scatter(0.0) == beyond_scatter(SCATTER_PERCENT / 100.0) == 0.0
    assert beyond_scatter(0.5) == pytest.approx(0.49, abs=0.005)
    assert beyond_scatter(1.0) == pytest.approx(1.0, abs=0.005)
    volume, line, _ = drawn(0.95)
    assert measure_profile(volume, line, BLOOD_HU).narrowing.max() > 0.03
    assert max(percents(volume, line).values()) == 0.0


def test_a_lumen_thinner_than_a_voxel_is_a_severe_stenosis():
    volume, line, _ = drawn(0.1)
    assert percents(volume, line)[7] > 70.0


def test_the_place_and_the_widths_of_the_narrowest_point():
    volume, line, _ = drawn(0.5, at_mm=27.0)
    (_, found, _) = segment_stenoses([measure_profile(volume, line, BLOOD_HU)])
    assert found.at_mm == pytest.approx(27.0, abs=1.5)
    assert found.healthy_mm == pytest.approx(3.2, abs=0.35)
    assert found.diameter_mm == pytest.approx(1.6, abs=0.35)


def test_a_thin_artery_is_not_a_narrowed_one():
    volume, line, _ = drawn(radius_mm=(0.9, 0.7))
    assert max(percents(volume, line).values()) < 15.0


def test_calcium_taken_for_lumen_hides_a_stenosis_and_left_out_shows_it():
    volume, line, calcium = drawn(0.4, plaque=(0.6, 450.0))
    seen_as_lumen, left_out = percents(volume, line), percents(volume, line, calcium)
    assert seen_as_lumen[7] < 50.0 < left_out[7]
    (_, segment, _) = segment_stenoses([measure_profile(volume, line, BLOOD_HU, calcium)])
    assert 0.2 < segment.covered_share < 0.6


def test_an_artery_without_any_lumen_is_occluded_and_no_number_is_lost():
    volume, line, _ = drawn()
    dark = CtVolume(np.full_like(volume.voxels_hu, -80), volume.affine_lps)
    profile = measure_profile(dark, line, BLOOD_HU)
    assert (profile.diameter_mm == 0.0).all()
    assert (profile.narrowing == 1.0).all()


def test_healthy_diameter_ignores_what_disease_narrows():
    along = np.arange(0.0, 100.0, 0.5)
    truth = 3.6 - 0.012 * along
    narrowed = truth - np.where(np.abs(along - 40.0) < 8.0, 1.5, 0.0)
    noise = np.random.default_rng(2).normal(0.0, 0.05, len(along))
    assert healthy_diameter_mm(along, narrowed + noise) == pytest.approx(truth, abs=0.12)


def test_an_artery_that_widens_has_one_healthy_diameter():
    along = np.arange(0.0, 30.0, 0.5)
    healthy = healthy_diameter_mm(along, 2.0 + 0.02 * along)
    assert np.ptp(healthy) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("percent", "grade"), [(0, 0), (12, 0), (12.5, 25), (60, 50), (62.5, 75), (84, 90), (96, 100)])
def test_grades_of_a_reader(percent, grade):
    assert SegmentStenosis("LAD", 6, percent, 1.0, 1.0, 2.0, 0.0).grade == grade
    assert grade in READER_GRADES
