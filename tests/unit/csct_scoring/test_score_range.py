"""What of a score is doubtful: the noise of the scan, the edges of lesions, and what may not be coronary."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from builders.network_answers import SameEverywhere
from coronary.calcium import ScoreRange, score_calcium
from coronary.contract import AcquisitionFacts
from coronary.csct_scoring.postprocess import DECISION_PROBABILITY, CalciumCandidates
from coronary.csct_scoring.predict import predict
from coronary.csct_scoring.preprocess import CROP_PIXELS, PIXEL_MM, prepare
from coronary.csct_scoring.score_range import CALIBRATION, noise_sd_hu, score_range
from coronary.ct_volume import CtVolume

#: Two blocks of calcium in different slices.
SURE = (slice(2, 4), slice(10, 14), slice(10, 14))
OTHER = (slice(6, 8), slice(20, 23), slice(20, 23))


def volume_of(voxels_hu: NDArray[np.int16], spacing_zyx_mm: tuple[float, float, float] = (3.0, 0.5, 0.5)) -> CtVolume:
    z, y, x = spacing_zyx_mm
    return CtVolume(voxels_hu, np.diag([x, y, z, 1.0]))


@pytest.fixture
def voxels_hu() -> NDArray[np.int16]:
    """Soft tissue with both blocks, whose peaks keep their density weight when the noise of the tests is added."""
    voxels = np.full((10, 32, 32), 40, np.int16)
    voxels[SURE], voxels[OTHER] = 250, 250
    return voxels


def total_of(voxels_hu: NDArray[np.int16], *blocks: tuple[slice, ...]) -> float:
    """Score of these blocks alone."""
    labels = np.zeros(voxels_hu.shape, np.uint8)
    for block in blocks:
        labels[block] = 2
    volume = volume_of(voxels_hu)
    return score_calcium(voxels_hu, labels, volume.spacing_zyx_mm, volume.affine_lps).agatston.total


def range_of(
    voxels_hu: NDArray[np.int16], sure: float, other: float, noise_hu: float, bone: NDArray[np.bool_] | None = None
) -> tuple[float, ScoreRange]:
    """Reported total and its range, with these probabilities of the blocks being coronary calcium (LAD)."""
    volume = volume_of(voxels_hu)
    index = np.nonzero(voxels_hu >= 130)
    coronary = np.zeros(voxels_hu.shape, np.float32)
    coronary[SURE], coronary[OTHER] = sure, other
    probability = np.zeros((len(index[0]), 5), np.float32)
    probability[:, 2] = coronary[index]
    probability[:, 0] = 1 - probability[:, 2]
    candidates = CalciumCandidates(voxels_hu.shape, index, probability)
    is_bone = np.zeros(voxels_hu.shape, np.bool_) if bone is None else bone
    labels = np.where(is_bone, 0, candidates.at_least(DECISION_PROBABILITY)).astype(np.uint8)
    score = score_calcium(voxels_hu, labels, volume.spacing_zyx_mm, volume.affine_lps)
    return score.agatston.total, score_range(volume, score, candidates, is_bone, noise_hu)


def test_without_noise_and_doubt_the_range_is_the_score(voxels_hu: NDArray[np.int16]) -> None:
    total, around = range_of(voxels_hu, sure=1.0, other=1.0, noise_hu=0.0)
    assert total == total_of(voxels_hu, SURE, OTHER)
    assert around == ScoreRange(total, total)


def test_the_edge_counts_where_noise_may_have_hidden_it(voxels_hu: NDArray[np.int16]) -> None:
    voxels_hu[2, 10:14, 14] = 115
    unmoved, still = range_of(voxels_hu, sure=1.0, other=0.0, noise_hu=0.0)
    total, around = range_of(voxels_hu, sure=1.0, other=0.0, noise_hu=20.0)
    assert still == ScoreRange(unmoved, unmoved)
    # Four pixels of 0.25 mm² with the weight 2 of the lesion.
    assert around == ScoreRange(total, pytest.approx(total + 4 * 0.25 * 2))


def test_an_edge_is_beside_the_lesion_in_its_slice(voxels_hu: NDArray[np.int16]) -> None:
    voxels_hu[4, 10:14, 10:14] = 115
    voxels_hu[2:4, 15, 14] = 115
    total, around = range_of(voxels_hu, sure=1.0, other=0.0, noise_hu=20.0)
    assert around == ScoreRange(total, total)


def test_noise_may_have_lifted_what_is_faint(voxels_hu: NDArray[np.int16]) -> None:
    voxels_hu[OTHER] = 135
    total, around = range_of(voxels_hu, sure=1.0, other=1.0, noise_hu=10.0)
    assert total > around.lowest == total_of(voxels_hu, SURE)
    assert around.highest == total


def test_what_was_only_just_left_out_widens_upwards_only(voxels_hu: NDArray[np.int16]) -> None:
    total, around = range_of(voxels_hu, sure=1.0, other=0.3, noise_hu=0.0)
    assert around == ScoreRange(total_of(voxels_hu, SURE), total_of(voxels_hu, SURE, OTHER))
    assert total == around.lowest < around.highest


def test_what_was_only_just_counted_widens_downwards_only(voxels_hu: NDArray[np.int16]) -> None:
    total, around = range_of(voxels_hu, sure=1.0, other=0.6, noise_hu=0.0)
    assert around == ScoreRange(total_of(voxels_hu, SURE), total_of(voxels_hu, SURE, OTHER))
    assert around.lowest < around.highest == total


def test_what_is_hardly_coronary_is_no_doubt(voxels_hu: NDArray[np.int16]) -> None:
    total, around = range_of(voxels_hu, sure=1.0, other=0.1, noise_hu=0.0)
    assert around == ScoreRange(total, total)


def test_bone_is_never_counted_whatever_the_network_says(voxels_hu: NDArray[np.int16]) -> None:
    # One piece of bone touches the lesion and is its edge; the other, taken for an artery, has an edge of its own.
    voxels_hu[2:4, 10:14, 14:18] = 280
    voxels_hu[6:8, 20:23, 19] = 120
    bone = voxels_hu >= 130
    bone[SURE] = False
    for sure, lowest in ((1.0, total_of(voxels_hu, SURE)), (0.6, 0.0)):
        total, around = range_of(voxels_hu, sure=sure, other=1.0, noise_hu=15.0, bone=bone)
        assert total == total_of(voxels_hu, SURE)
        assert around == ScoreRange(lowest, total)


@pytest.mark.parametrize(("sure", "other"), [(1.0, 0.3), (0.6, 0.6), (0.3, 0.3), (0.3, 0.9)])
@pytest.mark.parametrize("noise_hu", [0.0, 12.5, 40.0])
def test_the_score_lies_within_the_range(
    voxels_hu: NDArray[np.int16], sure: float, other: float, noise_hu: float
) -> None:
    generator = np.random.default_rng(3)
    noisy = (voxels_hu + generator.normal(0, noise_hu, voxels_hu.shape)).astype(np.int16)
    total, around = range_of(noisy, sure, other, noise_hu)
    assert 0 <= around.lowest <= total <= around.highest


def tissue(sd_hu: float, size: int = CROP_PIXELS) -> NDArray[np.int16]:
    """Noise on soft tissue, on the pixels of the network's grid: nothing is smoothed when it is prepared."""
    return np.round(np.random.default_rng(11).normal(45.0, sd_hu, (6, size, size))).astype(np.int16)


