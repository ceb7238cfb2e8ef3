"""Likeness of two images on the same grid: MSE, PSNR, SSIM.

Decides the data range and which voxels count; the formulas are those of scikit-image. Says nothing about whether what
differs matters to a reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

#: Side of the sliding window of SSIM, pixels (the default of Wang 2004's uniform form).
SSIM_WINDOW = 7


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """How like its reference an image is.

    Parameters
    ----------
    mean_squared_error
        Mean of the squared differences, HU² for CT (the measure of paper 2, Experiment 1).
    peak_signal_to_noise_db
        10·log10(range² / MSE); None where both are the same.
    structural_similarity
        SSIM, −1 to 1 (Wang et al., IEEE Trans Image Process 2004;13:600–612), mean over the image.
    """

    mean_squared_error: float
    peak_signal_to_noise_db: float | None
    structural_similarity: float


def image_quality(reference: NDArray[Any], image: NDArray[Any], *, data_range: float) -> ImageQuality:
    """Compare an image with its reference, both of one shape with at least 7 voxels along each axis.

    Parameters
    ----------
    data_range
        Distance of the highest and the lowest possible value, e.g. 3000 for images clipped to −1000…2000 HU.

    Raises
    ------
    ValueError
        If shapes differ, an axis is too short, a value is not finite, or the range is not above 0.
    """
    first, second = reference.astype(np.float64), image.astype(np.float64)
    if first.shape != second.shape or min(first.shape, default=0) < SSIM_WINDOW:
        raise ValueError(
            f"images have shapes {first.shape} and {second.shape}, expected the same, {SSIM_WINDOW} or more each way"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a value is not finite")
    if not data_range > 0:
        raise ValueError(f"data range is {data_range}, expected a number above 0")
    error = mean_squared_error(first, second)
    ratio = float(peak_signal_noise_ratio(first, second, data_range=data_range)) if error > 0 else None
    similarity = float(structural_similarity(first, second, data_range=data_range, win_size=SSIM_WINDOW))
    return ImageQuality(error, ratio, similarity)


def mean_squared_error(reference: NDArray[Any], image: NDArray[Any], within: NDArray[np.bool_] | None = None) -> float:
    """Mean squared difference, over all voxels or those of a mask (paper 2: the hidden cube or the whole patch).

    Raises
    ------
    ValueError
        If shapes differ or there is no voxel.
    """
    if reference.shape != image.shape or (within is not None and within.shape != image.shape):
        raise ValueError(f"images have shapes {reference.shape} and {image.shape}, expected the same, and of the mask")
    squares = np.square(image.astype(np.float64) - reference.astype(np.float64))
    chosen = squares if within is None else squares[within]
    if chosen.size == 0:
        raise ValueError("no voxel to compare")
    return float(chosen.mean())
