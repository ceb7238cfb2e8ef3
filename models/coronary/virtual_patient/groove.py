"""Decides how a curve is kept where two chambers meet: the fat groove that vessels of the heart run in.

Knows solids and geometry, not which vessel is traced.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.shapes import Field, Points, as_points

CENTRELINE_STEP_MM: Final = 0.75
_ITERATIONS: Final = 14
_DAMPING: Final = 0.15
_LONGEST_STEP_MM: Final = 6.0


def trace_ring(
    heart: HeartModel, first: str, second: str, centre: Points, start_deg: float, end_deg: float, depth_mm: float
) -> Points:
    """Trace an atrioventricular groove: one point in each half plane around the valve's axis.

    Angles count from lateral (0°) over superior (90°); the result is ``[n, 3]`` in patient LPS mm.
    """
    marks = heart.landmarks
    degrees = np.linspace(start_deg, end_deg, max(6, int(abs(end_deg - start_deg) / 11)))
    angle = np.deg2rad(degrees)
    around = np.cos(angle)[:, None] * marks.lateral + np.sin(angle)[:, None] * marks.superior
    tangent = -np.sin(angle)[:, None] * marks.lateral + np.cos(angle)[:, None] * marks.superior

    def plane(q: Points) -> Field:
        return np.asarray(np.sum((q - centre) * tangent, axis=-1))

    return trace_groove(heart, first, second, centre + 38.0 * around, plane, depth_mm)


def trace_groove(
    heart: HeartModel, first: str, second: str, guess: npt.ArrayLike, plane: Callable[[Points], Field], depth_mm: float
) -> Points:
    """Solve for points at ``depth_mm`` from both structures while staying in the plane of each guess.

    Damped Gauss–Newton on three equations; ``guess`` is canonical, the result is in patient LPS mm. Where the two
    structures do not meet, the point with the smallest squared error is taken.
    """
    canonical = heart.canonical
    target = plane(as_points(guess))

    def residual(q: Points) -> Points:
        return np.stack(
            [canonical[first](q) - depth_mm, canonical[second](q) - depth_mm, 1.5 * (plane(q) - target)], axis=-1
        )

    q = as_points(guess)
    for _ in range(_ITERATIONS):
        r = residual(q)
        columns = []
        for axis in range(3):
            offset = np.zeros(3, dtype=np.float32)
            offset[axis] = 0.5
            columns.append(residual(q + offset) - residual(q - offset))
        jacobian = np.stack(columns, axis=-1)
        normal = np.einsum("nij,nik->njk", jacobian, jacobian) + _DAMPING * np.eye(3)
        step = np.linalg.solve(normal, np.einsum("nij,ni->nj", jacobian, r)[..., None])[..., 0]
        norm = np.linalg.norm(step, axis=1, keepdims=True)
        q = as_points(q - step * np.minimum(1.0, _LONGEST_STEP_MM / np.maximum(norm, 1e-6)))
    return heart.pose.to_patient(q)


def smoothed(path: Points) -> Points:
    """Return the path without points closer than 2 mm and with its inner points averaged 1-2-1.

    A path that never leaves its first point by 2 mm keeps its first and last one.
    """
    kept = [path[0]]
    for p in path[1:]:
        if np.linalg.norm(p - kept[-1]) > 2.0:
            kept.append(p)
    if len(kept) == 1:
        kept.append(path[-1])
    nodes = np.stack(kept)
    if len(nodes) > 4:
        nodes[1:-1] = 0.25 * nodes[:-2] + 0.5 * nodes[1:-1] + 0.25 * nodes[2:]
    return as_points(nodes)


def resampled(path: Points) -> Points:
    """Return the path as a cubic spline sampled every ``CENTRELINE_STEP_MM``."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    keep = np.concatenate([[True], steps > 1e-3])
    nodes = path[keep]
    s = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))])
    count = max(4, int(s[-1] / CENTRELINE_STEP_MM) + 1)
    return as_points(CubicSpline(s, nodes)(np.linspace(0.0, s[-1], count)))