@pytest.mark.parametrize("sd_hu", [8.0, 20.0, 35.0])
def test_the_noise_of_soft_tissue_is_measured(sd_hu: float) -> None:
    prepared = prepare(volume_of(tissue(sd_hu), (3.0, PIXEL_MM, PIXEL_MM)))
    # The quantile lies a little below the middle of what squares of 8 x 8 pixels scatter around the truth.
    assert noise_sd_hu(prepared) == pytest.approx(sd_hu, rel=0.1)


def test_edges_bone_and_air_are_no_noise() -> None:
    voxels = tissue(15.0)
    voxels[:, :, ::24] = 300
    voxels[:, :60] = -900
    voxels[:, 150:170, 100:130] = 700
    prepared = prepare(volume_of(voxels, (3.0, PIXEL_MM, PIXEL_MM)))
    assert noise_sd_hu(prepared) == pytest.approx(15.0, rel=0.15)


def test_without_soft_tissue_there_is_no_noise_to_measure() -> None:
    air = np.full((6, CROP_PIXELS, CROP_PIXELS), -1000, np.int16)
    assert noise_sd_hu(prepare(volume_of(air, (3.0, PIXEL_MM, PIXEL_MM)))) == 0.0


@pytest.mark.parametrize("coronary", [0.05, 0.35, 0.65, 0.95])
def test_every_prediction_has_a_range_and_an_interval_around_its_score(coronary: float) -> None:
    voxels = np.full((12, 256, 256), 40, np.int16)
    voxels[3:5, 120:124, 120:124] = 300
    findings = predict(SameEverywhere(coronary), volume_of(voxels), AcquisitionFacts(), lambda _: None)
    total, around, interval = findings.score.agatston.total, findings.around, findings.interval
    assert around.lowest <= total <= around.highest
    assert interval.low <= total <= interval.high
    assert interval.data == CALIBRATION.data
    is_counted, is_sure, is_possible = coronary >= 0.5, coronary >= 0.8, coronary >= 0.2
    assert (total > 0, around.lowest > 0, around.highest > 0) == (is_counted, is_sure, is_possible)
