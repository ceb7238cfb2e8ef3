"""The volume that a calcium-scoring CT would show, against cases that can be done by hand."""

import numpy as np
import pytest

from coronary.calcium import Vessel
from coronary.ccta_scoring import ContrastCalcium, ContrastCalibration, volume_in_calcium_scan

SPACING = (0.5, 0.4, 0.4)
CALIBRATION = ContrastCalibration(400.0, 400.0, 400.0, 20.0, 120)


def block(shape_zyx, hu, vessel=Vessel.LAD):
    """Calcium that fills a block of voxels."""
    index = np.argwhere(np.ones(shape_zyx, bool))
    n = len(index)
    return ContrastCalcium(
        index,
        np.full(n, float(hu)),
        np.full(n, int(vessel), np.uint8),
        np.ones(n, bool),
        np.zeros(0),
        0.0,
        0.0,
        (1, 1, 1),
    )


def total(calcium, calibration=CALIBRATION, spacing=SPACING):
    return volume_in_calcium_scan(calcium, spacing, calibration).total


def test_dense_calcium_grows_by_the_thickness_of_the_slab():
    # 1000 HU of excess in the middle of a wide block: a slab needs a tenth of it, so up to 1.35 mm on both sides.
    wide, thick = 60, 20
    found = total(block((thick, wide, wide), 1050))
    area = (wide * 0.4) ** 2
    assert found / area == pytest.approx(thick * 0.5 + 2 * (3.0 / 2 - 0.1 * 3.0), rel=0.1)


def test_small_faint_calcium_is_not_seen_and_the_same_of_higher_density_is():
    assert total(block((2, 3, 3), 350)) == 0
    assert total(block((2, 3, 3), 1500)) > 2 * 9 * 0.08


def test_mean_over_slice_positions_does_not_depend_on_the_spacing():
    fine = total(block((16, 8, 8), 700), spacing=(0.25, 0.4, 0.4))
    coarse = total(block((8, 8, 8), 700), spacing=(0.5, 0.4, 0.4))
    assert coarse == pytest.approx(fine, rel=0.1)


def test_calcium_is_brought_to_120_kvp_first():
    at_80 = ContrastCalibration(400.0, 400.0, 400.0, 20.0, 80)
    brighter = 50 + 400 * at_80.calcium_ratio
    assert total(block((8, 6, 6), brighter), at_80) == total(block((8, 6, 6), 450))
    assert total(block((8, 6, 6), 450), at_80) < total(block((8, 6, 6), 450))


def test_vessels_keep_their_volume():
    found = volume_in_calcium_scan(block((8, 6, 6), 700, Vessel.RCA), SPACING, CALIBRATION)
    assert found.RCA == found.total > 0
    assert found.LM == found.LAD == found.LCX == 0


def test_no_calcium_has_no_volume():
    assert total(block((0, 0, 0), 0)) == 0
