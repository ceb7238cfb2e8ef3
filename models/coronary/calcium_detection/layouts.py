"""What a network of paper 3 sees of one slice: the whole of it, the heart alone, or the heart in nine parts.

Decides how a slice becomes pictures of one size. What is heart is decided in :mod:`heart_mask`.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.imaging.resampling import AIR_HU

Layout = Literal["whole", "segmented", "cropped"]
LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

#: Rows and columns of a picture (paper 3, section 4).
PICTURE_PIXELS: Final = 299

#: The heart is divided into so many parts along rows and columns (paper 3, figure 8).
PARTS: Final = 3

#: Attenuation window of the pictures, HU. The paper's have the grey values of PNG files and no window is given; a score
#: tells attenuations apart up to 400.
WINDOW_HU: Final = (-200.0, 600.0)

#: First and last row, first and last column of a part, the last ones excluded.
Box = tuple[int, int, int, int]


def pictures(plane_hu: NDArray[np.int16], is_heart: NDArray[np.bool_], layout: Layout) -> NDArray[np.float32]:
    """Pictures of one slice, shape (n, PICTURE_PIXELS, PICTURE_PIXELS), HU.

    One picture of the layouts ``whole`` and ``segmented``, nine of ``cropped``, row after row; none of a slice without
    heart except of ``whole``. Outside the heart there is air in the latter two, as in the paper.

    Parameters
    ----------
    plane_hu, is_heart
        Shape (rows, columns).
    """
    if layout == "whole":
        return _resized(plane_hu)[None]
    boxes = heart_parts(is_heart, 1 if layout == "segmented" else PARTS)
    heart_hu = np.where(is_heart, plane_hu, np.int16(AIR_HU))
    cut = [_resized(heart_hu[top:bottom, left:right]) for top, bottom, left, right in boxes]
    return np.stack(cut) if cut else np.zeros((0, PICTURE_PIXELS, PICTURE_PIXELS), np.float32)


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


def network_input(pictures_hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pictures (n, rows, columns) in HU as a network takes them: (n, 1, rows, columns), the window from -1 to 1."""
    low, high = WINDOW_HU
    scaled = (np.clip(pictures_hu, low, high) - low) * (2.0 / (high - low)) - 1.0
    return np.asarray(scaled[:, None], dtype=np.float32)


def _resized(plane_hu: NDArray[np.int16]) -> NDArray[np.float32]:
    """Linear in between; a side that gets smaller is smoothed first, as a small calcification would fall out."""
    factors = np.array(PICTURE_PIXELS) / np.array(plane_hu.shape)
    smoothed = ndimage.gaussian_filter(plane_hu.astype(np.float32), 0.5 * np.maximum(1.0 / factors - 1.0, 0.0))
    zoomed = ndimage.zoom(smoothed, factors, order=1, mode="nearest", grid_mode=True)
    return np.asarray(zoomed, dtype=np.float32)
