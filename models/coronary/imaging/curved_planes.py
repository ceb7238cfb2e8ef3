"""Planes that follow a curve through a volume: cross-sections, and the straightened curved planar reformat.

Decides how a curve becomes pictures; which curve, and what is in the pictures, is decided elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.ct_volume import CtVolume
from coronary.imaging.sampling import sample_linear

#: Cross-sections sampled at once: what is in memory besides the result stays small.
CHUNK = 64


def offsets_mm(half_width_mm: float, pixel_mm: float) -> NDArray[np.float64]:
    """Places of the pixels of a plane along one of its axes, symmetric to the curve, which lies on the middle one."""
    count = int(np.floor(half_width_mm / pixel_mm + 1e-9))
    return np.asarray(np.arange(-count, count + 1) * pixel_mm, dtype=np.float64)


def cross_sections(
    volume: CtVolume,
    points_lps_mm: NDArray[np.float64],
    frames: NDArray[np.float64],
    half_width_mm: float,
    pixel_mm: float,
) -> NDArray[np.float32]:
    """Planes across a curve, interpolated linearly.

    Parameters
    ----------
    points_lps_mm
        Shape (n, 3).
    frames
        Shape (n, 3, 3), rows tangent, normal, binormal (:meth:`coronary.coronary_tree.Centerline.frames`).

    Returns
    -------
    ndarray
        Shape (n, m, m), HU: rows along the binormal, columns along the normal, at :func:`offsets_mm`; AIR_HU outside
        the volume.
    """
    across = offsets_mm(half_width_mm, pixel_mm)
    down, right = np.meshgrid(across, across, indexing="ij")
    planes = np.empty((len(points_lps_mm), len(across), len(across)), np.float32)
    for first in range(0, len(points_lps_mm), CHUNK):
        some = slice(first, first + CHUNK)
        normal, binormal = frames[some, 1, None, None], frames[some, 2, None, None]
        places = points_lps_mm[some, None, None] + right[..., None] * normal + down[..., None] * binormal
        planes[some] = sample_linear(volume, places)
    return planes


def straightened(
    volume: CtVolume,
    points_lps_mm: NDArray[np.float64],
    frames: NDArray[np.float64],
    half_width_mm: float,
    pixel_mm: float,
    angle_deg: float = 0.0,
) -> NDArray[np.float32]:
    """Straightened curved planar reformat (Kanitsar et al., IEEE Visualization 2002): the curve is the middle column.

    Parameters
    ----------
    points_lps_mm
        Shape (n, 3), evenly spaced; each becomes one row.
    angle_deg
        By which the plane is turned about the curve, from the normals of the frames to the binormals.

    Returns
    -------
    ndarray
        Shape (n, m), HU; AIR_HU outside the volume.
    """
    angle = np.radians(angle_deg)
    direction = np.cos(angle) * frames[:, 1] + np.sin(angle) * frames[:, 2]
    across = offsets_mm(half_width_mm, pixel_mm)
    return sample_linear(volume, points_lps_mm[:, None] + across[None, :, None] * direction[:, None])
