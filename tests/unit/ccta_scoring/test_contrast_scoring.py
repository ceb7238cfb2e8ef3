"""Calcium in contrast-filled vessels whose content is known."""

from dataclasses import replace

import numpy as np
import pytest

from coronary.calcium import Vessel
from coronary.ccta_scoring import CenterlinePoints, ContrastCalibration
from coronary.ccta_scoring.centerlines import centerline_attenuation
from coronary.ccta_scoring.cross_sections import assign_cross_sections
from coronary.ccta_scoring.lumen import measure_lumen
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume


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


@pytest.mark.parametrize("kvp", [80, 90, 120])
def test_score_and_volume_do_not_depend_on_the_tube_voltage(tube, wall_plaques, calcified, kvp):
    reference = calcified.scored().score
    found = tube(kvp=kvp, plaques=wall_plaques).scored().score
    assert found.agatston.total == pytest.approx(reference.agatston.total, rel=0.06)
    assert found.volume_mm3.total == pytest.approx(reference.volume_mm3.total, rel=0.06)


@pytest.mark.parametrize("iodine_mg_ml", [9, 18])
def test_contrast_agent_does_not_change_the_score(tube, wall_plaques, calcified, iodine_mg_ml):
    found = tube(plaques=wall_plaques, iodine_mg_ml=iodine_mg_ml).scored().score
    assert found.agatston.total == pytest.approx(calcified.scored().score.agatston.total, rel=0.03)


def test_paper_thresholds_lose_calcium_in_a_bright_lumen(tube, wall_plaques):
    dim, bright = (tube(plaques=wall_plaques, iodine_mg_ml=iodine).scored().paper_score for iodine in (9, 18))
    assert 0 < bright.agatston.total < 0.6 * dim.agatston.total


def test_vessel_without_calcium_scores_exactly_zero(tube):
    result = tube(kvp=120).scored()
    for score in (result.score, result.paper_score):
        assert score.agatston.as_dict() == {"total": 0, "LM": 0, "LAD": 0, "LCX": 0, "RCA": 0}
        assert score.risk_category == "0"
    assert not result.calcium.vessel_labels().any()
    assert result.network.doubtful_mm3 == result.network.elsewhere_mm3 == 0


def test_stenosis_by_soft_plaque_is_not_calcium(tube):
    narrowed = tube(narrow_to_mm=0.5)
    lumen = measure_lumen(narrowed.volume, narrowed.centerlines, narrowed.lumen_hu)
    middle = np.abs(narrowed.centerlines.points_lps_mm[:, 2]) < 2.0
    assert np.all(lumen.measured_hu[middle] < 0.75 * narrowed.lumen_hu)
    assert not lumen.is_reliable[middle].any()
    assert narrowed.scored().paper_score.agatston.total == 0


def test_tree_without_points_scores_zero_and_says_where_the_calcium_is(calcified):
    nothing = CenterlinePoints(np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.uint8))
    result = calcified.scored(centerlines=nothing)
    assert result.score.agatston.total == result.paper_score.agatston.total == 0
    assert result.threshold_hu.shape == (0,)
    assert result.network.elsewhere_mm3 == pytest.approx(calcified.scored().score.segmented_volume_mm3.total)


@pytest.fixture(scope="module")
def blocked(tube, plaque):
    """A vessel that is calcified right through for 5 mm."""
    return tube(plaques=(plaque((0.0, 0.0, 0.0), (2.5, 1.2, 1.2), 800.0),))


def test_calcium_on_the_centreline_is_not_taken_for_the_lumen(blocked):
    in_calcium = np.abs(blocked.centerlines.points_lps_mm[:, 2]) < 1.5
    lumen = measure_lumen(blocked.volume, blocked.centerlines, blocked.lumen_hu)
    assert np.all(lumen.measured_hu[in_calcium] > 1.5 * blocked.lumen_hu)
    assert not lumen.is_reliable[in_calcium].any()


def test_adaptive_thresholds_are_the_two_multiples_of_the_paper(blocked):
    height = np.abs(blocked.centerlines.points_lps_mm[:, 2])
    in_calcium, free = height < 1.5, (height > 6.0) & (height < 12.0)
    thresholds = blocked.scored().threshold_hu
    lumen = measure_lumen(blocked.volume, blocked.centerlines, blocked.lumen_hu)
    assert thresholds[in_calcium] == pytest.approx(1.45 * blocked.lumen_hu)
    assert thresholds[free] == pytest.approx(1.25 * lumen.measured_hu[free])
    assert np.ptp(thresholds[free]) > 0


def test_calcium_on_the_centreline_is_found_where_it_is(blocked):
    found = blocked.scored().calcium
    place = blocked.volume.to_lps_mm(found.index_zyx.astype(float))
    assert np.abs(place.mean(axis=0)).max() < 0.3
    assert np.abs(place[:, 2]).max() < 4.0


