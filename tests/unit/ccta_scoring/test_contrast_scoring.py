"""Calcium in contrast-filled vessels whose content is known."""

from dataclasses import replace

import numpy as np
import pytest

from coronary.calcium import Vessel
from coronary.ccta_scoring import (
    PAPER_RULE,
    WALL_EXCESS_RULE,
    CenterlinePoints,
    ContrastCalibration,
    score_contrast_scan,
)
from coronary.ccta_scoring.centerlines import centerline_attenuation
from coronary.ccta_scoring.contrast_calcium import find_calcium, search_calcium
from coronary.ccta_scoring.cross_sections import assign_cross_sections
from coronary.ccta_scoring.lumen import measure_lumen, measure_radius_offset
from coronary.ct_volume import CtVolume

#: Agatston units per mg of hydroxyapatite of the default weights: 1.32 HU per mg/cm³ over 100 HU and 3 mm.
UNITS_PER_MG = 4.4


def score(tube, rule=WALL_EXCESS_RULE):
    return score_contrast_scan(tube.volume, tube.centerlines, tube.calibration, rule)


@pytest.fixture(scope="module")
def wall_plaques(plaque):
    """Two plaques in the wall, 14 mg together."""
    return (
        plaque((-5.0, 2.0, 0.0), (3.0, 0.9, 1.2), 650.0),
        plaque((6.0, 0.0, -1.9), (2.0, 1.0, 0.8), 800.0),
    )


@pytest.fixture(scope="module")
def calcified(tube, wall_plaques):
    """The same vessel and calcium at 100 kVp."""
    return tube(plaques=wall_plaques)


@pytest.mark.parametrize("kvp", [80, 90, 100, 120])
def test_known_mass_gives_its_score_at_every_tube_voltage(tube, wall_plaques, kvp):
    mass_mg = sum(each.mass_mg for each in wall_plaques)
    result = score(tube(kvp=kvp, plaques=wall_plaques))
    assert result.score.agatston.total == pytest.approx(UNITS_PER_MG * mass_mg, rel=0.25)


def test_score_does_not_follow_the_amount_of_contrast_agent(tube, wall_plaques):
    dim, bright = (score(tube(plaques=wall_plaques, iodine_mg_ml=iodine)).score.agatston.total for iodine in (9, 18))
    assert bright == pytest.approx(dim, rel=0.25)


def test_paper_rule_loses_calcium_in_a_bright_lumen_that_the_default_keeps(tube, wall_plaques):
    dim, bright = (tube(plaques=wall_plaques, iodine_mg_ml=iodine) for iodine in (9, 18))

    def kept(rule):
        return score(bright, rule).score.agatston.total / score(dim, rule).score.agatston.total

    assert kept(PAPER_RULE) < 0.6 < 0.8 < kept(WALL_EXCESS_RULE)


@pytest.mark.parametrize("rule", [WALL_EXCESS_RULE, PAPER_RULE], ids=["default", "paper"])
def test_vessel_without_calcium_scores_exactly_zero(tube, rule):
    result = score(tube(kvp=120), rule)
    assert result.score.agatston.as_dict() == {"total": 0, "LM": 0, "LAD": 0, "LCX": 0, "RCA": 0}
    assert result.score.risk_category == "0"
    assert not result.calcium.vessel_labels().any()


def test_noise_in_a_dim_lumen_is_not_calcium(tube):
    noisy = tube(kvp=120, iodine_mg_ml=10, noise_hu=38)
    assert np.count_nonzero(noisy.volume.voxels_hu > 1.25 * noisy.lumen_hu) > 10
    assert score(noisy).score.agatston.total == 0


@pytest.mark.parametrize("rule", [WALL_EXCESS_RULE, PAPER_RULE], ids=["default", "paper"])
def test_stenosis_by_soft_plaque_is_not_calcium(tube, rule):
    narrowed = tube(narrow_to_mm=0.5)
    lumen = measure_lumen(narrowed.volume, narrowed.centerlines, narrowed.lumen_hu)
    middle = np.abs(narrowed.centerlines.points_lps_mm[:, 2]) < 2.0
    assert np.all(lumen.measured_hu[middle] < 0.75 * narrowed.lumen_hu)
    assert not lumen.is_reliable[middle].any()
    assert score(narrowed, rule).score.agatston.total == 0


