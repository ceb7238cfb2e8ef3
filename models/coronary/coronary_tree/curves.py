"""Curves in millimetres: arc length, uniform steps, smoothing, frames that turn as little as possible.

Knows points in space; no vessel, no voxel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

Points = NDArray[np.float64]
Values = NDArray[np.float64]

#: Distance between neighbouring points of a centreline, mm.
CENTERLINE_STEP_MM: Final = 0.5


def arc_length_mm(points: Points) -> Values:
    """Length of the curve from its first point to each of its points ``[n, 3]``, mm."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def resampled(points: Points, step_mm: float = CENTERLINE_STEP_MM) -> tuple[Points, Values]:
    """Points every ``step_mm`` along a polyline, and their position in it.

    Returns
    -------
    points
        Shape (m, 3). The step is the nearest to ``step_mm`` that divides the length, so both ends stay.
    position
        Shape (m,). Fractional index into the given points, to interpolate what belongs to them.
    """
    along = arc_length_mm(points)
    distinct = np.concatenate([[True], np.diff(along) > 0])
    index = np.flatnonzero(distinct).astype(np.float64)
    count = max(2, round(along[-1] / step_mm) + 1)
    position = np.interp(np.linspace(0.0, along[-1], count), along[distinct], index)
    return at_positions(points, position), position


def at_positions(values: NDArray[np.float64], position: Values) -> NDArray[np.float64]:
    """Values ``[n, ...]`` interpolated linearly at fractional indices."""
    low = np.clip(np.floor(position).astype(np.intp), 0, max(len(values) - 2, 0))
    high = np.minimum(low + 1, len(values) - 1)
    share = (position - low).reshape(-1, *([1] * (values.ndim - 1)))
    interpolated: NDArray[np.float64] = (1.0 - share) * values[low] + share * values[high]
    return interpolated


def smoothed(values: NDArray[np.float64], sigma_mm: float, step_mm: float = CENTERLINE_STEP_MM) -> NDArray[np.float64]:
    """Gaussian mean along evenly spaced values ``[n, ...]``; both ends keep their value.

    Beyond an end the curve is continued by its point reflection, which neither shortens nor bends it there.
    """
    reach = min(int(np.ceil(3.0 * sigma_mm / step_mm)), len(values) - 1)
    if reach < 1:
        return values.copy()
    offsets = np.arange(-reach, reach + 1) * step_mm
    weights = np.exp(-0.5 * (offsets / sigma_mm) ** 2)
    before = 2.0 * values[:1] - values[reach:0:-1]
    after = 2.0 * values[-1:] - values[-2 : -reach - 2 : -1]
    extended = np.concatenate([before, values, after])
    mean: NDArray[np.float64] = convolve1d(extended, weights / weights.sum(), axis=0)[reach:-reach]
    return mean


def rotation_minimising_frames(points: Points) -> NDArray[np.float64]:
    """Frames ``[n, 3, 3]`` along a curve, rows tangent, normal, binormal: right-handed unit vectors.

    Double reflection (Wang, Jüttler, Zheng, Liu. Computation of rotation minimizing frames. ACM Trans Graph 2008;27:2).
    The first normal is the coordinate axis that is most across the curve, made perpendicular to it.
    """
    tangents = unit(np.gradient(points, axis=0))
    normals = np.empty_like(tangents)
    start = np.eye(3)[int(np.argmin(np.abs(tangents[0])))]
    normals[0] = unit(start - (start @ tangents[0]) * tangents[0])
    for i in range(len(points) - 1):
        across = points[i + 1] - points[i]
        normal, tangent = _reflected(normals[i], across), _reflected(tangents[i], across)
        normal = _reflected(normal, tangents[i + 1] - tangent)
        normals[i + 1] = unit(normal - (normal @ tangents[i + 1]) * tangents[i + 1])
    return np.stack([tangents, normals, np.cross(tangents, normals)], axis=1)


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors ``[..., 3]`` scaled to length 1; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = vectors / np.where(length > 0, length, 1.0)
    return scaled


def angle_deg(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Angle between two vectors, degrees; 90 where one of them is zero."""
    return float(np.degrees(np.arccos(np.clip(unit(first) @ unit(second), -1.0, 1.0))))


def _reflected(vector: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    square = float(across @ across)
    reflected: NDArray[np.float64] = vector - (2.0 * (across @ vector) / square) * across if square > 0 else vector
    return reflected
