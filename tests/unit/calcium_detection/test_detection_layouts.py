"""What a network of paper 3 sees of a slice."""

import numpy as np
import pytest

from coronary.calcium_detection.layouts import (
    LAYOUTS,
    PICTURE_PIXELS,
    WINDOW_HU,
    heart_parts,
    network_input,
    pictures,
)
from coronary.imaging.resampling import AIR_HU


@pytest.fixture(scope="module")
def plane():
    rows, columns = np.indices((512, 400))
    is_heart = ((rows - 250) / 150) ** 2 + ((columns - 180) / 120) ** 2 < 1.0
    return np.where(is_heart, 40, -80).astype(np.int16), is_heart


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
    assert found.shape == (count, PICTURE_PIXELS, PICTURE_PIXELS)
    assert bool(found.min() < AIR_HU + 10) is (layout != "whole")
    assert found.max() == pytest.approx(40.0, abs=0.5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_calcification_of_two_pixels_is_still_seen(plane, layout):
    hu, is_heart = plane
    with_calcium = hu.copy()
    with_calcium[250:252, 180:182] = 300
    changed = pictures(with_calcium, is_heart, layout) - pictures(hu, is_heart, layout)
    assert changed.max() > 90.0
    assert (changed.max(axis=(1, 2)) > 90.0).sum() == 1


def test_a_slice_without_heart_has_no_pictures_of_it(plane):
    hu, is_heart = plane
    for layout in ("segmented", "cropped"):
        assert pictures(hu, np.zeros_like(is_heart), layout).shape == (0, PICTURE_PIXELS, PICTURE_PIXELS)
    assert len(pictures(hu, np.zeros_like(is_heart), "whole")) == 1


def test_the_window_reaches_from_minus_one_to_one():
    low, high = WINDOW_HU
    scaled = network_input(np.array([[[low - 500, low], [high, high + 500]]], np.float32))
    assert scaled.shape == (1, 1, 2, 2)
    assert scaled.reshape(-1).tolist() == [-1.0, -1.0, 1.0, 1.0]