def test_tree_without_points_scores_zero(tube):
    vessel = tube()
    nothing = CenterlinePoints(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.uint8))
    for rule in (WALL_EXCESS_RULE, PAPER_RULE):
        result = score_contrast_scan(vessel.volume, nothing, vessel.calibration, rule)
        assert result.score.agatston.total == result.score.volume_mm3.total == 0
        assert result.calcium.threshold_hu.shape == (0,)


@pytest.fixture(scope="module")
def blocked(tube, plaque):
    """A vessel that is calcified right through for 5 mm."""
    return tube(plaques=(plaque((0.0, 0.0, 0.0), (2.5, 1.2, 1.2), 800.0),))


def test_calcium_on_the_centreline_is_not_taken_for_the_lumen(blocked):
    in_calcium = np.abs(blocked.centerlines.points_lps_mm[:, 2]) < 1.5
    lumen = measure_lumen(blocked.volume, blocked.centerlines, blocked.lumen_hu)
    assert np.all(lumen.measured_hu[in_calcium] > 1.5 * blocked.lumen_hu)
    assert not lumen.is_reliable[in_calcium].any()
    assert lumen.local_hu[in_calcium] == pytest.approx(blocked.lumen_hu, rel=0.05)


def test_paper_thresholds_are_its_two_multiples(blocked):
    height = np.abs(blocked.centerlines.points_lps_mm[:, 2])
    in_calcium, free = height < 1.5, (height > 6.0) & (height < 12.0)
    thresholds = score(blocked, PAPER_RULE).calcium.threshold_hu
    lumen = measure_lumen(blocked.volume, blocked.centerlines, blocked.lumen_hu)
    assert thresholds[in_calcium] == pytest.approx(1.45 * blocked.lumen_hu)
    assert thresholds[free] == pytest.approx(1.25 * lumen.measured_hu[free])
    assert np.ptp(thresholds[free]) > 0


@pytest.mark.parametrize("rule", [WALL_EXCESS_RULE, PAPER_RULE], ids=["default", "paper"])
def test_calcium_on_the_centreline_is_found_where_it_is(blocked, rule):
    found = score(blocked, rule).calcium
    place = blocked.volume.to_lps_mm(found.index_zyx.astype(float))
    assert np.abs(place.mean(axis=0)).max() < 0.3
    assert np.abs(place[:, 2]).max() < 4.0
    assert found.is_core.any()


def test_vessels_keep_their_calcium_and_add_up(tube, plaque):
    left = tube(plaques=(plaque((0.0, 1.9, 0.0)),), vessel=Vessel.LCX)
    right = tube(plaques=(plaque((2.0, -1.9, 0.0), density_mg_cm3=900.0),), vessel=Vessel.RCA)
    width = left.volume.voxels_hu.shape[2] * 0.4
    both = CtVolume(np.concatenate([left.volume.voxels_hu, right.volume.voxels_hu], axis=2), left.volume.affine_lps)
    centerlines = CenterlinePoints(
        np.concatenate([left.centerlines.points_lps_mm, right.centerlines.points_lps_mm + np.array([width, 0, 0])]),
        np.concatenate([left.centerlines.radius_mm, right.centerlines.radius_mm]),
        np.concatenate([left.centerlines.vessel, right.centerlines.vessel]),
    )
    result = score_contrast_scan(both, centerlines, left.calibration)
    agatston, volume = result.score.agatston, result.score.volume_mm3
    equivalent = result.score.equivalent_volume_mm3
    assert agatston.LM == agatston.LAD == 0
    assert 0 < agatston.LCX < agatston.RCA
    assert (result.score.left_agatston, result.score.right_agatston) == (agatston.LCX, agatston.RCA)
    assert agatston.total == pytest.approx(agatston.LCX + agatston.RCA)
    assert volume.total == pytest.approx(volume.LCX + volume.RCA)
    assert 0 < equivalent.LCX < equivalent.RCA
    assert equivalent.total == pytest.approx(equivalent.LCX + equivalent.RCA)
    labels = result.calcium.vessel_labels()
    half = labels.shape[2] // 2
    assert set(np.unique(labels[:, :, :half])) == {0, Vessel.LCX}
    assert set(np.unique(labels[:, :, half:])) == {0, Vessel.RCA}
    assert np.count_nonzero(labels) * 0.5 * 0.4 * 0.4 == pytest.approx(volume.total)


