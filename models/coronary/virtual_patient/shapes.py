"""Decides how simple solids are measured: signed distances in mm (negative inside) at points ``[..., 3]`` in LPS mm.

Holds no anatomy. Distances of ellipsoids are first-order (exact on the surface), which painting and grooves need.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Field = npt.NDArray[np.float32]
SignedDistance = Callable[[Points], Field]


def as_points(values: npt.ArrayLike) -> Points:
    """Return ``values`` as a float32 array of points."""
    return np.asarray(values, dtype=np.float32)


def ellipsoid(centre: npt.ArrayLike, semi_axes: npt.ArrayLike, frame: npt.ArrayLike | None = None) -> SignedDistance:
    """Return the signed distance of an ellipsoid whose axes are the rows of ``frame`` (LPS axes by default)."""
    c, s = as_points(centre), as_points(semi_axes)
    rotation = None if frame is None else as_points(frame)

    def distance(points: Points) -> Field:
        q = points - c
        if rotation is not None:
            q = q @ rotation.T
        q = q / s
        k0 = np.sqrt(np.einsum("...i,...i->...", q, q))
        q /= s
        k1 = np.sqrt(np.einsum("...i,...i->...", q, q))
        return np.asarray(k0 * (k0 - 1.0) / np.maximum(k1, 1e-4), dtype=np.float32)

    return distance


def half_space(point: npt.ArrayLike, outward: npt.ArrayLike) -> SignedDistance:
    """Return the signed distance of the half space whose boundary passes ``point`` with the normal ``outward``."""
    p, n = as_points(point), as_points(outward)
    n = n / np.linalg.norm(n)

    def distance(points: Points) -> Field:
        return np.asarray((points - p) @ n, dtype=np.float32)

    return distance


def tube(path: npt.ArrayLike, radii: npt.ArrayLike | float) -> SignedDistance:
    """Return the signed distance of a chain of capsules along ``path`` with radii interpolated between the points."""
    nodes = as_points(path)
    r = np.broadcast_to(np.asarray(radii, dtype=np.float32), (len(nodes),))

    def distance(points: Points) -> Field:
        best: Field | None = None
        for a, b, ra, rb in zip(nodes[:-1], nodes[1:], r[:-1], r[1:], strict=True):
            ab = b - a
            q = points - a
            t = np.clip((q @ ab) / max(float(ab @ ab), 1e-6), 0.0, 1.0)
            q = q - t[..., None] * ab
            d = np.sqrt(np.einsum("...i,...i->...", q, q)) - (ra + t * (rb - ra))
            best = d if best is None else np.minimum(best, d)
        assert best is not None
        return np.asarray(best, dtype=np.float32)

    return distance


def smooth_minimum(a: Field, b: Field, blend_mm: float) -> Field:
    """Return the polynomial smooth minimum of two fields; ``blend_mm`` is the width of the fillet."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend_mm, 0.0, 1.0)
    return np.asarray(b + h * (a - b) - blend_mm * h * (1.0 - h), dtype=np.float32)


def smooth_maximum(a: Field, b: Field, blend_mm: float) -> Field:
    """Return the polynomial smooth maximum of two fields."""
    return np.asarray(-smooth_minimum(-a, -b, blend_mm), dtype=np.float32)


def gradient(distance: SignedDistance, points: Points, step_mm: float = 0.7) -> Points:
    """Return the numeric gradient of a signed distance at ``points``, shape ``[..., 3]``."""
    parts = []
    for axis in range(3):
        offset = np.zeros(3, dtype=np.float32)
        offset[axis] = step_mm
        parts.append((distance(points + offset) - distance(points - offset)) / (2.0 * step_mm))
    return np.stack(parts, axis=-1).astype(np.float32)
