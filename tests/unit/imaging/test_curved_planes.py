"""Planes along a curve show the attenuation of the places they pass."""

import numpy as np
import pytest

from coronary.coronary_tree.curves import rotation_minimising_frames
from coronary.ct_volume import CtVolume
from coronary.imaging.curved_planes import cross_sections, offsets_mm, straightened


@pytest.fixture
def sloped():
    """A volume whose attenuation is 10 x + 3 y - 2 z of the place in LPS mm, on a turned, uneven grid."""
    affine = np.array([[0.0, 0.5, 0.0, -20.0], [-0.4, 0.0, 0.0, 15.0], [0.0, 0.0, 0.7, -10.0], [0.0, 0.0, 0.0, 1.0]])
    index = np.indices((30, 80, 75)).transpose(1, 2, 3, 0)
    blank = CtVolume(np.zeros((30, 80, 75), np.int16), affine)
    places = blank.to_lps_mm(index.astype(float))
    return CtVolume(np.rint(places @ [10.0, 3.0, -2.0]).astype(np.int16), affine)


@pytest.fixture
def curve():
    t = np.linspace(0.0, np.pi, 40)
    points = np.stack([6.0 * np.cos(t), 4.0 * np.sin(t), 2.0 * t - 4.0], axis=1)
    return points, rotation_minimising_frames(points)


def test_offsets_are_symmetric_to_the_curve():
    assert offsets_mm(1.0, 0.4) == pytest.approx([-0.8, -0.4, 0.0, 0.4, 0.8])


def test_cross_sections_lie_across_the_curve(sloped, curve):
    points, frames = curve
    planes = cross_sections(sloped, points, frames, 1.0, 0.5)
    assert planes.shape == (40, 5, 5)
    across = offsets_mm(1.0, 0.5)
    places = (
        points[:, None, None]
        + across[None, None, :, None] * frames[:, None, None, 1]
        + across[None, :, None, None] * frames[:, None, None, 2]
    )
    assert planes == pytest.approx(places @ [10.0, 3.0, -2.0], abs=1.0)


@pytest.mark.parametrize(("angle_deg", "row"), [(0.0, 1), (90.0, 2)])
def test_straightened_plane_turns_about_the_curve(sloped, curve, angle_deg, row):
    points, frames = curve
    image = straightened(sloped, points, frames, 2.0, 0.5, angle_deg)
    assert image.shape == (40, 9)
    places = points[:, None] + offsets_mm(2.0, 0.5)[None, :, None] * frames[:, None, row]
    assert image == pytest.approx(places @ [10.0, 3.0, -2.0], abs=1.0)
    assert image[:, 4] == pytest.approx(points @ [10.0, 3.0, -2.0], abs=1.0)


def test_outside_the_volume_is_air(sloped, curve):
    points, frames = curve
    assert np.all(straightened(sloped, points + np.array([200.0, 0.0, 0.0]), frames, 1.0, 0.5) == -1024)