def test_blood_of_a_chamber_beside_the_vessel_is_not_calcium_even_when_calibration_is_too_low(tube):
    beside = tube(chamber_hu=700.0, iodine_mg_ml=14)
    too_low = ContrastCalibration(440.0, 440.0, 440.0, 22.0, 100)
    reached = beside.volume.voxels_hu > 1.45 * 440
    assert np.count_nonzero(reached) > 1000
    for rule in (WALL_EXCESS_RULE, PAPER_RULE):
        result = score_contrast_scan(beside.volume, beside.centerlines, too_low, rule)
        assert result.score.agatston.total == 0


def test_brightest_blood_anywhere_protects_from_a_calibration_factor_that_is_too_low(tube):
    vessel = tube(iodine_mg_ml=18)
    low = {"calibration_factor_hu": 0.75 * vessel.lumen_hu, "aorta_sd_hu": 22.0, "kvp": 100}
    wrong = ContrastCalibration(blood_pool_hu=0.75 * vessel.lumen_hu, aorta_mean_hu=0.75 * vessel.lumen_hu, **low)
    by_pool = ContrastCalibration(blood_pool_hu=vessel.lumen_hu, aorta_mean_hu=0.75 * vessel.lumen_hu, **low)
    by_aorta = ContrastCalibration(blood_pool_hu=0.75 * vessel.lumen_hu, aorta_mean_hu=vessel.lumen_hu, **low)
    totals = [
        score_contrast_scan(vessel.volume, vessel.centerlines, calibration).score.agatston.total
        for calibration in (wrong, by_pool, by_aorta)
    ]
    assert totals[0] > 100
    assert totals[1:] == [0, 0]


@pytest.mark.parametrize("bias_mm", [-0.4, 0.4])
def test_radii_that_are_all_too_small_or_too_wide_are_corrected(calcified, bias_mm):
    biased = CenterlinePoints(
        calcified.centerlines.points_lps_mm,
        calcified.centerlines.radius_mm + bias_mm,
        calcified.centerlines.vessel,
    )
    result = score_contrast_scan(calcified.volume, biased, calcified.calibration)
    assert result.calcium.radius_offset_mm == pytest.approx(-bias_mm, abs=0.1)
    assert result.score.agatston.total == pytest.approx(score(calcified).score.agatston.total, rel=0.08)


def test_radius_offset_is_unknown_in_vessels_too_thin_to_measure(tube):
    thin = tube(radius_mm=0.8)
    lumen = measure_lumen(thin.volume, thin.centerlines, 0.8 * thin.lumen_hu)
    assert lumen.is_reliable.any()
    assert measure_radius_offset(thin.volume, thin.centerlines, lumen) is None
    assert score(thin).calcium.radius_offset_mm == 0


def test_shifted_thresholds_bracket_the_score(calcified):
    for rule in (WALL_EXCESS_RULE, PAPER_RULE):
        result = score(calcified, rule)
        lower, higher = result.at_lower_thresholds, result.at_higher_thresholds
        assert higher.agatston.total < result.score.agatston.total < lower.agatston.total
        assert higher.volume_mm3.total < result.score.volume_mm3.total < lower.volume_mm3.total


def test_slice_spacing_does_not_change_the_score(tube, wall_plaques):
    thin, thick = (
        score(tube(plaques=wall_plaques, spacing_zyx_mm=(spacing, 0.4, 0.4), noise_hu=15)).score.agatston.total
        for spacing in (0.5, 1.0)
    )
    assert thick == pytest.approx(thin, rel=0.08)


