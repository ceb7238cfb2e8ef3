"""What the network is asked to learn from a virtual patient; the recipe itself needs torch and is not run here."""

from types import SimpleNamespace

import numpy as np
import pytest

from coronary.csct_scoring.preprocess import PIXEL_MM, prepare
from coronary.csct_scoring.training.cases import (
    NO_TARGET,
    TERRITORY_MM,
    TrainingCase,
    build_look_alike,
    build_target,
    build_territory,
)
from coronary.csct_scoring.training.places import PlaceSampler
from coronary.ct_volume import CtVolume
from coronary.training_kit.patients import training_patient


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
        patient=SimpleNamespace(
            tree=SimpleNamespace(branches=[SimpleNamespace(points=line, vessel="LAD")]), distractors=[]
        ),
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


def test_look_alikes_are_the_calcium_like_pixels_near_their_blobs(scan, prepared):
    scan.patient.distractors = [_node_at((24.8, 24.8, 15.0)), _node_at((40.8, 40.8, 9.0))]
    target = build_target(scan, prepared)
    look_alike = build_look_alike(scan, prepared, target, ["stent", "node"])
    assert set(np.unique(look_alike)) == {0, 2}
    np.testing.assert_array_equal(look_alike == 2, target == 0)


def _node_at(centre_lps_mm):
    return SimpleNamespace(kind="node", deposit=SimpleNamespace(centres=np.array([centre_lps_mm], np.float32)))


@pytest.fixture
def case(scan, prepared):
    scan.patient.distractors = [_node_at((24.8, 24.8, 15.0))]
    target = build_target(scan, prepared)
    return TrainingCase(
        seed=7,
        slice_spacing_mm=3.0,
        hu=prepared.hu,
        peak_hu=prepared.peak_hu,
        target=target,
        territory=build_territory(scan, prepared),
        look_alike=build_look_alike(scan, prepared, target, ["node"]),
    )


def test_case_is_written_and_read_back(tmp_path, case):
    case.save(tmp_path / "7.npz")
    read = TrainingCase.load(tmp_path / "7.npz")
    assert (read.seed, read.slice_spacing_mm) == (7, 3.0)
    for name in ("hu", "peak_hu", "target", "territory", "look_alike"):
        np.testing.assert_array_equal(getattr(read, name), getattr(case, name))
    assert [path.name for path in tmp_path.iterdir()] == ["7.npz"]


def test_every_other_place_is_at_coronary_calcium(case):
    sampling = {"vessel_draw": [0.25] * 4, "look_alike_share": 1.0, "kind_draw": {"stent": 5.0}}
    sampler = PlaceSampler([case], sampling, ["node", "stent"], np.random.default_rng(0))
    places = sampler.draw(40)
    for number, z, row, column in places[::2]:
        assert case.target[z, row, column] == 2
        assert number == 0
    for _, z, row, column in places[1::2]:
        assert case.look_alike[z, row, column] == 1
    assert len(set(places)) == 8, "every pixel of both spots is drawn"


def test_without_a_share_for_look_alikes_any_calcium_like_pixel_is_drawn(case):
    sampling = {"vessel_draw": [0.25] * 4, "look_alike_share": 0.0, "kind_draw": {}}
    sampler = PlaceSampler([case], sampling, ["node"], np.random.default_rng(0))
    assert {z for _, z, _, _ in sampler.draw(20)[1::2]} == {5}


def test_training_patients_carry_the_shares_of_the_recipe():
    shares = {"stent": 1.0, "node": 0.0}
    assert training_patient(8, shares).lesions == ()
    with_calcium = training_patient(9, shares)
    assert with_calcium.lesions
    assert {distractor.kind for distractor in with_calcium.distractors} == {"stent"}
