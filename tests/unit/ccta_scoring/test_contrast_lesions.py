"""Lesions of a contrast scan add up to its score and cover exactly its calcium."""

import numpy as np
import pytest

from coronary.calcium import Vessel
from coronary.ccta_scoring.contrast_lesions import calcium_score


@pytest.fixture(scope="module")
def scored(tube, plaque):
    made = tube(
        plaques=(
            plaque((-6.0, 2.0, 0.0), (3.0, 0.9, 1.2), 650.0),
            plaque((6.0, 0.0, -1.9), (2.0, 1.0, 0.8), 800.0),
        )
    )
    scoring = made.scored()
    score, labels = calcium_score(scoring, made.volume)
    return scoring, score, labels


def test_each_plaque_is_one_lesion_in_its_place(scored):
    _, score, _ = scored
    first, second = score.lesions
    assert first.center_lps_mm[2] == pytest.approx(-6.0, abs=0.5)
    assert second.center_lps_mm[2] == pytest.approx(6.0, abs=0.5)
    assert first.center_lps_mm[1] > 1.0
    assert second.center_lps_mm[0] < -1.0


def test_lesions_add_up_to_score_and_volume(scored):
    _, score, _ = scored
    assert sum(lesion.agatston for lesion in score.lesions) == pytest.approx(score.agatston.total)
    assert sum(lesion.volume_mm3 for lesion in score.lesions) == pytest.approx(score.volume_mm3.total)
    assert score.agatston.total == score.agatston.LAD > 0


def test_lesion_map_is_exactly_the_scored_voxels(scored):
    scoring, score, labels = scored
    assert np.array_equal(labels > 0, scoring.calcium.vessel_labels() > 0)
    for lesion in score.lesions:
        voxels = np.argwhere(labels == lesion.label)
        assert len(voxels) == lesion.voxel_count
        assert lesion.slices == tuple(sorted(set(voxels[:, 0].tolist())))
        assert lesion.vessel is Vessel.LAD


def test_there_is_no_mass_and_the_score_of_the_paper_stands_beside(scored):
    scoring, score, _ = scored
    assert score.mass_mg is None
    assert score.agatston_paper == scoring.paper_score.agatston != score.agatston
    assert all(lesion.mass_mg is None and lesion.agatston_paper is None for lesion in score.lesions)
    assert "contrast CT" in score.convention
    assert "1.25" in score.paper_convention


def test_touching_calcium_of_two_vessels_is_two_lesions(tube, plaque):
    made = tube(plaques=(plaque((0.0, 2.0, 0.0), (6.0, 0.9, 1.2), 700.0),))
    points = made.centerlines
    halves = np.where(points.points_lps_mm[:, 2] < 0, int(Vessel.LM), int(Vessel.LAD)).astype(np.uint8)
    split = type(points)(points.points_lps_mm, points.radius_mm, halves)
    scoring = made.scored(centerlines=split)
    score, _ = calcium_score(scoring, made.volume)
    assert [lesion.vessel for lesion in score.lesions] == [Vessel.LM, Vessel.LAD]
    assert pytest.approx(score.lesions[0].agatston) == score.agatston.LM


def test_without_calcium_there_is_no_lesion(tube):
    made = tube()
    scoring = made.scored()
    score, labels = calcium_score(scoring, made.volume)
    assert (score.agatston.total, score.volume_mm3.total, score.lesions, score.risk_category) == (0.0, 0.0, (), "0")
    assert not labels.any()