def test_turning_the_slices_over_changes_nothing(calcified):
    affine = calcified.volume.affine_lps.copy()
    affine[:3, 3] += affine[:3, 2] * (calcified.volume.voxels_hu.shape[0] - 1)
    affine[:3, 2] *= -1
    turned = CtVolume(calcified.volume.voxels_hu[::-1], affine)
    result = score_contrast_scan(turned, calcified.centerlines, calcified.calibration)
    original = score(calcified)
    assert result.score.agatston.total == pytest.approx(original.score.agatston.total, rel=0.01)
    assert result.score.volume_mm3.total == pytest.approx(original.score.volume_mm3.total, rel=0.01)


def test_order_of_centreline_points_changes_nothing(calcified):
    order = np.random.default_rng(0).permutation(len(calcified.centerlines))
    shuffled = CenterlinePoints(
        calcified.centerlines.points_lps_mm[order],
        calcified.centerlines.radius_mm[order],
        calcified.centerlines.vessel[order],
    )
    result = score_contrast_scan(calcified.volume, shuffled, calcified.calibration)
    np.testing.assert_array_equal(result.calcium.index_zyx, score(calcified).calcium.index_zyx)
    assert result.score == score(calcified).score


def test_two_bright_voxels_are_noise_and_a_cubic_millimetre_is_not(tube):
    vessel = tube(noise_hu=5)
    middle = np.array(vessel.volume.voxels_hu.shape) // 2
    totals = []
    for size in (1, 3):
        voxels = vessel.volume.voxels_hu.copy()
        z, y, x = middle
        voxels[z : z + 2, y + 5 : y + 5 + size, x : x + size] = 1500
        volume = CtVolume(voxels, vessel.volume.affine_lps)
        totals.append(score_contrast_scan(volume, vessel.centerlines, vessel.calibration).score.volume_mm3.total)
    assert totals[0] == 0
    assert totals[1] >= 18 * 0.08


def test_streak_that_is_a_little_brighter_than_blood_is_not_calcium(tube):
    vessel = tube(noise_hu=4)
    voxels = vessel.volume.voxels_hu.copy()
    z, y, x = np.array(voxels.shape) // 2
    voxels[z : z + 6, y - 2 : y + 3, x - 2 : x + 3] = round(1.03 * 1.07 * vessel.lumen_hu)
    streaked = CtVolume(voxels, vessel.volume.affine_lps)
    assert voxels.max() > vessel.calibration.brightest_blood_hu + 3 * vessel.calibration.aorta_sd_hu
    assert score_contrast_scan(streaked, vessel.centerlines, vessel.calibration).score.agatston.total == 0


#: The default rule with a border that is so uncertain that no place outside the lumen is certain.
WITHOUT_WALL_CORES = replace(WALL_EXCESS_RULE, border_uncertainty_mm=100.0)


def heights_mm(tube, plaque, *faint):
    """Heights of all calcium and of its cores, beside a dense plaque from -7 to -3 mm and the given faint ones."""
    dense = plaque((-5.0, 2.0, 0.0), (2.0, 0.9, 0.9), 900.0)
    vessel = tube(plaques=(dense, *faint), noise_hu=6)
    found = score(vessel, WITHOUT_WALL_CORES).calcium
    heights = vessel.volume.to_lps_mm(found.index_zyx.astype(float))[:, 2]
    return heights, heights[found.is_core]


def test_plaque_is_followed_from_its_core_as_far_as_growth_reaches(tube, plaque):
    alone, _ = heights_mm(tube, plaque)
    whole, cores = heights_mm(tube, plaque, plaque((1.0, 2.4, 0.0), (8.0, 1.0, 1.0), 290.0))
    assert cores.max() < alone.max() + 0.1
    assert cores.max() + WALL_EXCESS_RULE.growth_mm - 0.6 <= whole.max() <= cores.max() + WALL_EXCESS_RULE.growth_mm


