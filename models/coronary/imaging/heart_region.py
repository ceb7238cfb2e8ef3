"""Where the heart is in a CT volume, without a network: the soft tissue between the lungs.

Decides the centre that crops are cut around. It never fails: without lungs in view it falls back to the middle of the
image and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import convex_hull_image

from coronary.ct_volume import CtVolume
from coronary.reasons import QualityNote

#: In-plane pixel size of the search, mm.
WORKING_PIXEL_MM = 3.0

#: Aerated lung in inspiration, HU; air outside the body lies below.
LUNG_HU = (-960.0, -500.0)

#: Unenhanced and enhanced soft tissue without fat and bone, HU.
SOFT_TISSUE_HU = (-30.0, 700.0)

#: A slice counts when lungs cover this share of it and leave this much tissue between them.
MINIMUM_LUNG_SHARE = 0.05
MINIMUM_TISSUE_MM2 = 300.0

#: Part of the volume that is looked at, from caudal (0) to cranial (1): the liver below would pull the middle to the
#: right, the upper mediastinum above would pull it backwards.
SEARCHED_PART = (0.35, 0.75)

#: Fewer slices than this with lungs on both sides: not found.
MINIMUM_SLICES = 5

#: From the bulk of the mediastinal tissue to the middle of the coronary tree: the heart lies
#: left and anterior, LPS mm; measured on virtual patients.
TISSUE_TO_HEART_MM = (6.0, -4.0)


#: For the reader of a result, where the heart was not found.
HEART_NOT_LOCATED: Final = QualityNote(
    "HEART_NOT_LOCATED", "The lungs are not in view; the middle of the image was taken as the heart."
)


@dataclass(frozen=True, slots=True)
class HeartRegion:
    """Where the heart is.

    Parameters
    ----------
    center_lps_mm
        Middle of the heart in the plane, middle of the volume along it; LPS mm.
    is_found
        False when lungs were not in view and the middle of the image is returned instead.
    """

    center_lps_mm: tuple[float, float, float]
    is_found: bool


def find_heart_region(volume: CtVolume) -> HeartRegion:
    """Find the heart as the soft tissue within the convex hull of the lungs, median over the slices."""
    slices, rows, columns = volume.voxels_hu.shape
    _, row_mm, column_mm = volume.spacing_zyx_mm
    steps = max(1, round(WORKING_PIXEL_MM / row_mm)), max(1, round(WORKING_PIXEL_MM / column_mm))
    pixel_mm2 = steps[0] * row_mm * steps[1] * column_mm
    toward_head = np.argsort(volume.affine_lps[2, 2] * np.arange(slices), kind="stable")
    middles = [
        middle
        for z in toward_head[int(SEARCHED_PART[0] * slices) : int(SEARCHED_PART[1] * slices)]
        if (middle := _tissue_between_lungs(volume.voxels_hu[z], steps, MINIMUM_TISSUE_MM2 / pixel_mm2)) is not None
    ]
    if len(middles) < MINIMUM_SLICES:
        center = volume.to_lps_mm(np.array([(slices - 1) / 2, (rows - 1) / 2, (columns - 1) / 2]))
        return HeartRegion((float(center[0]), float(center[1]), float(center[2])), is_found=False)
    row, column = np.median(np.array(middles), axis=0)
    center = volume.to_lps_mm(np.array([(slices - 1) / 2, row, column]))
    left, anterior = TISSUE_TO_HEART_MM
    return HeartRegion((float(center[0]) + left, float(center[1]) + anterior, float(center[2])), is_found=True)


def _tissue_between_lungs(
    plane_hu: NDArray[np.int16], steps: tuple[int, int], minimum_pixels: float
) -> tuple[float, float] | None:
    """Row and column of the bulk of the tissue in one slice, or None where the lungs do not frame any."""
    coarse = ndimage.uniform_filter(plane_hu.astype(np.float32), steps)[:: steps[0], :: steps[1]]
    lung = ndimage.binary_opening((coarse > LUNG_HU[0]) & (coarse < LUNG_HU[1]))
    if lung.mean() < MINIMUM_LUNG_SHARE:
        return None
    tissue = convex_hull_image(lung) & (coarse > SOFT_TISSUE_HU[0]) & (coarse < SOFT_TISSUE_HU[1])
    tissue = ndimage.binary_opening(tissue, iterations=2)
    if tissue.sum() < minimum_pixels:
        return None
    # Weighted by the depth inside the tissue, the bulk of the heart outweighs aorta, spine and chest wall.
    depth = ndimage.distance_transform_edt(tissue) ** 3
    row, column = ndimage.center_of_mass(depth)
    return float(row * steps[0]), float(column * steps[1])
