"""What a network of paper 3 sees of one slice: the whole of it, the heart alone, or the heart in nine parts.

Decides how a slice becomes pictures of one size. What is heart is decided in :mod:`heart_mask`.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import AIR_HU

Layout = Literal["whole", "segmented", "cropped"]
LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

#: Rows and columns of a picture (paper 3, section 4).
PICTURE_PIXELS: Final = 299

#: The heart is divided into so many parts along rows and columns (paper 3, figure 8).
PARTS: Final = 3

#: Distance of the neighbouring slices that a picture shows as well, mm.
NEIGHBOUR_MM: Final = 3.0

#: First and last row, first and last column of a part, the last ones excluded.
Box = tuple[int, int, int, int]


def with_neighbours(volume: CtVolume, z: int) -> NDArray[np.int16]:
    """Slice `z` between the slices NEIGHBOUR_MM below and above it, shape (3, rows, columns); ends are repeated.

    They take the place of red, green and blue: what looks like calcium in one slice is told by how it goes on.
    """
    step = max(1, round(NEIGHBOUR_MM / volume.spacing_zyx_mm[0]))
    last = len(volume.voxels_hu) - 1
    return volume.voxels_hu[[max(z - step, 0), z, min(z + step, last)]]


def boxes_of(is_heart: NDArray[np.bool_], layout: Layout) -> list[Box]:
    """Where the pictures of one slice lie: one of ``whole`` and ``segmented``, nine of ``cropped``, row after row.

    None of a slice without heart except of ``whole``. `is_heart` has the shape of the slice.
    """
    if layout == "whole":
        return [(0, is_heart.shape[0], 0, is_heart.shape[1])]
    return heart_parts(is_heart, 1 if layout == "segmented" else PARTS)


def cut_out(planes_hu: NDArray[np.int16], is_heart: NDArray[np.bool_], layout: Layout) -> list[NDArray[np.int16]]:
    """What lies in each box of :func:`boxes_of`, shape (3, rows, columns) of the box, HU.

    Outside the heart there is air, except in ``whole``, as in the paper.

    Parameters
    ----------
    planes_hu
        Shape (3, rows, columns): :func:`with_neighbours`.
    is_heart
        Shape (rows, columns), of the slice itself.
    """
    shown_hu = planes_hu if layout == "whole" else np.where(is_heart, planes_hu, np.int16(AIR_HU))
    return [shown_hu[:, top:bottom, left:right] for top, bottom, left, right in boxes_of(is_heart, layout)]


def heart_parts(is_heart: NDArray[np.bool_], parts: int = PARTS) -> list[Box]:
    """The rectangle around the heart divided into `parts` × `parts`, row after row; empty without heart."""
    found = ndimage.find_objects(is_heart.astype(np.uint8))
    if not found:
        return []
    edges = [np.linspace(side.start, side.stop, parts + 1).round().astype(int) for side in found[0]]
    return [
        (int(top), int(bottom), int(left), int(right))
        for top, bottom in zip(edges[0][:-1], edges[0][1:], strict=True)
        for left, right in zip(edges[1][:-1], edges[1][1:], strict=True)
    ]


def resized(planes_hu: NDArray[np.int16]) -> NDArray[np.float32]:
    """Planes (3, rows, columns) with PICTURE_PIXELS rows and columns.

    Linear in between; a side that gets smaller is smoothed first, as a small calcification would fall out.
    """
    if planes_hu.shape[1:] == (PICTURE_PIXELS, PICTURE_PIXELS):
        return planes_hu.astype(np.float32)
    factors = np.array([1.0, *(PICTURE_PIXELS / np.array(planes_hu.shape[1:]))])
    smoothed = ndimage.gaussian_filter(planes_hu.astype(np.float32), 0.5 * np.maximum(1.0 / factors - 1.0, 0.0))
    zoomed = ndimage.zoom(smoothed, factors, order=1, mode="nearest", grid_mode=True)
    return np.asarray(zoomed, dtype=np.float32)
