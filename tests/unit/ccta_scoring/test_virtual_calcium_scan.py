"""Score and volume that a calcium-scoring CT would show, against cases that can be done by hand."""

import numpy as np
import pytest

from coronary.calcium import Vessel
from coronary.ccta_scoring import ContrastCalcium, ContrastCalibration, values_in_calcium_scan
from coronary.ct_volume import CtVolume

SPACING = (0.5, 0.4, 0.4)
CALIBRATION = ContrastCalibration(400.0, 400.0, 20.0, 120)


def block(shape_zyx, excess_hu, vessel=Vessel.LAD, spacing=SPACING, tissue_hu=30.0, blood_hu=None):
    """Calcium that fills a block of voxels in the middle of a volume of one tissue, and that volume.

    With `blood_hu` the rest of the volume is enhanced blood.
    """
    margin = np.array([20, 12, 12])
    shape = np.array(shape_zyx) + 2 * margin
    index = np.argwhere(np.ones(shape_zyx, bool)) + margin
    hu = np.full(shape, tissue_hu if blood_hu is None else blood_hu)
    hu[tuple(index.T)] = tissue_hu + excess_hu
    excess = np.full(len(index), float(excess_hu))
    volume = CtVolume(np.rint(hu).astype(np.int16), np.diag([*spacing[::-1], 1.0]))
    labels = np.full(len(index), int(vessel), np.uint8)
    return ContrastCalcium(index, excess + tissue_hu, labels, excess, hu.shape), volume


def values(made, calibration=CALIBRATION, shift_hu=0.0):
    (found,) = values_in_calcium_scan(*made, calibration, (shift_hu,))
    return found.agatston.total, found.volume_mm3.total


def test_dense_calcium_grows_by_the_thickness_of_the_slab():
    # 1000 HU of excess in the middle of a wide block: a slab needs a tenth of it, so up to 1.2 mm on both sides.
    wide, thick = 60, 20
    _, volume = values(block((thick, wide, wide), 1000))
    area = (wide * 0.4) ** 2
    assert volume / area == pytest.approx(thick * 0.5 + 2 * (3.0 / 2 - 0.1 * 3.0), rel=0.1)


@pytest.mark.parametrize(("excess_hu", "weight"), [(150, 1), (200, 2), (300, 3), (400, 4)])
def test_score_is_area_times_the_weight_of_the_peak(excess_hu, weight):
    # As thick as the scan: every slab holds it whole, so the score is that of a stack of equal slices.
    thick = 100
    agatston, volume = values(block((thick, 30, 30), excess_hu))
    assert agatston == pytest.approx(weight * volume / 3.0, rel=0.05)


def test_small_faint_calcium_is_not_seen_and_the_same_of_higher_density_is():
    assert values(block((2, 3, 3), 300)) == (0, 0)
    agatston, volume = values(block((4, 4, 4), 1450))
    assert volume > 4 * 16 * 0.08
    assert agatston > 0


def test_what_is_smaller_than_a_square_millimetre_in_its_slice_has_no_score():
    # The peak passes 130 HU in both.
    assert values(block((20, 2, 2), 300)) == (0, 0)
    assert values(block((20, 2, 2), 600))[0] > 0


def test_mean_over_slice_positions_does_not_depend_on_the_spacing():
    fine = values(block((16, 8, 8), 650, spacing=(0.25, 0.4, 0.4)))
    coarse = values(block((8, 8, 8), 650))
    assert coarse == pytest.approx(fine, rel=0.1)


def test_calcium_is_brought_to_120_kvp_first():
    at_80 = ContrastCalibration(400.0, 400.0, 20.0, 80)
    assert values(block((8, 6, 6), 400 * at_80.calcium_ratio), at_80) == pytest.approx(values(block((8, 6, 6), 400)))
    assert values(block((8, 6, 6), 400), at_80) < values(block((8, 6, 6), 400))


def test_contrast_agent_around_the_calcium_is_not_seen_and_fat_hides_its_border():
    in_blood, in_more_blood = (values(block((8, 6, 6), 400, blood_hu=hu)) for hu in (300.0, 600.0))
    assert in_blood == in_more_blood
    in_fat = values(block((8, 6, 6), 400, blood_hu=-90.0))
    assert in_fat[0] < in_blood[0]
    assert in_fat[1] < in_blood[1]


def test_a_lower_threshold_shows_more():
    lower, same, higher = (values(block((8, 6, 6), 400), shift_hu=shift) for shift in (-25.0, 0.0, 25.0))
    assert higher[0] < same[0] < lower[0]
    assert higher[1] < same[1] < lower[1]


def test_vessels_keep_what_is_theirs():
    (found,) = values_in_calcium_scan(*block((8, 6, 6), 650, Vessel.RCA), CALIBRATION)
    for each in (found.agatston, found.volume_mm3):
        assert each.RCA == each.total > 0
        assert each.LM == each.LAD == each.LCX == 0


def test_no_calcium_has_no_score():
    assert values(block((0, 0, 0), 0)) == (0, 0)
