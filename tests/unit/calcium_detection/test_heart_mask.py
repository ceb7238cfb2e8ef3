"""The heart region of paper 3 on virtual patients and on a real chest CT."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from coronary.calcium_detection.heart_mask import heart_mask, tissue_borders
from coronary.ct_volume import CtVolume
from coronary.virtual_patient import calcium_mask, draw_acquisition, draw_patient, render

REAL = Path(__file__).parents[4] / "shared" / "data" / "real" / "chestct_noncontrast_philips"


@pytest.fixture(scope="module")
def scan():
    return render(draw_patient(61, calcium="present"), draw_acquisition(61, "csct"))


@pytest.fixture(scope="module")
def volume(scan):
    return CtVolume(scan.voxels_hu, scan.affine_lps)


@pytest.fixture(scope="module")
def heart(volume):
    return heart_mask(volume)


def test_borders_part_air_from_tissue_and_tissue_from_bone(volume):
    borders = tissue_borders(volume)
    assert -700 < borders.air_hu < -200
    assert 80 < borders.bone_hu < 250


def test_soft_tissue_is_no_bone_where_no_bone_is_in_the_field():
    voxels_hu = np.repeat(np.array([-900, -90, 45], np.int16), [4000, 3000, 3000]).reshape(10, 10, 100)
    noise = np.random.default_rng(1).normal(0.0, 15.0, voxels_hu.shape)
    borders = tissue_borders(CtVolume((voxels_hu + noise).astype(np.int16), np.diag([1.0, 1.0, 3.0, 1.0])))
    assert borders.bone_hu > 45 + 3 * 15


def test_all_coronary_calcium_lies_in_the_heart_region(scan, heart):
    assert heart[calcium_mask(scan)].all()


def test_a_heart_against_the_chest_wall_is_framed_by_the_lungs_of_other_slices():
    rows, columns = np.indices((200, 200))
    voxels_hu = np.full((2, 200, 200), -1000, np.int16)
    voxels_hu[:, ((rows - 100) / 70) ** 2 + ((columns - 100) / 95) ** 2 < 1] = 40
    for column in (45, 155):
        lung = ((rows - 100) / 50) ** 2 + ((columns - column) / 30) ** 2 < 1
        voxels_hu[0, lung] = -850
        voxels_hu[1, lung & (rows > 110)] = -850  # at the back alone
    heart = heart_mask(CtVolume(voxels_hu, np.diag([1.5, 1.5, 3.0, 1.0])))
    assert heart[:, 70, 100].all()
    assert not heart[:, 35, 100].any(), "in front of the lungs is the chest wall"


def test_lungs_chest_wall_and_vertebrae_are_left_out(volume, heart):
    middle = heart[heart.shape[0] // 3 : 2 * heart.shape[0] // 3]
    inside = volume.voxels_hu[heart.shape[0] // 3 : 2 * heart.shape[0] // 3][middle]
    assert (inside < -500).mean() < 0.02
    assert 0.03 < middle.mean() < 0.35
    assert (inside > 500).mean() < 0.002


def test_a_volume_turned_about_gives_the_same_region(volume, heart):
    turned = volume.voxels_hu[:, ::-1, ::-1]
    affine = volume.affine_lps @ np.diag([-1.0, -1.0, 1.0, 1.0])
    corner = volume.to_lps_mm(np.array([0.0, turned.shape[1] - 1.0, turned.shape[2] - 1.0]))
    affine[:3, 3] = corner
    found = heart_mask(CtVolume(np.ascontiguousarray(turned), affine))[:, ::-1, ::-1]
    overlap = 2 * (found & heart).sum() / (found.sum() + heart.sum())
    assert overlap > 0.95


def test_without_lungs_there_is_no_heart():
    slab = CtVolume(np.full((3, 64, 64), 40, np.int16), np.diag([3.0, 3.0, 3.0, 1.0]))
    assert not heart_mask(slab).any()


def test_a_real_chest_ct_has_a_heart_of_plausible_size():
    if not REAL.is_dir():
        pytest.skip(f"no real data in {REAL}")
    slices = sorted(
        (pydicom.dcmread(path) for path in REAL.glob("*.dcm")),
        key=lambda image: float(image.ImagePositionPatient[2]),
    )
    hu = [image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in slices]
    row_mm, column_mm = (float(value) for value in slices[0].PixelSpacing)
    step_mm = float(slices[1].ImagePositionPatient[2]) - float(slices[0].ImagePositionPatient[2])
    volume = CtVolume(np.stack(hu).astype(np.int16), np.diag([column_mm, row_mm, step_mm, 1.0]))
    area_cm2 = heart_mask(volume).sum(axis=(1, 2)) * row_mm * column_mm / 100.0
    # The first slices show liver and spleen, the last ones the aortic arch.
    assert (area_cm2[16:40] > 40.0).all()
    assert (area_cm2[16:40] < 200.0).all()
    assert (area_cm2[:5] == 0.0).all()
