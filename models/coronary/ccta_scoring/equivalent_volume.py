"""The volume that a calcium-scoring CT would show of the calcium found in a contrast scan.

Decides how thin slices and sharp voxels become the wide, thick slices of the other scan. The volume of the calcified
voxels themselves is in :mod:`agatston_equivalent`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import AGATSTON_THRESHOLD_HU, Vessel, VesselValues
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.ccta_scoring.calcium_rules import WALL_HU
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.contrast_calcium import ContrastCalcium

#: Slice of a calcium-scoring CT, mm: what the score is defined in and what paper 1 compares with.
SLAB_MM = 3.0

#: SD of the blur in the slice that turns a contrast scan's point spread (1.0 mm FWHM) into a calcium scan's
#: (smooth kernel, 1.45 mm FWHM), mm: the root of the difference of their squares.
EXTRA_BLUR_SD_MM = 0.45

#: What a calcium-scoring CT shows of an artery without calcium, HU: unenhanced blood and wall (45 HU), 4 mm wide in fat
#: (-90 HU), under 3 mm slices and a smooth kernel.
UNENHANCED_ARTERY_HU = 30.0

#: Blur is followed this far, in its SDs.
TRUNCATE = 4.0


def volume_in_calcium_scan(
    calcium: ContrastCalcium, spacing_zyx_mm: tuple[float, float, float], calibration: ContrastCalibration
) -> VesselValues:
    """Volume of what would have at least 130 HU in 3 mm slices at 120 kVp without contrast agent, mm³.

    The excess of every calcified voxel over the wall, at 120 kVp, is blurred in the slice, averaged over 3 mm and laid
    over an unenhanced artery. The mean over all positions of the slices is taken, so that it does not depend on where
    slices begin. Thick slices widen dense calcium and hide small, faint calcium: no fixed factor does both.

    Notes
    -----
    Paper 1 compares the volume of calcified voxels with the calcium scan as it is and finds it a quarter smaller at the
    same correlation (table 2: 110 against 142 mm³). Noise is left out.
    """
    spacing = np.array(VoxelGrid.checked(spacing_zyx_mm).spacing_zyx_mm)
    by_vessel: dict[Vessel, float] = {}
    for vessel in Vessel:
        chosen = calcium.vessel == vessel
        excess = (calcium.hu[chosen] - WALL_HU) / calibration.calcium_ratio
        by_vessel[vessel] = _voxels_in_slabs(calcium.index_zyx[chosen], excess, spacing) * float(np.prod(spacing))
    return VesselValues.from_vessels(by_vessel, total=sum(by_vessel.values()))


def _voxels_in_slabs(index_zyx: NDArray[np.int64], excess_hu: NDArray[np.float64], spacing: NDArray[np.float64]) -> int:
    """Number of voxels that reach Agatston's threshold after blur and average over a slab centred at each slice."""
    if len(index_zyx) == 0:
        return 0
    slices = max(1, round(SLAB_MM / float(spacing[0])))
    blur = np.array([0.0, EXTRA_BLUR_SD_MM, EXTRA_BLUR_SD_MM]) / spacing
    margin = np.array([slices // 2 + 1, *np.ceil(TRUNCATE * blur[1:])]).astype(np.int64)
    low = index_zyx.min(axis=0) - margin
    box = np.zeros(index_zyx.max(axis=0) + margin + 1 - low, dtype=np.float32)
    box[tuple((index_zyx - low).T)] = excess_hu
    blurred = ndimage.gaussian_filter(box, blur, truncate=TRUNCATE)
    slab = ndimage.uniform_filter1d(blurred, slices, axis=0, mode="constant")
    return int(np.count_nonzero(slab + UNENHANCED_ARTERY_HU >= AGATSTON_THRESHOLD_HU))
