"""Attenuation at points between the voxels of a volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import AIR_HU


def sample_linear(volume: CtVolume, places_lps_mm: NDArray[np.float64]) -> NDArray[np.float32]:
    """Attenuation at points of shape (..., 3) in LPS mm, interpolated linearly, HU; AIR_HU outside the volume."""
    index = np.moveaxis(volume.to_index_zyx(places_lps_mm), -1, 0)
    return np.asarray(
        map_coordinates(
            volume.voxels_hu, index, output=np.float32, order=1, mode="constant", cval=AIR_HU, prefilter=False
        )
    )
