"""A small non-contrast scan of one patient: what must be exact about its voxels, labels and truth."""

import json
from dataclasses import replace

import numpy as np
import pytest

from coronary.virtual_patient import VirtualPatient, VirtualScan, draw_acquisition, draw_patient, render
from coronary.virtual_patient.acquisition import Acquisition

SEED = 101


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return draw_patient(SEED, calcium="present", distractors=True)


@pytest.fixture(scope="module")
def acquisition() -> Acquisition:
    return replace(
        draw_acquisition(SEED, "csct"),
        slice_thickness_mm=6.0,
        slice_spacing_mm=6.0,
        slice_count=22,
        first_slice_z_mm=-64.0,
    )


@pytest.fixture(scope="module")
def scan(patient: VirtualPatient, acquisition: Acquisition) -> VirtualScan:
    return render(patient, acquisition, in_plane_fov_mm=170, matrix=96, with_twin=True)


def test_same_seed_gives_the_same_voxels(scan: VirtualScan, acquisition: Acquisition) -> None:
    again = render(draw_patient(SEED, calcium="present", distractors=True), acquisition, in_plane_fov_mm=170, matrix=96)
    np.testing.assert_array_equal(scan.voxels_hu, again.voxels_hu)
    np.testing.assert_array_equal(scan.vessel_labels, again.vessel_labels)


def test_rendering_still_matches_the_generator_version(scan: VirtualScan) -> None:
    """Block means of generator 1.0.0; another value means seeds no longer mean the same patients."""
    blocks = scan.voxels_hu[5:17:6].reshape(2, 4, 24, 4, 24).mean(axis=(2, 4))
    np.testing.assert_allclose(blocks[:, 1:3, 1:3].ravel(), REFERENCE_BLOCKS, atol=1.0)


def test_calcium_free_twin_differs_only_by_hydroxyapatite(scan: VirtualScan, acquisition: Acquisition) -> None:
    assert scan.calcium_free_hu is not None
    difference = scan.voxels_hu.astype(float) - scan.calcium_free_hu
    expected = scan.ha_mg_cm3 * acquisition.ha_hu_per_mg_cm3()
    unsaturated = scan.voxels_hu < 3071
    assert np.abs(difference - expected)[unsaturated].max() <= 1.0
    assert np.all(difference[scan.ha_mg_cm3 == 0] == 0)


def test_distractors_stay_in_the_calcium_free_scan_and_are_never_labelled(
    scan: VirtualScan, patient: VirtualPatient, acquisition: Acquisition
) -> None:
    free = render(patient, acquisition, in_plane_fov_mm=170, matrix=96, calcium_free=True)
    np.testing.assert_array_equal(free.voxels_hu, scan.calcium_free_hu)
    assert patient.distractors
    assert not free.vessel_labels.any()
    without = render(replace(patient, distractors=()), acquisition, in_plane_fov_mm=170, matrix=96, calcium_free=True)
    assert (free.voxels_hu.astype(int) - without.voxels_hu).max() > 90


def test_labels_lie_on_hydroxyapatite_above_the_threshold(scan: VirtualScan) -> None:
    labelled = scan.vessel_labels > 0
    assert labelled.any()
    assert scan.voxels_hu[labelled].min() >= 130
    assert scan.ha_mg_cm3[labelled].min() > 0
    assert set(np.unique(scan.vessel_labels)) - {0} <= {1, 2, 3, 4}


def test_voxel_mass_equals_the_analytic_mass(scan: VirtualScan, patient: VirtualPatient) -> None:
    voxel_mm3 = float(np.prod(scan.spacing_zyx_mm))
    mass_mg = float(scan.ha_mg_cm3.sum(dtype=np.float64)) * voxel_mm3 / 1000.0
    assert mass_mg == pytest.approx(sum(lesion.mass_mg for lesion in patient.lesions), rel=0.03)


def test_affine_takes_voxels_to_the_lesions_place(patient: VirtualPatient, acquisition: Acquisition) -> None:
    still = replace(acquisition, displacement_mm={k: np.zeros(3, np.float32) for k in acquisition.displacement_mm})
    largest = max(patient.lesions, key=lambda lesion: lesion.mass_mg)
    scan = render(replace(patient, lesions=(largest,)), still, in_plane_fov_mm=170, matrix=96)
    z, y, x = np.indices(scan.ha_mg_cm3.shape)
    weight = scan.ha_mg_cm3 / scan.ha_mg_cm3.sum()
    index = np.array([(weight * x).sum(), (weight * y).sum(), (weight * z).sum(), 1.0])
    centre = acquisition.to_scan(largest.centre_lps_mm)
    np.testing.assert_allclose((scan.affine_lps @ index)[:3], centre, atol=1.5)
    np.testing.assert_allclose(np.linalg.inv(scan.affine_lps) @ scan.affine_lps @ index, index, atol=1e-6)


def test_calcium_scales_with_the_tube_voltage(
    patient: VirtualPatient, acquisition: Acquisition, scan: VirtualScan
) -> None:
    low = render(patient, replace(acquisition, kvp=80), in_plane_fov_mm=170, matrix=96, with_twin=True)
    assert low.calcium_free_hu is not None
    assert scan.calcium_free_hu is not None
    chosen = (scan.ha_mg_cm3 > 150) & (low.voxels_hu < 3071)
    at_80 = (low.voxels_hu.astype(float) - low.calcium_free_hu)[chosen].sum()
    at_120 = (scan.voxels_hu.astype(float) - scan.calcium_free_hu)[chosen].sum()
    assert at_80 / at_120 == pytest.approx(1.39, abs=0.02)


def test_tissues_have_their_clinical_hu_and_the_drawn_noise(
    scan: VirtualScan, patient: VirtualPatient, acquisition: Acquisition
) -> None:
    marks = patient.heart.landmarks
    middle = acquisition.to_scan(patient.heart.pose.to_patient(marks.mitral_centre + 35.0 * marks.axis))
    x, y, z = np.rint(np.linalg.inv(scan.affine_lps) @ [*middle, 1.0])[:3].astype(int)
    block = scan.voxels_hu[z - 1 : z + 2, y - 7 : y + 8, x - 7 : x + 8]
    assert 22 <= block.mean() <= 62
    assert -980 < np.percentile(scan.voxels_hu, 5) < -700


def test_truth_is_json_and_agrees_with_the_patient(scan: VirtualScan, patient: VirtualPatient) -> None:
    truth = json.loads(json.dumps(scan.truth_dict()))
    assert patient.extreme == 1
    assert truth["seed"] == SEED
    assert truth["ha_mass_mg"]["total"] == pytest.approx(sum(i.mass_mg for i in patient.lesions), abs=1e-2)
    assert len(truth["lesions"]) == len(patient.lesions)
    assert {s["segment"] for s in truth["segments"]} >= {1, 2, 3, 5, 6, 7, 8, 11, 13}
    assert all(0 <= s["stenosis_percent"] <= 100 for s in truth["segments"])


REFERENCE_BLOCKS = [-28.2, 42.0, -450.5, -107.1, 0.7, 40.8, -91.5, 21.9]
