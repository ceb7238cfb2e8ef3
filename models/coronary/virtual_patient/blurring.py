"""Decides how sharp a scan is: the in-plane point spread and what blur the slab average leaves between slices."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.raster import Grid

_FWHM_PER_SIGMA: Final = 2.3548
_CHUNK_ROWS: Final = 64


def blur(volume: npt.NDArray[np.float32], acquisition: Acquisition, grid: Grid) -> npt.NDArray[np.float32]:
    """Blur ``[z, y, x]`` in place with the scan's Gaussian point spread and return it."""
    sigma = acquisition.psf_fwhm_mm / _FWHM_PER_SIGMA / grid.pixel_mm
    for k in range(len(volume)):
        rows = gaussian_filter1d(volume[k], sigma, axis=0, truncate=3.0)
        gaussian_filter1d(rows, sigma, axis=1, truncate=3.0, output=volume[k])
    through = acquisition.slice_blur_mm / _FWHM_PER_SIGMA / acquisition.slice_spacing_mm
    if through > 0.25 and len(volume) > 1:
        for first in range(0, volume.shape[1], _CHUNK_ROWS):
            rows = np.ascontiguousarray(volume[:, first : first + _CHUNK_ROWS])
            volume[:, first : first + _CHUNK_ROWS] = gaussian_filter1d(rows, through, axis=0, truncate=3.0)
    return volume
