"""What attenuation fat, myocardium and contrast-filled blood have in this scan: a Gaussian mixture on the histogram.

Decides the peaks that the input mapping is anchored at, by expectation-maximisation on the histogram's counts. Knows no
anatomy: which voxels are looked at is the caller's choice, in practice a box around the heart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Lowest and highest attenuation the histogram distinguishes, HU: signed 12 bits, what scanners write.
HISTOGRAM_HU = (-1024, 3071)

#: Part of the histogram the mixture explains, HU: without lung below and without bone, metal and calcium above.
WINDOW_HU = (-250, 1500)

#: Width of one class of the mixture's histogram, HU: a fifth of the smallest noise of a contrast scan.
CLASS_HU = 5

#: Means and SDs that the components for fat, mixed soft tissue and myocardium start from, HU (unenhanced to arterial).
SOFT_START_HU = (-90.0, 50.0, 110.0)
SOFT_START_SD_HU = (25.0, 25.0, 30.0)

#: The three components for blood start at these quantiles of what is brighter than any soft tissue: the chambers and
#: the aorta have up to three different enhancements.
BLOOD_START_QUANTILES = (0.15, 0.5, 0.85)
BLOOD_START_SD_HU = 40.0
BRIGHTER_THAN_TISSUE_HU = 200.0

#: A scan without this share of bright voxels in the window shows no contrast-filled heart.
MINIMUM_BRIGHT_SHARE = 0.03

#: A peak of the blood components counts from this share of their highest peak; the brightest that counts is arterial.
MINIMUM_PEAK_SHARE = 0.3

#: No component becomes narrower, HU: below the noise of any scan it would follow single classes.
SMALLEST_SD_HU = 6.0

#: The iteration ends when the mean log-likelihood grows by less than this, or after so many rounds.
TOLERANCE = 1e-7
MAXIMUM_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class AttenuationMixture:
    """Gaussian mixture of one scan's attenuation histogram.

    Parameters
    ----------
    fat_hu, myocardium_hu, blood_hu
        The three peaks, HU. ``blood_hu`` is the brightest common one: left heart and aorta in the arterial phase.
    means_hu, sds_hu, weights
        All six components: fat, soft tissue, myocardium, three for blood. The weights leave room for a uniform
        background (partial volume, calcium), so they add up to less than 1.
    rounds
        Rounds of expectation-maximisation that were needed.
    """

    fat_hu: float
    myocardium_hu: float
    blood_hu: float
    means_hu: tuple[float, ...]
    sds_hu: tuple[float, ...]
    weights: tuple[float, ...]
    rounds: int


def attenuation_histogram(
    voxels_hu: NDArray[np.int16], region: tuple[slice, slice, slice] | None = None
) -> NDArray[np.int64]:
    """Count the voxels of each attenuation from -1024 to 3071 HU, shape (4096,), slice by slice.

    Values outside are counted at the ends. ``region`` limits the count to a box of (slices, rows, columns).
    """
    low, high = HISTOGRAM_HU
    counts = np.zeros(high - low + 1, dtype=np.int64)
    for plane in voxels_hu if region is None else voxels_hu[region]:
        shifted = np.clip(plane.astype(np.int32), low, high) - low
        counts += np.bincount(shifted.ravel(), minlength=len(counts))
    return counts


def fit_attenuation_mixture(counts: NDArray[np.int64]) -> AttenuationMixture | None:
    """Fit the mixture to a histogram of :func:`attenuation_histogram`, or None where nothing is enhanced.

    Deterministic: the start depends on the counts alone.

    Notes
    -----
    Paper 1, section 2.4: "a Gaussian mixture model-based expectation-maximization algorithm" (its references 27, 28)
    without the number of components or what is done with them; six and a uniform background is what separates the
    peaks of virtual patients at 80 to 120 kVp.
    """
    low, high = WINDOW_HU
    first = low - HISTOGRAM_HU[0]
    classes = counts[first : first + high - low].reshape(-1, CLASS_HU).sum(axis=1).astype(np.float64)
    hu = np.asarray(low + 0.5 * (CLASS_HU - 1) + CLASS_HU * np.arange(len(classes)), dtype=np.float64)
    bright = np.where(hu > BRIGHTER_THAN_TISSUE_HU, classes, 0.0)
    if bright.sum() <= MINIMUM_BRIGHT_SHARE * classes.sum():
        return None
    cumulated = np.cumsum(bright) / bright.sum()
    blood_start = [float(hu[np.searchsorted(cumulated, quantile)]) for quantile in BLOOD_START_QUANTILES]
    means, sds, weights, rounds = _expectation_maximisation(
        hu,
        classes / classes.sum(),
        np.array([*SOFT_START_HU, *blood_start]),
        np.array([*SOFT_START_SD_HU, *[BLOOD_START_SD_HU] * len(blood_start)]),
    )
    return AttenuationMixture(
        fat_hu=float(means[0]),
        myocardium_hu=float(means[2]),
        blood_hu=_brightest_peak_hu(means[3:], sds[3:], weights[3:]),
        means_hu=tuple(means.tolist()),
        sds_hu=tuple(sds.tolist()),
        weights=tuple(weights.tolist()),
        rounds=rounds,
    )


def _expectation_maximisation(
    hu: NDArray[np.float64], share: NDArray[np.float64], means: NDArray[np.float64], sds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Means, SDs, weights and rounds of a mixture with uniform background, fitted to classes with shares."""
    weights = np.full(len(means), 1.0 / (len(means) + 1))
    background = 1.0 / (len(means) + 1)
    uniform = 1.0 / (hu[-1] - hu[0])
    before = -np.inf
    rounds = 0
    while rounds < MAXIMUM_ROUNDS:
        rounds += 1
        parts = weights * _normal_density(hu, means, sds)
        total = parts.sum(axis=1) + background * uniform
        responsibility = parts / total[:, None] * share[:, None]
        likelihood = float(share @ np.log(total))
        if likelihood - before < TOLERANCE:
            break
        before = likelihood
        weights = np.maximum(responsibility.sum(axis=0), np.finfo(np.float64).tiny)
        background = float(share @ (background * uniform / total))
        means = hu @ responsibility / weights
        variances = np.einsum("ck,ck->k", responsibility, (hu[:, None] - means) ** 2) / weights
        sds = np.sqrt(np.maximum(variances, SMALLEST_SD_HU**2))
    return means, sds, weights, rounds


def _normal_density(
    hu: NDArray[np.float64], means: NDArray[np.float64], sds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Normal densities (1/HU), shape (attenuations, components)."""
    z = (hu[:, None] - means) / sds
    return np.asarray(np.exp(-0.5 * z**2) / (sds * np.sqrt(2.0 * np.pi)))


def _brightest_peak_hu(means: NDArray[np.float64], sds: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Brightest local maximum of a mixture's density that is at least MINIMUM_PEAK_SHARE of its highest."""
    hu = np.arange(*WINDOW_HU, dtype=np.float64)
    density = _normal_density(hu, means, sds) @ weights
    inner = density[1:-1]
    is_peak = (inner > density[:-2]) & (inner >= density[2:]) & (inner >= MINIMUM_PEAK_SHARE * density.max())
    peaks = hu[1:-1][is_peak]
    return float(peaks[-1] if len(peaks) else hu[np.argmax(density)])
