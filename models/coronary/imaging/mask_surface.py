"""The border of a mask, as voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def surface_zyx(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of the voxels of a mask that have a face neighbour outside it, shape (n, 3), in raster order."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if len(slices) == 0:
        return np.zeros((0, 3), dtype=np.int64)
    part = mask[slices[0] : slices[-1] + 1]
    surface = np.argwhere(part & ~ndimage.binary_erosion(part))
    surface[:, 0] += slices[0]
    return surface
