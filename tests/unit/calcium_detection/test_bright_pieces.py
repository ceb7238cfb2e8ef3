"""What is bright enough to be looked at, and the views of it."""

import numpy as np
import pytest

from coronary.calcium_detection.bright_pieces import CHANNELS, VIEW_PIXELS, PieceViews, bright_pieces
from coronary.ct_volume import CtVolume

SPACING = (3.0, 0.5, 0.5)
MIDDLE = VIEW_PIXELS // 2


def scan(shape=(9, 120, 120), signs=(1, 1, 1)):
    return CtVolume(np.full(shape, 40, np.int16), np.diag([signs[0] * 0.5, signs[1] * 0.5, signs[2] * 3.0, 1.0]))


def found_in(volume, heart=None):
    return bright_pieces(volume, np.ones(volume.voxels_hu.shape, bool) if heart is None else heart)


def test_an_object_has_one_piece_in_each_of_its_slices():
    volume = scan()
    volume.voxels_hu[3:5, 10:14, 20:24] = 200
    volume.voxels_hu[4, 60:64, 60:64] = 200
    pieces = found_in(volume)
    assert pieces.centre_zyx.tolist() == [[3, 11.5, 21.5], [4, 11.5, 21.5], [4, 61.5, 61.5]]
    assert pieces.object_of[0] == pieces.object_of[1] != pieces.object_of[2]
    assert pieces.sums(np.ones(volume.voxels_hu.shape, np.float32)).tolist() == [16, 16, 16]


@pytest.mark.parametrize(("side", "count"), [(1, 0), (2, 1)])
def test_what_a_score_drops_as_noise_is_no_piece(side, count):
    volume = scan()
    volume.voxels_hu[4, 10 : 10 + side, 20 : 20 + side] = 400
    assert len(found_in(volume).object_of) == count


def test_what_is_larger_than_any_calcification_is_bone():
    volume = scan()
    volume.voxels_hu[:, 10:70, 10:70] = 400  # 24.3 cm³
    volume.voxels_hu[:, 80:100, 80:100] = 400  # 2.7 cm³
    assert found_in(volume).centre_zyx[:, 1].tolist() == [89.5] * 9


def test_an_object_at_the_edge_of_the_heart_counts_as_a_whole():
    volume = scan()
    volume.voxels_hu[4, 10:20, 10:20] = 400
    heart = np.zeros(volume.voxels_hu.shape, bool)
    heart[4, 25:, 25:] = True  # 3 mm away
    pieces = found_in(volume, heart)
    assert pieces.centre_zyx.tolist() == [[4, 14.5, 14.5]]
    assert len(found_in(volume, np.roll(heart, 1, axis=0)).object_of) == 0
    heart[4, :35] = False  # 8 mm away
    assert len(found_in(volume, heart).object_of) == 0


def test_without_anything_bright_there_are_no_pieces_and_no_views():
    pieces = found_in(scan())
    assert pieces.object_of.shape == (0,)
    assert PieceViews(scan()).of(pieces.centre_zyx).shape == (0, CHANNELS, VIEW_PIXELS, VIEW_PIXELS)


def test_a_view_is_centred_and_shows_its_neighbours_near_and_far():
    volume = scan()
    volume.voxels_hu[4, 59:62, 69:72] = 600
    volume.voxels_hu[5, 59:62, 79:82] = 600  # 3 mm above, 5 mm to the left
    volume.voxels_hu[0, 40:80, 50:90] = 600  # 12 mm below
    (view,) = PieceViews(volume).of(np.array([[4.0, 60.0, 70.0]]))
    assert view[1, MIDDLE - 1 : MIDDLE + 1, MIDDLE - 1 : MIDDLE + 1] == pytest.approx(1.0)
    assert view[2, MIDDLE, MIDDLE + 10] == pytest.approx(1.0)
    assert view[0].max() < 0
    assert view[3, MIDDLE, MIDDLE] == pytest.approx(1.0)
    assert view[5].max() < 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_views_do_not_depend_on_how_the_scan_is_stored(axis):
    volume = scan()
    volume.voxels_hu[...] += np.random.default_rng(1).integers(0, 60, volume.voxels_hu.shape, np.int16)
    (view,) = PieceViews(volume).of(np.array([[4.0, 50.0, 60.0]]))
    signs = np.array([1, 1, 1])
    signs[2 - axis] = -1
    turned = scan(signs=signs)
    turned.voxels_hu[...] = np.flip(volume.voxels_hu, axis)
    centre = np.array([[4.0, 50.0, 60.0]])
    centre[0, axis] = volume.voxels_hu.shape[axis] - 1 - centre[0, axis]
    assert PieceViews(turned).of(centre)[0] == pytest.approx(view, abs=1e-5)