def isodense(plaque):
    """Calcium in the wall that is no brighter than a bright lumen."""
    return plaque((4.0, 2.6, 0.0), (5.0, 1.1, 1.4), 340.0)


def test_calcium_as_bright_as_the_lumen_counts_beside_calcium_that_is_certain(tube, plaque):
    certain = plaque((-9.0, 2.0, 0.0), (2.0, 0.9, 0.9), 900.0)
    alone, both = (
        tube(kvp=80, iodine_mg_ml=16, plaques=plaques) for plaques in ((certain,), (certain, isodense(plaque)))
    )
    added = score(both).score.agatston.total - score(alone).score.agatston.total
    without = (
        score(both, WITHOUT_WALL_CORES).score.agatston.total - score(alone, WITHOUT_WALL_CORES).score.agatston.total
    )
    assert without == pytest.approx(0.0, abs=1.0)
    assert added > 0.4 * UNITS_PER_MG * isodense(plaque).mass_mg


def test_calcium_as_bright_as_the_lumen_alone_is_suspected_and_not_counted(tube, plaque):
    vessel = tube(kvp=80, iodine_mg_ml=16, plaques=(isodense(plaque),))
    found = score(vessel)
    assert found.score.agatston.total == 0
    assert found.calcium.suspected_mm3 > 3.0
    assert score(tube(kvp=80, iodine_mg_ml=16)).calcium.suspected_mm3 == 0
    assert score(vessel, PAPER_RULE).calcium.suspected_mm3 == 0


def ostium(tube, plaque, depth_mm):
    """A vessel that leaves an aorta filling the lowest part of the volume, calcium above its border, and the aorta."""
    vessel = tube(plaques=(plaque((-7.0 + depth_mm, 2.2, 0.0), (0.8, 0.9, 0.9), 1100.0),))
    heights = vessel.volume.to_lps_mm(np.argwhere(np.ones(vessel.volume.voxels_hu.shape, bool)).astype(float))[:, 2]
    return vessel, heights.reshape(vessel.volume.voxels_hu.shape) <= -7.0


def test_calcium_in_the_wall_of_the_aorta_is_not_of_the_artery_that_leaves_it(tube, plaque):
    vessel, aorta = ostium(tube, plaque, 0.6)
    assert score(vessel).score.agatston.total > 5
    cleaned = score_contrast_scan(vessel.volume, vessel.centerlines, vessel.calibration, aorta_mask=aorta)
    assert cleaned.score.agatston.total == 0


def test_calcium_beyond_the_wall_of_the_aorta_keeps_its_score(tube, plaque):
    vessel, aorta = ostium(tube, plaque, 5.0)
    cleaned = score_contrast_scan(vessel.volume, vessel.centerlines, vessel.calibration, aorta_mask=aorta)
    assert cleaned.score == score(vessel).score
    nothing = score_contrast_scan(
        vessel.volume, vessel.centerlines, vessel.calibration, aorta_mask=np.zeros_like(aorta)
    )
    assert nothing.score == score(vessel).score


def test_mask_of_the_aorta_of_another_volume_is_an_error(calcified):
    mask = np.zeros(calcified.volume.voxels_hu[1:].shape, bool)
    with pytest.raises(ValueError, match="shape"):
        score_contrast_scan(calcified.volume, calcified.centerlines, calcified.calibration, aorta_mask=mask)


def test_faint_spot_that_does_not_touch_a_core_is_not_counted(tube, plaque):
    spot = plaque((-0.8, 2.4, 0.0), (0.6, 0.7, 0.7), 260.0)
    alone, _ = heights_mm(tube, plaque)
    beside, _ = heights_mm(tube, plaque, spot)
    assert beside.max() == alone.max()


def test_extent_threshold_follows_the_blurred_edge_of_the_lumen():
    calibration = ContrastCalibration(400.0, 400.0, 400.0, 20.0, 80)
    excess = 130 * 1.83 / 1.32
    from_border = np.array([-3.0, 0.0, 3.0])
    full = WALL_EXCESS_RULE.extent_hu(from_border, np.full(3, 500.0), calibration)
    assert full == pytest.approx([500 + excess, 275 + excess, 50 + excess], abs=0.01)
    # A thin vessel that never reaches its lumen's attenuation is not believed to hold less contrast agent.
    thin = WALL_EXCESS_RULE.extent_hu(from_border, np.full(3, 300.0), calibration)
    assert thin == pytest.approx([400 + excess, 225 + excess, 50 + excess], abs=0.01)


