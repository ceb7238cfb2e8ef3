"""The calcium-scoring CT that the calcium found in a contrast scan would give, and its Agatston score and volume.

Decides how sharp, thin slices of a contrast scan become the wide, thick slices of the other scan. Thick slices widen
dense calcium and hide small, faint calcium; no fixed factor does both, so the scan itself is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import (
    AGATSTON_THRESHOLD_HU,
    MINIMUM_CALCIUM_AREA_MM2,
    Vessel,
    VesselValues,
    density_weight,
)
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.contrast_calcium import ContrastCalcium
from coronary.ct_volume import CtVolume

#: Slice of a calcium-scoring CT, mm: what the score is defined in and what paper 1 compares with.
SLAB_MM: Final = 3.0

#: SD of the blur in the slice that turns a contrast scan's point spread into the wider one of a calcium scan, mm; and
#: what blood without contrast agent has at most, HU. Of eight pairs of values these agreed best with the calcium scans
#: of 26 virtual patients (seeds 920024-920049, true calcium: CCC 0.993, no bias).
EXTRA_BLUR_SD_MM: Final = 0.3
UNENHANCED_BLOOD_HU: Final = 55.0

#: Blur is followed this far, in its SDs.
TRUNCATE: Final = 4.0


@dataclass(frozen=True, slots=True)
class CalciumScanValues:
    """What the calcium-scoring CT would measure: Agatston units and mm³, per vessel."""

    agatston: VesselValues
    volume_mm3: VesselValues


def values_in_calcium_scan(
    calcium: ContrastCalcium, volume: CtVolume, calibration: ContrastCalibration, shifts_hu: Sequence[float] = (0.0,)
) -> tuple[CalciumScanValues, ...]:
    """Score the calcium as 3 mm slices at 120 kVp without contrast agent would show it, once for each shift.

    Around the calcium of each vessel the scan is taken apart: what calcium adds is brought to 120 kVp, what remains is
    taken for unenhanced tissue (at most UNENHANCED_BLOOD_HU). Both together are blurred in the slice and averaged over
    3 mm; then Agatston's rule applies to each slice (130 HU, 1 mm², weight by the peak). The mean over all positions of
    the slices is taken, so that it does not depend on where slices begin. Noise is left out.

    Parameters
    ----------
    volume
        The contrast scan that the calcium was found in.
    shifts_hu
        Each is added to Agatston's threshold of 130 HU; the weights stay.
    """
    grid = VoxelGrid.checked(volume.spacing_zyx_mm)
    slabs = {
        vessel: _slabs(calcium.where(calcium.vessel == vessel), volume, calibration.calcium_ratio) for vessel in Vessel
    }
    return tuple(_values(slabs, AGATSTON_THRESHOLD_HU + shift_hu, grid) for shift_hu in shifts_hu)


def _values(slabs: Mapping[Vessel, NDArray[np.float32]], threshold_hu: float, grid: VoxelGrid) -> CalciumScanValues:
    found = {vessel: _score(planes, threshold_hu, grid) for vessel, planes in slabs.items()}
    agatston = {vessel: score for vessel, (score, _) in found.items()}
    volume_mm3 = {vessel: volume for vessel, (_, volume) in found.items()}
    return CalciumScanValues(
        VesselValues.from_vessels(agatston, total=sum(agatston.values())),
        VesselValues.from_vessels(volume_mm3, total=sum(volume_mm3.values())),
    )


def _slabs(calcium: ContrastCalcium, volume: CtVolume, calcium_ratio: float) -> NDArray[np.float32]:
    """Slices of 3 mm centred at each slice of the contrast scan, HU at 120 kVp, around the calcium of one vessel."""
    index_zyx, excess_hu = calcium.index_zyx, calcium.excess_hu
    if len(index_zyx) == 0:
        return np.zeros((0, 1, 1), dtype=np.float32)
    spacing = np.array(volume.spacing_zyx_mm)
    slices = max(1, round(SLAB_MM / float(spacing[0])))
    blur = np.array([0.0, EXTRA_BLUR_SD_MM, EXTRA_BLUR_SD_MM]) / spacing
    margin = np.array([slices // 2 + 1, *np.ceil(TRUNCATE * blur[1:])]).astype(np.int64)
    low = np.maximum(index_zyx.min(axis=0) - margin, 0)
    high = np.minimum(index_zyx.max(axis=0) + margin + 1, volume.voxels_hu.shape)
    part = volume.voxels_hu[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))].astype(np.float32)
    within = tuple((index_zyx - low).T)
    part[within] -= excess_hu
    part = np.minimum(part, UNENHANCED_BLOOD_HU)
    part[within] += excess_hu / calcium_ratio
    blurred = ndimage.gaussian_filter(part, blur, truncate=TRUNCATE)
    return np.asarray(ndimage.uniform_filter1d(blurred, slices, axis=0, mode="nearest"))


def _score(slabs: NDArray[np.float32], threshold_hu: float, grid: VoxelGrid) -> tuple[float, float]:
    """Agatston score and volume (mm³) of one vessel, mean over the positions of the slices."""
    agatston = volume = 0.0
    for plane in slabs:
        pieces, count = ndimage.label(plane >= threshold_hu)
        if count == 0:
            continue
        numbers = np.arange(1, count + 1)
        pixels = np.bincount(pieces.ravel())[1:]
        weight = density_weight(np.maximum(ndimage.maximum(plane, pieces, numbers), AGATSTON_THRESHOLD_HU))
        is_large = grid.reaches_area(pixels, MINIMUM_CALCIUM_AREA_MM2)
        agatston += float((weight * pixels)[is_large].sum()) * grid.agatston_per_weighted_pixel
        volume += float(pixels[is_large].sum()) * grid.voxel_volume_mm3
    return agatston, volume
