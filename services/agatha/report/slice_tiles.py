"""Pictures of single slices for the summary page: window, crop, outlines of the lesions, orientation letters.

Decides how a slice is shown; which slices are shown is decided elsewhere. Pixels are shown as stored, never turned, and
the letters at the edges say which side is which.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from agatha.report.colours import VESSEL_RGB
from coronary.calcium import Vessel
from coronary.ct_volume import CtVolume

#: Smallest side of a crop and margin around the calcium, mm.
MINIMUM_CROP_MM = 110.0
CROP_MARGIN_MM = 20.0

#: Side of the crop where there is nothing to centre on, mm: a heart with its surroundings.
DEFAULT_CROP_MM = 220.0

OUTLINE_PIXELS = 2

#: Outlines keep this distance from the lesion, so that its own edge stays visible.
OUTLINE_GAP_PIXELS = 1


@dataclass(frozen=True, slots=True)
class DisplayWindow:
    """Linear map from HU to grey: black at the lower end, white at the upper."""

    center_hu: float
    width_hu: float

    def grey(self, voxels_hu: NDArray[np.int16]) -> NDArray[np.float32]:
        """Brightness from 0 to 1."""
        low = self.center_hu - self.width_hu / 2
        shade: NDArray[np.float32] = np.clip((voxels_hu.astype(np.float32) - low) / self.width_hu, 0, 1)
        return shade


#: Soft tissue stays grey, calcium from 130 HU stands out, dense calcium is not yet all white.
CALCIUM_SCAN_WINDOW = DisplayWindow(120.0, 700.0)

#: Contrast-filled lumen (300 to 500 HU) stays grey, so that calcium beside it is brighter.
CONTRAST_SCAN_WINDOW = DisplayWindow(350.0, 1200.0)


@dataclass(frozen=True, slots=True)
class Crop:
    """Square region in voxels, the same for all tiles of a page; may reach beyond the slice."""

    top: float
    left: float
    height: float
    width: float


def crop_around(volume: CtVolume, labels: NDArray[np.uint8]) -> Crop:
    """Square crop (in mm) around all labelled voxels, or around the middle of the slice without any."""
    _, spacing_y, spacing_x = volume.spacing_zyx_mm
    _, rows, columns = volume.voxels_hu.shape
    side_mm = min(DEFAULT_CROP_MM, rows * spacing_y, columns * spacing_x)
    center_y, center_x = rows / 2, columns / 2
    if np.any(labels):
        in_plane = np.any(labels != 0, axis=0)
        y, x = np.flatnonzero(in_plane.any(axis=1)), np.flatnonzero(in_plane.any(axis=0))
        center_y, center_x = (y[0] + y[-1] + 1) / 2, (x[0] + x[-1] + 1) / 2
        extent_mm = max((y[-1] - y[0] + 1) * spacing_y, (x[-1] - x[0] + 1) * spacing_x)
        side_mm = max(MINIMUM_CROP_MM, extent_mm + 2 * CROP_MARGIN_MM)
    height, width = side_mm / spacing_y, side_mm / spacing_x
    return Crop(top=center_y - height / 2, left=center_x - width / 2, height=height, width=width)


def slice_tile(
    volume: CtVolume,
    labels: NDArray[np.uint8],
    index: int,
    crop: Crop,
    side: int,
    window: DisplayWindow = CALCIUM_SCAN_WINDOW,
) -> Image.Image:
    """One slice as an RGB picture of ``side`` x ``side`` pixels with the labelled voxels outlined per vessel."""
    grey = window.grey(volume.voxels_hu[index]) * 255
    picture = _resample(Image.fromarray(grey.astype(np.uint8)), crop, side)
    pixels = np.repeat(np.asarray(picture)[:, :, None], 3, axis=2)
    for vessel in Vessel:
        mask = labels[index] == vessel
        if mask.any():
            pixels[_ring(_on_tile(mask, crop, side))] = VESSEL_RGB[vessel]
    return Image.fromarray(pixels)


def edge_letters(volume: CtVolume) -> tuple[str, str, str, str]:
    """Patient directions at the left, right, top and bottom edge of a slice as stored (PS3.3 C.7.6.1.1.1)."""
    right = _direction(volume.affine_lps[:3, 0])
    bottom = _direction(volume.affine_lps[:3, 1])
    opposite = {"L": "R", "R": "L", "P": "A", "A": "P", "H": "F", "F": "H"}
    return opposite[right], right, opposite[bottom], bottom


def _direction(axis: NDArray[np.float64]) -> str:
    largest = int(np.argmax(np.abs(axis)))
    return ("LPH" if axis[largest] > 0 else "RAF")[largest]


def _resample(picture: Image.Image, crop: Crop, side: int) -> Image.Image:
    """Crop and scale in one step; what lies beyond the slice is black."""
    scale_x, scale_y = crop.width / side, crop.height / side
    return picture.transform(
        (side, side),
        Image.Transform.AFFINE,
        (scale_x, 0, crop.left, 0, scale_y, crop.top),
        resample=Image.Resampling.BICUBIC,
    )


def _on_tile(mask: NDArray[np.bool_], crop: Crop, side: int) -> NDArray[np.bool_]:
    """Mask in tile pixels; every voxel fills at least one, so that no lesion vanishes by scaling down."""
    shown = np.zeros((side, side), dtype=np.bool_)
    for row, column in np.argwhere(mask):
        top, left = (row - crop.top) * side / crop.height, (column - crop.left) * side / crop.width
        bottom, right = top + side / crop.height, left + side / crop.width
        y0, x0 = max(0, round(top)), max(0, round(left))
        shown[y0 : max(round(bottom), y0 + 1), x0 : max(round(right), x0 + 1)] = True
    return shown


def _ring(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = ndimage.binary_dilation(mask, iterations=OUTLINE_GAP_PIXELS)
    ring: NDArray[np.bool_] = ndimage.binary_dilation(inner, iterations=OUTLINE_PIXELS) & ~inner
    return ring
