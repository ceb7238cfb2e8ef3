"""Where a reading on a derived series is no proof."""

from dataclasses import replace

import numpy as np
import pytest

from builders.findings import contrast_volume
from coronary.ct_volume import CtVolume
from coronary.derived_readings import COVERED_SHARE, DOUBTFUL_FROM_PERCENT, read_segments
from coronary.stenosis import SIGNIFICANT_PERCENT, reader_grade

BLOOD_HU = 373.25


@pytest.fixture(scope="module")
def scan():
    return contrast_volume()


def readings_with_lumen(scan, share):
    """Readings where the calcified cross-sections hold this share of blood after removal."""
    volume, basis = scan
    made = volume.voxels_hu.copy()
    near = np.zeros(made.shape, bool)
    for z, y, x in np.argwhere(basis.vessel_labels > 0):
        near[z, y - 3 : y + 4, x - 3 : x + 4] = True
    made[near] = np.where(made[near] > 150, round(60 + share * (BLOOD_HU - 60)), made[near])
    return read_segments(volume, CtVolume(made, volume.affine_lps), basis, basis.contrast)


def test_a_significant_stenosis_that_is_not_excluded_is_not_trusted(scan):
    found = [reading for share in (0.1, 0.3, 0.5, 0.7, 0.9) for reading in readings_with_lumen(scan, share)]
    covered = [each for each in found if each.original.covered_share >= COVERED_SHARE and "guess" not in each.distrust]
    assert {each.is_trusted for each in covered} == {True, False}
    for each in covered:
        is_doubtful = DOUBTFUL_FROM_PERCENT <= each.derived.percent < SIGNIFICANT_PERCENT
        assert each.is_trusted is not is_doubtful
        assert ("not excluded" in each.distrust) is is_doubtful


def test_a_segment_without_calcium_is_doubted_only_where_its_course_is_a_guess(scan):
    volume, basis = scan
    dark = CtVolume((volume.voxels_hu * 0.6).astype(np.int16), volume.affine_lps)
    free = replace(basis, vessel_labels=np.zeros_like(basis.vessel_labels))
    for each in read_segments(volume, dark, free, basis.contrast):
        assert each.distrust == "" or "guess" in each.distrust


def test_significant_begins_where_a_reader_says_75():
    assert reader_grade(SIGNIFICANT_PERCENT) == 75
    assert reader_grade(SIGNIFICANT_PERCENT - 0.1) == 50
