"""A slab of a contrast scan: paired truth, enhanced lumen, displaced contrast, the external variant."""

from dataclasses import replace

import numpy as np
import pytest

from coronary.virtual_patient import VirtualPatient, VirtualScan, draw_acquisition, draw_patient, render
from coronary.virtual_patient.acquisition import Acquisition

SEED = 105


@pytest.fixture(scope="module")
def patient() -> VirtualPatient:
    return draw_patient(SEED, calcium="present", distractors=False)


@pytest.fixture(scope="module")
def acquisition() -> Acquisition:
    drawn = draw_acquisition(SEED, "ccta", kvp=100)
    return replace(drawn, slice_spacing_mm=4.0, slice_thickness_mm=4.0, slice_count=34, first_slice_z_mm=-66.0)


@pytest.fixture(scope="module")
def scan(patient: VirtualPatient, acquisition: Acquisition) -> VirtualScan:
    return render(patient, acquisition, in_plane_fov_mm=160, matrix=128, with_twin=True)


def test_contrast_scan_shares_the_calcium_of_the_plain_scan(scan: VirtualScan, patient: VirtualPatient) -> None:
    mass_mg = float(scan.ha_mg_cm3.sum(dtype=np.float64) * np.prod(scan.spacing_zyx_mm)) / 1000.0
    assert mass_mg == pytest.approx(sum(lesion.mass_mg for lesion in patient.lesions), rel=0.03)


def test_aorta_and_proximal_lumen_are_enhanced(scan: VirtualScan, acquisition: Acquisition) -> None:
    assert scan.aorta_mask is not None
    assert scan.lumen_labels is not None
    assert scan.calcium_free_hu is not None
    expected = acquisition.iodine_hu_per_mg_ml() * acquisition.iodine_mg_ml["aorta"]
    assert np.median(scan.voxels_hu[scan.aorta_mask]) == pytest.approx(expected + 40, rel=0.12)
    proximal = np.isin(scan.lumen_labels, (1, 5, 6))
    assert np.median(scan.calcium_free_hu[proximal]) > 0.45 * expected


def test_lumen_segments_are_scct_ids_of_the_tree(scan: VirtualScan, patient: VirtualPatient) -> None:
    assert scan.lumen_labels is not None
    drawn = {int(s) for branch in patient.tree.branches for s in np.unique(branch.segment)}
    assert set(np.unique(scan.lumen_labels)) - {0} <= drawn
    assert {1, 2, 3, 5, 6, 7, 11} <= set(np.unique(scan.lumen_labels))


def test_calcium_displaces_contrast_in_the_twin(patient: VirtualPatient, acquisition: Acquisition) -> None:
    heaviest = max(patient.lesions, key=lambda lesion: lesion.mass_mg)
    middle_z_mm = float(acquisition.to_scan(heaviest.centre_lps_mm)[2])
    slab = replace(acquisition, slice_count=6, first_slice_z_mm=middle_z_mm - 10.0)
    scan = render(patient, slab, in_plane_fov_mm=160, matrix=128, with_twin=True)
    bare = render(replace(patient, lesions=()), slab, in_plane_fov_mm=160, matrix=128)
    assert scan.calcium_free_hu is not None
    dense = scan.ha_mg_cm3 > 300
    assert dense.any()
    change = scan.calcium_free_hu.astype(int)[dense] - bare.voxels_hu.astype(int)[dense]
    assert change.max() <= 1
    assert change.min() < -30


def test_voltage_raises_contrast_without_changing_the_patient() -> None:
    low, high = (draw_acquisition(SEED, "ccta", kvp=kvp) for kvp in (80, 120))
    assert low.iodine_mg_ml == high.iodine_mg_ml
    assert low.iodine_hu_per_mg_ml() / high.iodine_hu_per_mg_ml() == pytest.approx(1.60, abs=0.02)
    np.testing.assert_array_equal(low.rotation, high.rotation)


def test_external_variant_is_another_heart_and_another_noise(patient: VirtualPatient) -> None:
    other = draw_patient(SEED, variant="external", calcium="present", distractors=False)
    points = other.heart.pose.to_patient(np.array([[20.0, -40.0, -10.0], [60.0, -30.0, -20.0], [-20.0, 0.0, 10.0]]))
    ours, theirs = (p.heart.muscle_surface(points) for p in (patient, other))
    assert np.abs(ours - theirs).max() > 1.0
    assert draw_acquisition(SEED, "csct", variant="external").noise_family == "cosine"
    assert draw_acquisition(SEED, "csct").noise_family == "gaussian"
    slab = replace(
        draw_acquisition(SEED, "csct", variant="external"), slice_spacing_mm=6.0, slice_thickness_mm=6.0, slice_count=21
    )
    scan = render(other, slab, in_plane_fov_mm=160, matrix=96)
    assert scan.vessel_labels.any()
