"""The contrast scan as the sum of two: what would be seen without contrast agent, and the contrast agent alone.

Decides where the network looks and how its answers become whole numbers that add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.contract import ModelSession, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.imaging.heart_region import find_heart_region
from coronary.lumen_extraction.slices import to_hu, to_unit

#: Side of the square around the heart in which contrast agent is turned off, mm; outside there is no coronary artery.
FIELD_MM: Final = 160.0

#: Rows and columns at the network are multiples of this.
MULTIPLE: Final = 8

#: Slices per call of the network: what is in memory stays small.
BATCH: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class ContrastDifference:
    """Two volumes that add up to the contrast scan in every voxel.

    Parameters
    ----------
    non_contrast_hu
        Shape of the volume: the scan with the contrast agent turned off; beyond FIELD_MM the scan itself.
    lumen_hu
        Shape of the volume: the contrast agent, HU above its surroundings; 0 beyond FIELD_MM.
    """

    non_contrast_hu: NDArray[np.int16]
    lumen_hu: NDArray[np.int16]


def turn_contrast_off(session: ModelSession, volume: CtVolume, on_progress: ProgressCallback) -> ContrastDifference:
    """Map every slice as it was scanned, without resampling (paper 0: no preprocessing but clipping)."""
    rows, columns = field_around_heart(volume)
    non_contrast = volume.voxels_hu.copy()
    slices = len(non_contrast)
    for first in range(0, slices, BATCH):
        some = slice(first, min(first + BATCH, slices))
        image = to_unit(volume.voxels_hu[some, rows, columns])[:, None]
        made = to_hu(session.run({"image": image})[0][:, 0])
        # What lies beyond the range of the network is no contrast agent: it stays in this part.
        beyond = volume.voxels_hu[some, rows, columns] - to_hu(image[:, 0])
        non_contrast[some, rows, columns] = np.clip(np.rint(made + beyond), *_INT16).astype(np.int16)
        on_progress(some.stop / slices)
    lumen = volume.voxels_hu.astype(np.int32) - non_contrast
    # Where the difference would not fit, the other part gives way, so that the sum stays the scan.
    lumen = np.clip(lumen, *_INT16)
    return ContrastDifference((volume.voxels_hu - lumen).astype(np.int16), lumen.astype(np.int16))


def field_around_heart(volume: CtVolume) -> tuple[slice, slice]:
    """Rows and columns of the square around the heart, as many as the network takes; ValueError for a tiny image."""
    center = volume.to_index_zyx(np.array(find_heart_region(volume).center_lps_mm))
    _, rows, columns = volume.voxels_hu.shape
    _, row_mm, column_mm = volume.spacing_zyx_mm
    return _range(float(center[1]), row_mm, rows), _range(float(center[2]), column_mm, columns)


def _range(middle: float, pixel_mm: float, count: int) -> slice:
    size = min(round(FIELD_MM / pixel_mm), count) // MULTIPLE * MULTIPLE
    if size == 0:
        raise ValueError(f"an image side of {count} pixels is too small, expected at least {MULTIPLE}")
    first = int(np.clip(round(middle) - size // 2, 0, count - size))
    return slice(first, first + size)


_INT16: Final = (np.iinfo(np.int16).min, np.iinfo(np.int16).max)
