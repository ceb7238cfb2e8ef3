"""Hessian vesselness: how much a bright voxel looks like part of a tube (Frangi's filter).

Decides scales and weights and keeps memory bounded by working through the volume in slabs. Which voxels are vessels is
decided by the network that sees it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: SD of the Gaussian at each scale, mm: a tube answers most at about its radius, coronaries have 0.6 to 2.6 mm.
SCALES_MM = (0.8, 1.3, 2.0)

#: Weights of plate-likeness and blob-likeness (Frangi 1998, section 2.3: 0.5 each).
ALPHA = 0.5
BETA = 0.5

#: Structure below this Hessian norm is noise, HU. A tube of contrast A answers with 0.30 x sqrt(2) x A at the scale of
#: its radius; this is half of that for the dimmest usable lumen (300 HU) in fat (-90 HU). Frangi 1998 takes half of the
#: largest norm in the image, which one metal clip would decide.
CURVATURE_HU = 85.0

#: Voxels below this smoothed attenuation, fat and lung, are skipped and stay 0. Higher would lose thin, dim vessels.
FLOOR_HU = 0.0

#: Slices per slab without its margin: 512 x 512 pixels need about 0.7 GB at a time.
SLAB_SLICES = 32

#: Gaussians end at this many SDs; the margin of a slab follows from it.
TRUNCATE = 3.0


def measure_vesselness(
    voxels_hu: NDArray[np.int16],
    spacing_zyx_mm: Sequence[float],
    *,
    scales_mm: Sequence[float] = SCALES_MM,
    slab_slices: int = SLAB_SLICES,
) -> NDArray[np.float32]:
    """Largest tube response over the scales, 0 to 1, shape (slices, rows, columns).

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns), HU. Bright tubes on a dark background answer.
    spacing_zyx_mm
        Distance between voxel centres; scales are mm, so anisotropic voxels give no preferred direction.
    slab_slices
        Slices worked on at a time. It changes memory, never the result.

    Notes
    -----
    Frangi et al., MICCAI 1998, equation 13, per scale s on the Hessian of the Gaussian-smoothed image times s², by
    central differences. Paper 1, section 2.4, names "Hessian filter application" without further detail.
    """
    spacing = np.asarray(spacing_zyx_mm, dtype=np.float64)
    response = np.zeros(voxels_hu.shape, dtype=np.float32)
    for scale in scales_mm:
        margin = int(np.ceil(TRUNCATE * scale / spacing[0])) + 2
        for start in range(0, len(voxels_hu), slab_slices):
            stop = min(start + slab_slices, len(voxels_hu))
            low, high = max(0, start - margin), min(len(voxels_hu), stop + margin)
            slab = voxels_hu[low:high].astype(np.float32)
            smooth = ndimage.gaussian_filter(slab, scale / spacing, truncate=TRUNCATE, mode="nearest")
            inner = slice(start - low, stop - low)
            where = np.nonzero(smooth[inner] > FLOOR_HU)
            at = (where[0] + inner.start, where[1], where[2])
            found = _tube_response(_hessian_at(smooth, at, spacing) * scale**2)
            target = response[start:stop]
            target[where] = np.maximum(target[where], found)
    return response


def _hessian_at(
    smooth: NDArray[np.float32], at: tuple[NDArray[np.intp], ...], spacing: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Second derivatives (HU/mm²) zz, yy, xx, zy, zx, yx at voxels, shape (6, n); edges repeat the last voxel."""

    def value(*steps: int) -> NDArray[np.float32]:
        moved = (np.clip(i + step, 0, n - 1) for i, step, n in zip(at, steps, smooth.shape, strict=True))
        return smooth[tuple(moved)]

    centre = value(0, 0, 0)
    rows = []
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        rows.append((value(*step) - 2.0 * centre + value(*-step)) / spacing[axis] ** 2)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        a, b = np.eye(3, dtype=int)[first], np.eye(3, dtype=int)[second]
        mixed = value(*(a + b)) - value(*(a - b)) - value(*(b - a)) + value(*(-a - b))
        rows.append(mixed / (4.0 * spacing[first] * spacing[second]))
    return np.asarray(rows, dtype=np.float32)


def _tube_response(hessian: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frangi's measure of Hessians given as (6, n), shape (n,)."""
    small, middle, large = _eigenvalues_by_size(hessian)
    is_bright = (middle < 0) & (large < 0)
    answer = np.zeros(hessian.shape[1], dtype=np.float32)
    small, middle, large = small[is_bright], middle[is_bright], large[is_bright]
    plate = (middle / large) ** 2
    blob = small**2 / (middle * large)
    strength = small**2 + middle**2 + large**2
    answer[is_bright] = (
        (1.0 - np.exp(-plate / (2.0 * ALPHA**2)))
        * np.exp(-blob / (2.0 * BETA**2))
        * (1.0 - np.exp(-strength / (2.0 * CURVATURE_HU**2)))
    )
    return answer


def _eigenvalues_by_size(hessian: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """Eigenvalues of symmetric 3 x 3 matrices in ascending absolute value, by the trigonometric solution."""
    zz, yy, xx, zy, zx, yx = hessian.astype(np.float64)
    mean = (zz + yy + xx) / 3.0
    off = zy**2 + zx**2 + yx**2
    radius = np.sqrt(((zz - mean) ** 2 + (yy - mean) ** 2 + (xx - mean) ** 2 + 2.0 * off) / 6.0)
    safe = np.where(radius > 0, radius, 1.0)
    a, b, c = ((each - mean) / safe for each in (zz, yy, xx))
    d, e, f = zy / safe, zx / safe, yx / safe
    half_determinant = 0.5 * (a * (b * c - f**2) - d * (d * c - f * e) + e * (d * f - b * e))
    angle = np.arccos(np.clip(half_determinant, -1.0, 1.0)) / 3.0
    high = mean + 2.0 * radius * np.cos(angle)
    low = mean + 2.0 * radius * np.cos(angle + 2.0 * np.pi / 3.0)
    values = np.stack([low, 3.0 * mean - low - high, high])
    by_size = np.take_along_axis(values, np.argsort(np.abs(values), axis=0), axis=0)
    return by_size[0], by_size[1], by_size[2]
