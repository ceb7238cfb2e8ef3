"""A left main that is narrowed over its whole length is no thin artery."""

import numpy as np
import pytest
from scipy import ndimage

from coronary.calcium import Vessel
from coronary.coronary_tree import Centerline
from coronary.ct_volume import CtVolume
from coronary.stenosis import measure_profiles, segment_stenoses
from coronary.stenosis.left_main import DIVIDING_SHARE

BLOOD_HU, WALL_HU, SPACING_MM = 400.0, 60.0, 0.4
#: Name, segment, length and diameter in mm; each in a corner of its own.
ARTERIES = (("LM", 5, 10.0, 2.0), ("LAD", 6, 40.0, 3.6), ("LCX", 11, 40.0, 3.2))


@pytest.fixture(scope="module")
def drawn():
    """Three straight arteries along z, the left main at less than half of the width it should have."""
    volume = np.full((110, 40, 120), WALL_HU)
    y, x = np.indices(volume.shape[1:]) * SPACING_MM
    lines = []
    for number, (name, segment, length_mm, diameter_mm) in enumerate(ARTERIES):
        middle_x = 8.0 + 16.0 * number
        last = round(length_mm / SPACING_MM)
        disc = np.hypot(y - 8.0, x - middle_x) <= 0.5 * diameter_mm
        volume[: last + 4, disc] = BLOOD_HU
        along = np.arange(0.0, length_mm, 0.5)
        lines.append(
            Centerline(
                name=name,
                parent=None,
                points_lps_mm=np.stack([np.full(len(along), middle_x), np.full(len(along), 8.0), along], axis=1),
                radius_mm=np.full(len(along), 0.5 * diameter_mm),
                segment=np.full(len(along), segment, np.uint8),
                vessel=np.full(len(along), int(Vessel.LAD), np.uint8),
                is_bridged=np.zeros(len(along), bool),
            )
        )
    blurred = ndimage.gaussian_filter(volume, 0.45 / SPACING_MM)
    return CtVolume(blurred.astype(np.int16), np.diag([SPACING_MM] * 3 + [1.0])), lines


def percents(volume, lines):
    return {each.segment: each for each in segment_stenoses(measure_profiles(volume, lines, BLOOD_HU))}


def test_its_healthy_width_comes_from_the_arteries_it_divides_into(drawn):
    found = percents(*drawn)
    healthy_mm = DIVIDING_SHARE * (3.6 + 3.2)
    assert found[5].healthy_mm == pytest.approx(healthy_mm, rel=0.1)
    assert found[5].percent == pytest.approx(100.0 * (1.0 - 2.0 / healthy_mm), abs=10.0)
    assert found[6].percent < 12.0
    assert found[11].percent < 12.0


def test_without_both_of_them_it_shows_its_own(drawn):
    volume, lines = drawn
    assert percents(volume, lines[:2])[5].percent < 12.0


def test_profiles_come_in_the_order_of_the_lines(drawn):
    volume, lines = drawn
    assert [each.name for each in measure_profiles(volume, lines[::-1], BLOOD_HU)] == ["LCX", "LAD", "LM"]
