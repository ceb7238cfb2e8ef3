"""Pieces of what the network takes for calcium, and what is measured of each."""

import numpy as np
import pytest

from coronary.ccta_scoring.calcium_pieces import PIECE_FEATURES, calcium_pieces
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume

LUMEN_HU = 400.0
#: A straight artery along z at the origin, 3 mm wide, in voxels of 0.5 mm.
CENTERLINE = CenterlinePoints(
    np.stack([np.zeros(21), np.zeros(21), np.arange(21) * 0.5], axis=1), np.full(21, 1.5), np.full(21, 2, np.uint8)
)
NEAR = [(4, 4, 0), (4, 4, 1), (5, 4, 0)]  # 2 mm above the centreline, 0.5 mm outside the lumen
FAR = [(10, 12, 0)]


@pytest.fixture
def volume():
    hu = np.full((21, 16, 16), 100, np.int16)
    hu[4, 4, 0] = 900
    return CtVolume(hu, np.diag([0.5, 0.5, 0.5, 1.0]))


def pieces_of(volume, probabilities=(0.99, 0.5, 0.5, 0.6), centerlines=CENTERLINE):
    estimate = CalciumEstimate(np.array(NEAR + FAR), np.array(probabilities), np.array([300.0, 100.0, 200.0, 50.0]))
    return calcium_pieces(volume, centerlines, estimate, LUMEN_HU, 0.35)


def features(found, number):
    return dict(zip(PIECE_FEATURES, found.features[number - 1], strict=True))


def test_each_piece_has_a_row(volume):
    found = pieces_of(volume)
    assert found.piece.tolist() == [1, 1, 1, 2]
    assert found.features.shape == (2, len(PIECE_FEATURES))
    assert np.isfinite(found.features).all()


def test_what_is_measured(volume):
    near, far = (features(pieces_of(volume), number) for number in (1, 2))
    assert near["peak_logit"] == pytest.approx(np.log(0.99 / 0.01))
    assert near["mean_logit"] == pytest.approx(np.log(99) / 3)
    assert near["log_volume_mm3"] == pytest.approx(np.log(3 * 0.125))
    assert near["peak_excess_share"] == pytest.approx(300 / LUMEN_HU)
    assert near["mean_excess_share"] == pytest.approx(200 / LUMEN_HU)
    assert near["peak_hu_share"] == pytest.approx(900 / LUMEN_HU)
    assert near["outside_lumen_mm"] == pytest.approx(0.5, abs=0.05)
    assert far["outside_lumen_mm"] == pytest.approx(4.5)
    assert near["lumen_radius_mm"] == 1.5
    assert near["extent_mm"] == pytest.approx(0.5 * np.sqrt(2))
    assert far["extent_mm"] == 0.0


def test_voxels_below_the_probability_are_in_no_piece(volume):
    found = pieces_of(volume, (0.99, 0.2, 0.5, 0.1))
    assert found.piece.tolist() == [1, 0, 1, 0]
    assert len(found.features) == 1


def test_without_calcium_or_arteries_there_is_nothing_to_divide_by(volume):
    assert pieces_of(volume, (0.1, 0.1, 0.1, 0.1)).features.shape == (0, len(PIECE_FEATURES))
    nowhere = CenterlinePoints(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.uint8))
    assert np.isfinite(pieces_of(volume, centerlines=nowhere).features).all()
