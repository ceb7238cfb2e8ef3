"""Decides how a patient and an acquisition become a scan: anatomy, vessels, deposits, blur, noise, labels.

Writes nothing and scores nothing; the truth it hands out is geometry and voxel labels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.artefacts import add_vein_streaks
from coronary.virtual_patient.arteries import paint_enhanced_vessels, paint_unenhanced_arteries
from coronary.virtual_patient.blurring import blur
from coronary.virtual_patient.inserts import add_distractors, calcium_boxes, displace_contrast
from coronary.virtual_patient.noise import scan_noise
from coronary.virtual_patient.painting import coarse_grid, organ_layers, paint, textures, tissue_table
from coronary.virtual_patient.patient import VirtualPatient
from coronary.virtual_patient.raster import DepositBox, Grid, tube_coverage
from coronary.virtual_patient.truth import to_truth

HU_RANGE: Final = (-1024, 3071)
CALCIUM_THRESHOLD_HU: Final = 130
# A voxel belongs to a lesion where its blurred HA exceeds this share of the lesion's peak and adds this many HU.
_LABEL_SHARE: Final = 0.08
_LABEL_MINIMUM_HU: Final = 20.0


@dataclass(frozen=True)
class VirtualScan:
    """One rendered scan with its voxel truth.

    ``voxels_hu`` is int16 ``[z, y, x]``, clipped to -1024…3071. ``affine_lps`` maps the column vector
    (x index, y index, z index, 1) to scan LPS mm; z ascends toward the head. ``vessel_labels`` (uint8): 0 none,
    1 LM, 2 LAD, 3 LCX, 4 RCA. ``calcium_free_hu`` is the same scan, noise included, without coronary calcium;
    ``noise_free_hu`` the same scan with it and without noise, whose labels are ``noise_free_labels``.
    Contrast scans also have ``lumen_labels`` (SCCT segment ids) and ``aorta_mask`` (root and ascending aorta, blood).
    """

    patient: VirtualPatient
    acquisition: Acquisition
    voxels_hu: npt.NDArray[np.int16]
    affine_lps: npt.NDArray[np.float64]
    spacing_zyx_mm: tuple[float, float, float]
    slice_thickness_mm: float
    vessel_labels: npt.NDArray[np.uint8]
    ha_mg_cm3: npt.NDArray[np.float32]
    calcium_free_hu: npt.NDArray[np.int16] | None
    lumen_labels: npt.NDArray[np.uint8] | None
    aorta_mask: npt.NDArray[np.bool_] | None
    noise_free_hu: npt.NDArray[np.int16] | None = None
    noise_free_labels: npt.NDArray[np.uint8] | None = None

    def truth_dict(self) -> dict[str, object]:
        """Return everything known about this scan as JSON-able values (see :mod:`truth`)."""
        return to_truth(self.patient, self.acquisition)


def scan_grid(acquisition: Acquisition, matrix: int | None = None, in_plane_fov_mm: float | None = None) -> Grid:
    """Return the voxel grid; ``in_plane_fov_mm`` alone crops at the same pixel size, with ``matrix`` it resamples."""
    pixel = acquisition.pixel_mm
    if in_plane_fov_mm is not None and matrix is not None:
        pixel = in_plane_fov_mm / matrix
    count = matrix or (acquisition.matrix if in_plane_fov_mm is None else round(in_plane_fov_mm / pixel))
    offsets = (np.arange(count) - 0.5 * (count - 1)) * pixel
    x, y = (np.asarray(centre + offsets, dtype=np.float32) for centre in acquisition.field_centre_mm)
    z = acquisition.first_slice_z_mm + acquisition.slice_spacing_mm * np.arange(acquisition.slice_count)
    return Grid(x, y, z.astype(np.float32), float(pixel), acquisition.slice_thickness_mm)


def render(
    patient: VirtualPatient,
    acquisition: Acquisition,
    *,
    calcium_free: bool = False,
    in_plane_fov_mm: float | None = None,
    matrix: int | None = None,
    with_twin: bool = False,
    with_noise_free: bool = False,
) -> VirtualScan:
    """Render one scan.

    Parameters
    ----------
    calcium_free
        Leave out coronary calcium; noise and everything else stay identical.
    in_plane_fov_mm, matrix
        A smaller field of view at the same pixel size (only one given) or another pixel size (both given).
    with_twin
        Also fill ``calcium_free_hu``.
    with_noise_free
        Also fill ``noise_free_hu`` and ``noise_free_labels``.
    """
    grid = scan_grid(acquisition, matrix, in_plane_fov_mm)
    clean, lumen, aorta = _anatomy(patient, acquisition, grid)
    add_distractors(clean, patient, acquisition, grid)
    boxes = [] if calcium_free else calcium_boxes(patient, acquisition, grid)
    ha = np.zeros(grid.shape_zyx, dtype=np.float32)
    for _, box in boxes:
        ha[box.slices()] += box.concentration
    slope = np.float32(acquisition.ha_hu_per_mg_cm3())
    voxels = np.empty(grid.shape_zyx, dtype=np.int16)
    twin = np.empty(grid.shape_zyx, dtype=np.int16) if with_twin else None
    noise_free = _rounded(clean + slope * ha) if with_noise_free else None
    for k, noise in enumerate(scan_noise(patient, acquisition, grid)):
        voxels[k] = _rounded(clean[k] + slope * ha[k] + noise)
        if twin is not None:
            twin[k] = _rounded(clean[k] + noise)
    is_unenhanced = acquisition.protocol == "csct"
    return VirtualScan(
        patient=patient,
        acquisition=acquisition,
        voxels_hu=voxels,
        affine_lps=_affine(grid, acquisition),
        spacing_zyx_mm=(acquisition.slice_spacing_mm, grid.pixel_mm, grid.pixel_mm),
        slice_thickness_mm=acquisition.slice_thickness_mm,
        vessel_labels=_vessel_labels(boxes, voxels, float(slope), is_unenhanced),
        ha_mg_cm3=ha,
        calcium_free_hu=twin,
        lumen_labels=lumen,
        aorta_mask=aorta,
        noise_free_hu=noise_free,
        noise_free_labels=(
            None if noise_free is None else _vessel_labels(boxes, noise_free, float(slope), is_unenhanced)
        ),
    )


def _rounded(hu: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    return np.clip(np.rint(hu), *HU_RANGE).astype(np.int16)


def _affine(grid: Grid, acquisition: Acquisition) -> npt.NDArray[np.float64]:
    affine = np.diag([grid.pixel_mm, grid.pixel_mm, acquisition.slice_spacing_mm, 1.0])
    affine[:3, 3] = grid.x_mm[0], grid.y_mm[0], grid.z_mm[0]
    return affine


def _anatomy(
    patient: VirtualPatient, acquisition: Acquisition, grid: Grid
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8] | None, npt.NDArray[np.bool_] | None]:
    """Return blurred HU without coronary calcium, distractors and noise, and the contrast scan's voxel truth."""
    coarse = coarse_grid(grid, acquisition)
    tissue = tissue_table(patient, acquisition)
    enhanced = acquisition.protocol == "ccta"
    layers = organ_layers(patient, grid, coarse, tissue, enhanced)
    vessels = patient.lung_vessels.copy()
    vessels[:, 0:3] = acquisition.to_scan(vessels[:, 0:3])
    vessels[:, 3:6] = acquisition.to_scan(vessels[:, 3:6])
    lung_hu = tissue["pool pulmonary"] if enhanced else tissue["blood"]
    volume, aorta = paint(
        grid, coarse, layers, textures(patient, coarse.points_patient), tube_coverage(grid, vessels), lung_hu
    )
    if not enhanced:
        paint_unenhanced_arteries(volume, patient, acquisition, grid, tissue["pool coronary"] + 2.0)
        return blur(volume, acquisition, grid), None, None
    lumen = paint_enhanced_vessels(volume, patient, acquisition, grid, tissue)
    displace_contrast(volume, patient, acquisition, grid)
    blur(volume, acquisition, grid)
    add_vein_streaks(volume, patient, acquisition, grid, tissue["pool svc"])
    return volume, lumen, aorta


def _vessel_labels(
    boxes: list[tuple[int, DepositBox]], voxels: npt.NDArray[np.int16], slope: float, is_unenhanced: bool
) -> npt.NDArray[np.uint8]:
    """Give each calcified voxel the vessel of the lesion with the most HA there; without contrast only from 130 HU."""
    labels = np.zeros(voxels.shape, dtype=np.uint8)
    strongest = np.zeros(voxels.shape, dtype=np.float32)
    for vessel, box in boxes:
        where = box.slices()
        ha = box.concentration
        enough = (ha > _LABEL_SHARE * ha.max()) & (ha * slope > _LABEL_MINIMUM_HU) & (ha > strongest[where])
        if is_unenhanced:
            enough &= voxels[where] >= CALCIUM_THRESHOLD_HU
        labels[where][enough] = vessel
        strongest[where] = np.where(enough, ha, strongest[where])
    return labels