def test_vessels_keep_their_calcium_and_add_up(tube, plaque):
    left = tube(plaques=(plaque((0.0, 1.9, 0.0)),), vessel=Vessel.LCX)
    right = tube(plaques=(plaque((2.0, -1.9, 0.0), density_mg_cm3=900.0),), vessel=Vessel.RCA)
    columns = left.volume.voxels_hu.shape[2]
    both = CtVolume(np.concatenate([left.volume.voxels_hu, right.volume.voxels_hu], axis=2), left.volume.affine_lps)
    centerlines = CenterlinePoints(
        np.concatenate(
            [left.centerlines.points_lps_mm, right.centerlines.points_lps_mm + np.array([columns * 0.4, 0, 0])]
        ),
        np.concatenate([left.centerlines.radius_mm, right.centerlines.radius_mm]),
        np.concatenate([left.centerlines.vessel, right.centerlines.vessel]),
    )
    beside = replace(right.estimate, index_zyx=right.estimate.index_zyx + np.array([0, 0, columns]))
    estimate = CalciumEstimate(
        *(
            np.concatenate([getattr(left.estimate, name), getattr(beside, name)])
            for name in ("index_zyx", "probability", "excess_hu")
        )
    )
    result = left.scored(volume=both, centerlines=centerlines, estimate=estimate)
    agatston, volume, segmented = result.score.agatston, result.score.volume_mm3, result.score.segmented_volume_mm3
    assert agatston.LM == agatston.LAD == 0
    assert left.scored().score.agatston.total == agatston.LCX
    assert right.scored().score.agatston.total == agatston.RCA
    assert agatston.total == pytest.approx(agatston.LCX + agatston.RCA)
    assert volume.total == pytest.approx(volume.LCX + volume.RCA)
    labels = result.calcium.vessel_labels()
    half = labels.shape[2] // 2
    assert set(np.unique(labels[:, :, :half])) == {0, Vessel.LCX}
    assert set(np.unique(labels[:, :, half:])) == {0, Vessel.RCA}
    assert np.count_nonzero(labels) * 0.5 * 0.4 * 0.4 == pytest.approx(segmented.total)


def test_blood_of_a_chamber_beside_the_vessel_is_not_calcium_even_when_calibration_is_too_low(tube):
    beside = tube(chamber_hu=700.0, iodine_mg_ml=14)
    too_low = ContrastCalibration(440.0, 440.0, 22.0, 100)
    reached = beside.volume.voxels_hu > 1.45 * 440
    assert np.count_nonzero(reached) > 1000
    assert beside.scored(calibration=too_low).paper_score.agatston.total == 0


def test_shifted_thresholds_bracket_the_score(calcified):
    result = calcified.scored()
    lower, higher = result.at_lower_thresholds, result.at_higher_thresholds
    assert higher.agatston.total < result.score.agatston.total < lower.agatston.total
    assert higher.volume_mm3.total < result.score.volume_mm3.total < lower.volume_mm3.total


def test_slice_spacing_does_not_change_the_score(tube, wall_plaques):
    thin, thick = (
        tube(plaques=wall_plaques, spacing_zyx_mm=(spacing, 0.4, 0.4)).scored().score.agatston.total
        for spacing in (0.5, 1.0)
    )
    assert thick == pytest.approx(thin, rel=0.08)


def test_turning_the_slices_over_changes_nothing(calcified):
    slices = calcified.volume.voxels_hu.shape[0]
    affine = calcified.volume.affine_lps.copy()
    affine[:3, 3] += affine[:3, 2] * (slices - 1)
    affine[:3, 2] *= -1
    index = calcified.estimate.index_zyx * np.array([-1, 1, 1]) + np.array([slices - 1, 0, 0])
    result = calcified.scored(
        volume=CtVolume(calcified.volume.voxels_hu[::-1], affine), estimate=replace(calcified.estimate, index_zyx=index)
    )
    assert result.score.agatston.total == pytest.approx(calcified.scored().score.agatston.total, rel=0.01)
    assert result.score.volume_mm3.total == pytest.approx(calcified.scored().score.volume_mm3.total, rel=0.01)


def test_order_of_centreline_points_changes_nothing(calcified):
    order = np.random.default_rng(0).permutation(len(calcified.centerlines))
    shuffled = CenterlinePoints(
        calcified.centerlines.points_lps_mm[order],
        calcified.centerlines.radius_mm[order],
        calcified.centerlines.vessel[order],
    )
    result = calcified.scored(centerlines=shuffled)
    np.testing.assert_array_equal(result.calcium.index_zyx, calcified.scored().calcium.index_zyx)
    assert result.score == calcified.scored().score
    assert result.paper_score == calcified.scored().paper_score


