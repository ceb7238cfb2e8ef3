"""Which slices of a virtual scan the detection networks learn from."""

import numpy as np
import pytest

from coronary.calcium import score_calcium
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.calcium_detection.training.cases import agatston_of_voxels, choose_slices


def chosen(with_calcium, with_look_alikes=(), count=6, slices=20):
    heart = np.zeros((slices, 4, 4), bool)
    heart[4:16, 1:3, 1:3] = True
    calcium, bright = np.zeros_like(heart), np.zeros_like(heart)
    calcium[list(with_calcium), 1, 1] = True
    bright[list(with_look_alikes), 2, 1] = True
    return choose_slices(heart, calcium, calcium | bright, count, np.random.default_rng(1)).tolist()


def test_half_of_the_slices_show_calcium_where_there_are_enough():
    found = chosen(range(5, 12))
    assert len(found) == len(set(found)) == 6
    assert found == sorted(found)
    assert sum(z in range(5, 12) for z in found) == 3


def test_slices_without_calcium_fill_up():
    found = chosen([7])
    assert len(found) == 6
    assert 7 in found


def test_slices_with_look_alikes_come_before_empty_ones():
    found = chosen([7, 8, 9, 10], with_look_alikes=[5, 8, 12])
    assert {5, 12} <= set(found)
    assert sum(7 <= z <= 10 for z in found) == 3


def test_slices_without_heart_are_no_cases():
    found = chosen([2, 3, 17, 18])
    assert len(found) == 6
    assert all(4 <= z < 16 for z in found)


def test_what_the_voxels_add_makes_the_score():
    rng = np.random.default_rng(3)
    hu = np.where(rng.random((4, 12, 12)) < 0.3, rng.integers(130, 500, (4, 12, 12)), 40).astype(np.int16)
    labels = np.full(hu.shape, 2, np.uint8)
    spacing, affine = (2.5, 0.7, 0.7), np.diag([0.7, 0.7, 2.5, 1.0])
    found = agatston_of_voxels(hu, labels, VoxelGrid.checked(spacing))
    assert found.sum() == pytest.approx(score_calcium(hu, labels, spacing, affine).agatston.total, rel=1e-5)
    assert not found[hu < 130].any()