def test_shift_moves_the_threshold_of_the_extent_too(calcified):
    search = search_calcium(calcified.volume, calcified.centerlines, calcified.calibration, WALL_EXCESS_RULE, 25.0)
    dimmest = {
        shift: find_calcium(calcified.volume, calcified.centerlines, WALL_EXCESS_RULE, search, shift).hu.min()
        for shift in (-25.0, 0.0, 25.0)
    }
    floor = 50 + 130 * 1.50 / 1.32
    for shift, hu in dimmest.items():
        assert floor + shift <= hu < floor + shift + 15


def test_cross_sections_hold_every_voxel_within_reach_and_no_other(tube):
    vessel = tube()
    lines = vessel.centerlines
    # Off the grid of the voxels, so that no voxel has two nearest points.
    varied = CenterlinePoints(lines.points_lps_mm + 0.07, np.linspace(1.0, 2.5, len(lines)), lines.vessel)
    voxels = assign_cross_sections(vessel.volume, varied, 1.0, 100.0)
    everywhere = np.argwhere(vessel.volume.voxels_hu >= 100)
    gaps = np.linalg.norm(
        vessel.volume.to_lps_mm(everywhere.astype(float))[:, None] - varied.points_lps_mm[None], axis=2
    )
    within = gaps.min(axis=1) <= varied.radius_mm[gaps.argmin(axis=1)] + 1.0
    np.testing.assert_array_equal(voxels.index_zyx, everywhere[within])
    assert voxels.distance_mm == pytest.approx(gaps.min(axis=1)[within])
    assert 0 < len(voxels.hu) < len(everywhere)


def test_attenuation_outside_the_volume_is_unknown_and_not_reliable(tube):
    vessel = tube()
    lines = vessel.centerlines
    beyond = CenterlinePoints(lines.points_lps_mm + np.array([0, 0, 20.0]), lines.radius_mm, lines.vessel)
    is_outside = beyond.points_lps_mm[:, 2] > 14.0
    assert np.isnan(centerline_attenuation(vessel.volume, beyond)[is_outside]).all()
    lumen = measure_lumen(vessel.volume, beyond, vessel.lumen_hu)
    assert not lumen.is_reliable[is_outside].any()
    assert np.isfinite(lumen.local_hu).all()
    assert np.isfinite(
        score_contrast_scan(vessel.volume, beyond, vessel.calibration, PAPER_RULE).calcium.threshold_hu
    ).all()


@pytest.mark.parametrize(
    ("points", "radius", "vessel", "named"),
    [
        (np.zeros((2, 2)), np.ones(2), np.ones(2, np.uint8), "expected"),
        (np.zeros((2, 3)), np.array([1.0, -1.0]), np.ones(2, np.uint8), "radius"),
        (np.zeros((2, 3)), np.ones(2), np.array([1, 5], np.uint8), "vessels"),
        (np.full((2, 3), np.nan), np.ones(2), np.ones(2, np.uint8), "finite"),
    ],
)
def test_impossible_centrelines_are_refused(points, radius, vessel, named):
    with pytest.raises(ValueError, match=named):
        CenterlinePoints(points, radius, vessel)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((0.0, 400.0, 400.0, 20.0, 100), "calibration_factor_hu"),
        ((400.0, np.nan, 400.0, 20.0, 100), "blood_pool_hu"),
        ((400.0, 400.0, 400.0, 0.0, 100), "aorta_sd_hu"),
        ((400.0, 400.0, 400.0, 20.0, 60), "60 kVp"),
    ],
)
def test_impossible_calibrations_are_refused(values, named):
    with pytest.raises(ValueError, match=named):
        ContrastCalibration(*values)