def test_two_voxels_are_noise_and_a_cubic_millimetre_is_not(tube):
    vessel = tube(noise_hu=5)
    z, y, x = np.array(vessel.volume.voxels_hu.shape) // 2
    volumes, by_paper = [], []
    for size in (1, 3):
        voxels = vessel.volume.voxels_hu.copy()
        voxels[z : z + 2, y + 5 : y + 5 + size, x : x + size] = 1500
        index = np.argwhere(voxels == 1500)
        estimate = CalciumEstimate(index, np.ones(len(index)), np.full(len(index), 900.0))
        result = vessel.scored(volume=CtVolume(voxels, vessel.volume.affine_lps), estimate=estimate)
        volumes.append(result.score.segmented_volume_mm3.total)
        by_paper.append(result.paper_score.volume_mm3.total)
    assert volumes[0] == by_paper[0] == 0
    assert volumes[1] == pytest.approx(18 * 0.08)
    assert by_paper[1] == pytest.approx(18 * 0.08)


def test_what_might_be_calcium_is_doubtful_and_not_scored(calcified):
    faint = replace(calcified.estimate, probability=0.3 * calcified.estimate.probability)
    found = calcified.scored(estimate=faint)
    assert found.score.agatston.total == 0
    assert found.network.doubtful_mm3 > 10
    # Around calcium that is certain, doubt is its border.
    assert calcified.scored().network.doubtful_mm3 == 0


def test_a_piece_counts_whole_where_the_network_is_certain_of_one_voxel_and_not_at_all_otherwise(tube, plaque):
    one = tube(plaques=(plaque((0.0, 2.8, 0.0), (3.0, 1.2, 1.2), 380.0),))
    probability = np.full_like(one.estimate.probability, 0.9)

    def scored():
        return one.scored(estimate=replace(one.estimate, probability=probability.copy()))

    doubted = scored()
    assert doubted.score.agatston.total == 0
    assert doubted.network.doubtful_mm3 > 10
    probability[len(probability) // 2] = 0.99
    found = scored()
    assert found.network.doubtful_mm3 == 0
    probability[:] = 1.0
    assert found.score.agatston.total == scored().score.agatston.total > 20


def test_calcium_that_lies_mostly_beside_a_vessel_belongs_to_it_and_other_calcium_is_reported(tube, plaque):
    plaque_of_it = tube(plaques=(plaque((0.0, 2.8, 0.0), (3.0, 0.8, 0.8), 900.0),)).scored()
    assert plaque_of_it.score.agatston.total > 20
    assert plaque_of_it.network.elsewhere_mm3 == 0
    # Like the calcium of a valve, which passes the vessel or comes close to it with one end.
    for y, half_mm in ((6.0, 0.8), (5.5, 3.2)):
        other = tube(plaques=(plaque((0.0, y, 0.0), (3.0, half_mm, 0.8), 900.0),)).scored()
        assert other.score.agatston.total == 0
        assert other.network.elsewhere_mm3 > 5


def ostium(tube, plaque, depth_mm):
    """A vessel that leaves an aorta filling the lowest part of the volume, calcium above its border, and the aorta."""
    vessel = tube(plaques=(plaque((-7.0 + depth_mm, 2.2, 0.0), (0.8, 0.9, 0.9), 1100.0),))
    heights = vessel.volume.to_lps_mm(np.argwhere(np.ones(vessel.volume.voxels_hu.shape, bool)).astype(float))[:, 2]
    return vessel, heights.reshape(vessel.volume.voxels_hu.shape) <= -7.0


def test_calcium_in_the_wall_of_the_aorta_is_not_of_the_artery_that_leaves_it(tube, plaque):
    vessel, aorta = ostium(tube, plaque, 0.0)
    assert vessel.scored().score.agatston.total > 5
    assert vessel.scored().paper_score.agatston.total > 5
    cleaned = vessel.scored(aorta_mask=aorta)
    assert cleaned.score.agatston.total == cleaned.paper_score.agatston.total == 0
    assert cleaned.network.elsewhere_mm3 == 0


def test_calcium_beyond_the_wall_of_the_aorta_keeps_its_score(tube, plaque):
    vessel, aorta = ostium(tube, plaque, 5.0)
    assert vessel.scored(aorta_mask=aorta).score == vessel.scored().score
    assert vessel.scored(aorta_mask=np.zeros_like(aorta)).score == vessel.scored().score


def test_mask_of_the_aorta_of_another_volume_is_an_error(calcified):
    mask = np.zeros(calcified.volume.voxels_hu[1:].shape, bool)
    with pytest.raises(ValueError, match="shape"):
        calcified.scored(aorta_mask=mask)


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
    assert np.isfinite(vessel.scored(centerlines=beyond).threshold_hu).all()


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
        ((0.0, 400.0, 20.0, 100), "calibration_factor_hu"),
        ((400.0, np.nan, 20.0, 100), "aorta_mean_hu"),
        ((400.0, 400.0, 0.0, 100), "aorta_sd_hu"),
        ((400.0, 400.0, 20.0, 60), "60 kVp"),
    ],
)
def test_impossible_calibrations_are_refused(values, named):
    with pytest.raises(ValueError, match=named):
        ContrastCalibration(*values)
