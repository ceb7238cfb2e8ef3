"""What the network is asked to learn from a virtual patient; the recipe itself needs torch and is not run here."""

from types import SimpleNamespace

import numpy as np
import pytest

from coronary.csct_scoring.preprocess import PIXEL_MM, prepare
from coronary.csct_scoring.training.cases import (
    NO_TARGET,
    TERRITORY_MM,
    TrainingCase,
    build_target,
    build_territory,
    training_patient,
    training_seeds,
)
from coronary.ct_volume import CtVolume


@pytest.fixture
def scan():
    """A 0.4 mm block with one LAD plaque, one look-alike, and an LAD that runs straight through the slices."""
    voxels = np.full((8, 200, 200), 40, np.int16)
    labels = np.zeros(voxels.shape, np.uint8)
    voxels[3, 100:104, 100:104] = 400
    labels[3, 100:104, 100:104] = 2
    voxels[5, 60:64, 60:64] = 400
    affine = np.diag([0.4, 0.4, 3.0, 1.0])
    line = np.stack([np.full(50, 40.8), np.full(50, 40.8), np.linspace(0, 21, 50)], axis=1)
    return SimpleNamespace(
        voxels_hu=voxels,
        vessel_labels=labels,
        affine_lps=affine,
        patient=SimpleNamespace(tree=SimpleNamespace(branches=[SimpleNamespace(points=line, vessel="LAD")])),
        acquisition=SimpleNamespace(to_scan=lambda points: points),
    )


@pytest.fixture
def prepared(scan):
    return prepare(CtVolume(scan.voxels_hu, scan.affine_lps))


def test_target_exists_only_under_calcium_like_voxels(scan, prepared):
    target = build_target(scan, prepared)
    assert set(np.unique(target)) == {0, 2, NO_TARGET}
    assert {int(z) for z in np.nonzero(target == 2)[0]} == {3}
    assert {int(z) for z in np.nonzero(target == 0)[0]} == {5}
    assert (target == 2).sum() * PIXEL_MM**2 == pytest.approx(16 * 0.4**2, rel=0.6)


def test_a_pixel_shared_in_halves_goes_to_the_plaque(scan, prepared):
    scan.vessel_labels[3, 100:104, 102:104] = 0
    scan.vessel_labels[3, 102:104, 100:102] = 0
    target = build_target(scan, prepared)
    assert (target == 2).any()
    assert (target[3] == 0).any()


def test_territory_follows_the_vessel_also_without_calcium(scan, prepared):
    territory = build_territory(scan, prepared)
    for z in range(8):
        area = (territory[z] == 2).sum() * PIXEL_MM**2
        assert area == pytest.approx(np.pi * TERRITORY_MM**2, rel=0.25)
    assert set(np.unique(territory)) == {0, 2}


def test_case_is_written_and_read_back(tmp_path, scan, prepared):
    case = TrainingCase(
        7, 3.0, prepared.hu, prepared.peak_hu, build_target(scan, prepared), build_territory(scan, prepared)
    )
    case.save(tmp_path / "7.npz")
    read = TrainingCase.load(tmp_path / "7.npz")
    assert (read.seed, read.slice_spacing_mm) == (7, 3.0)
    for name in ("hu", "peak_hu", "target", "territory"):
        np.testing.assert_array_equal(getattr(read, name), getattr(case, name))
    assert [path.name for path in tmp_path.iterdir()] == ["7.npz"]


def test_every_fourth_training_patient_has_look_alikes_instead_of_calcium():
    assert training_patient(8).lesions == ()
    assert training_patient(8).distractors
    assert training_patient(9).lesions


def test_look_alike_seeds_add_only_patients_with_one_of_the_kinds():
    recipe = {"train_seeds": [1, 10], "look_alike_seeds": [10001, 10100], "look_alike_kinds": ["stent"]}
    seeds = training_seeds(recipe)
    assert seeds[:10] == list(range(1, 11))
    added = seeds[10:]
    assert 0 < len(added) < 30
    for seed in added[:2]:
        assert "stent" in {distractor.kind for distractor in training_patient(seed).distractors}
    assert training_seeds({**recipe, "look_alike_seeds": []}) == list(range(1, 11))
