"""What a network of paper 3 sees of a slice."""

import numpy as np
import pytest

from coronary.calcium_detection.bright_pieces import WINDOW_HU, network_input
from coronary.calcium_detection.training.layouts import (
    LAYOUTS,
    PICTURE_PIXELS,
    cut_out,
    heart_parts,
    resized,
    with_neighbours,
)
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import AIR_HU


def pictures(planes_hu, is_heart, layout):
    found = [resized(each) for each in cut_out(planes_hu, is_heart, layout)]
    return np.stack(found) if found else np.zeros((0, 3, PICTURE_PIXELS, PICTURE_PIXELS), np.float32)


@pytest.fixture(scope="module")
def plane():
    rows, columns = np.indices((512, 400))
    is_heart = ((rows - 250) / 150) ** 2 + ((columns - 180) / 120) ** 2 < 1.0
    return np.repeat(np.where(is_heart, 40, -80).astype(np.int16)[None], 3, axis=0), is_heart


def test_a_slice_stands_between_those_three_millimetres_away_and_ends_are_repeated():
    hu = np.arange(7, dtype=np.int16)[:, None, None] * np.ones((1, 2, 2), np.int16)
    for spacing, z, expected in ((3.0, 3, [2, 3, 4]), (1.5, 3, [1, 3, 5]), (3.0, 0, [0, 0, 1]), (1.5, 6, [4, 6, 6])):
        volume = CtVolume(hu, np.diag([0.5, 0.5, spacing, 1.0]))
        assert with_neighbours(volume, z)[:, 0, 0].tolist() == expected


def test_nine_parts_tile_the_rectangle_around_the_heart(plane):
    _, is_heart = plane
    boxes = heart_parts(is_heart)
    assert len(boxes) == 9
    seen = np.zeros(is_heart.shape, int)
    for top, bottom, left, right in boxes:
        seen[top:bottom, left:right] += 1
    assert seen.max() == 1
    assert seen[is_heart].all()
    assert np.ptp([bottom - top for top, bottom, _, _ in boxes]) <= 1


@pytest.mark.parametrize(("layout", "count"), [("whole", 1), ("segmented", 1), ("cropped", 9)])
def test_pictures_have_one_size_and_only_the_whole_slice_shows_what_is_no_heart(plane, layout, count):
    hu, is_heart = plane
    found = pictures(hu, is_heart, layout)
    assert found.shape == (count, 3, PICTURE_PIXELS, PICTURE_PIXELS)
    assert bool(found.min() < AIR_HU + 10) is (layout != "whole")
    assert found.max() == pytest.approx(40.0, abs=0.5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_calcification_of_two_pixels_is_still_seen(plane, layout):
    hu, is_heart = plane
    with_calcium = hu.copy()
    with_calcium[1, 250:252, 180:182] = 300
    changed = pictures(with_calcium, is_heart, layout) - pictures(hu, is_heart, layout)
    assert changed.max() > 90.0
    assert (changed.max(axis=(2, 3)) > 90.0).sum() == 1
    assert not changed[:, [0, 2]].any()


def test_a_slice_without_heart_has_no_pictures_of_it(plane):
    hu, is_heart = plane
    for layout in ("segmented", "cropped"):
        assert pictures(hu, np.zeros_like(is_heart), layout).shape == (0, 3, PICTURE_PIXELS, PICTURE_PIXELS)
    assert len(pictures(hu, np.zeros_like(is_heart), "whole")) == 1


def test_the_window_reaches_from_minus_one_to_one():
    low, high = WINDOW_HU
    scaled = network_input(np.array([[[low - 500, low], [high, high + 500]]], np.float32))
    assert scaled.shape == (1, 2, 2)
    assert scaled.reshape(-1).tolist() == [-1.0, -1.0, 1.0, 1.0]
