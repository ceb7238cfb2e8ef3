"""From voxels to curves: the skeleton of a mask as a graph of points with the radius around each.

Decides nothing about vessels: every piece of the mask gets its curves, loops and spurs included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from coronary.coronary_tree.curves import Points, Values
from coronary.ct_volume import CtVolume

#: Thinning moves one voxel at a time; slices further apart than this multiple of the pixel size are repeated.
LARGEST_ANISOTROPY: Final = 1.5

#: Half of the neighbours of a voxel; the other half are their opposites.
_NEIGHBOURS: Final = tuple(
    (z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)
)


@dataclass(frozen=True, slots=True, eq=False)
class CurveGraph:
    """Points of curves and which of them are neighbours.

    Parameters
    ----------
    points_lps_mm
        Shape (n, 3), LPS mm.
    radius_mm
        Shape (n,). Distance to the surface of the mask.
    attenuation_hu
        Shape (n,). HU at the point; NaN where the mask is interrupted.
    edges
        Shape (m, 2). Indices of neighbouring points, each pair once.
    """

    points_lps_mm: Points
    radius_mm: Values
    attenuation_hu: Values
    edges: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.points_lps_mm)

    def lengths_mm(self) -> coo_array[np.float64, tuple[int, int]]:
        """Symmetric matrix ``[n, n]`` of the length of each edge, mm."""
        first, second = self.edges[:, 0], self.edges[:, 1]
        mm = np.linalg.norm(self.points_lps_mm[first] - self.points_lps_mm[second], axis=1)
        both = np.concatenate([first, second]), np.concatenate([second, first])
        return coo_array((np.concatenate([mm, mm]), both), shape=(len(self), len(self)))

    def pieces(self) -> NDArray[np.intp]:
        """Number of the connected piece that each point belongs to, shape (n,)."""
        _, labels = connected_components(self.lengths_mm(), directed=False)
        return labels.astype(np.intp)

    def without(self, nodes: Sequence[int]) -> CurveGraph:
        """The graph with some of its points cut off from all others; the numbers of the points stay."""
        cut = np.zeros(len(self), dtype=bool)
        cut[list(nodes)] = True
        edges = self.edges[~cut[self.edges].any(axis=1)]
        return CurveGraph(self.points_lps_mm, self.radius_mm, self.attenuation_hu, edges)

    def with_bridge(self, start: int, end: int, step_mm: float) -> CurveGraph:
        """The graph with a straight bridge between two of its points; its attenuation is unknown."""
        length = float(np.linalg.norm(self.points_lps_mm[end] - self.points_lps_mm[start]))
        share = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / step_mm)) + 1))[1:-1]
        ends = [start, end]
        points = (1 - share)[:, None] * self.points_lps_mm[start] + share[:, None] * self.points_lps_mm[end]
        radius = (1 - share) * self.radius_mm[start] + share * self.radius_mm[end]
        chain = np.array([ends[0], *range(len(self), len(self) + len(share)), ends[1]], dtype=np.intp)
        return CurveGraph(
            np.concatenate([self.points_lps_mm, points]),
            np.concatenate([self.radius_mm, radius]),
            np.concatenate([self.attenuation_hu, np.full(len(share), np.nan)]),
            np.concatenate([self.edges, np.stack([chain[:-1], chain[1:]], axis=1)]),
        )

    def with_point(self, point_lps_mm: Points, radius_mm: float, neighbour: int) -> CurveGraph:
        """The graph with one more point (index ``len(self)``) beside an existing one, whose attenuation it takes."""
        return CurveGraph(
            np.concatenate([self.points_lps_mm, point_lps_mm[None]]),
            np.append(self.radius_mm, radius_mm),
            np.append(self.attenuation_hu, self.attenuation_hu[neighbour]),
            np.concatenate([self.edges, np.array([[neighbour, len(self)]], dtype=np.intp)]),
        )


def skeletonise(mask: NDArray[np.bool_], corner_zyx: NDArray[np.intp], volume: CtVolume) -> CurveGraph:
    """Thin a mask to curves (Lee, Kashyap, Chu 1994, as scikit-image implements it).

    Deviation from the paper, which thins in the order of distance (Pudney 1998): both keep the topology, and the
    place of the curve inside the vessel is corrected afterwards from cross-sections.

    Parameters
    ----------
    mask
        Shape (z, y, x): a crop of the volume. Cavities inside it (calcium that was left out) are filled.
    corner_zyx
        Where the crop starts in the volume.
    """
    solid = np.pad(_without_cavities(mask), 1)
    pixel_mm = min(volume.spacing_zyx_mm)
    repeats = [1 if mm <= LARGEST_ANISOTROPY * pixel_mm else round(mm / pixel_mm) for mm in volume.spacing_zyx_mm]
    fine = solid
    for axis, count in enumerate(repeats):
        fine = np.repeat(fine, count, axis=axis) if count > 1 else fine
    skeleton: NDArray[np.bool_] = np.asarray(skeletonize(fine)) > 0  # type: ignore[no-untyped-call]
    index = np.argwhere(skeleton)
    # Centre of a repeated voxel in units of the original ones; the padding starts one voxel before the crop.
    original = (index + 0.5) / np.array(repeats) - 0.5 + corner_zyx - 1
    points = volume.to_lps_mm(original)
    nearest = np.clip(np.round(original).astype(np.intp), 0, np.array(volume.voxels_hu.shape) - 1)
    return CurveGraph(
        points_lps_mm=points,
        radius_mm=_distance_to_surface(solid, corner_zyx - 1, volume, points),
        attenuation_hu=volume.voxels_hu[tuple(nearest.T)].astype(np.float64),
        edges=_neighbouring(index, skeleton.shape),
    )


def distances_inside_mm(
    mask: NDArray[np.bool_], corner_zyx: NDArray[np.intp], volume: CtVolume, points_lps_mm: Points
) -> Values:
    """Distance from points inside a mask to its surface, mm, accurate to about half a voxel.

    Found by a search among the voxels around the mask, which takes little memory however large the volume is.
    """
    return _distance_to_surface(np.pad(mask, 1), corner_zyx - 1, volume, points_lps_mm)


def _distance_to_surface(
    padded: NDArray[np.bool_], corner_zyx: NDArray[np.intp], volume: CtVolume, points_lps_mm: Points
) -> Values:
    inside = np.flatnonzero(padded)
    steps = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    around = np.unique(inside[:, None] + np.concatenate([steps, -steps]))
    around = around[~padded.ravel()[around]]
    outside = volume.to_lps_mm(np.stack(np.unravel_index(around, padded.shape), axis=1) + corner_zyx)
    if len(points_lps_mm) == 0 or len(outside) == 0:
        return np.zeros(len(points_lps_mm))
    distance, _ = cKDTree(outside).query(points_lps_mm)
    # The surface lies between the last voxel inside and the first outside.
    voxel_mm = float(np.prod(volume.spacing_zyx_mm)) ** (1 / 3)
    inward: Values = np.maximum(distance - 0.5 * voxel_mm, 0.25 * voxel_mm)
    return inward


def _without_cavities(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    outside = cc3d.connected_components(~padded, connectivity=6)
    solid: NDArray[np.bool_] = (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return solid


def _neighbouring(index: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Pairs of voxels that touch by a face, an edge or a corner; ``index`` is sorted as ``argwhere`` gives it."""
    flat = np.ravel_multi_index(tuple(index.T), shape)
    pairs = []
    for offset in _NEIGHBOURS:
        # The mask is padded, so a neighbour never falls outside the array.
        wanted = (
            flat + np.ravel_multi_index(tuple(np.array(offset) + 1), shape) - np.ravel_multi_index((1, 1, 1), shape)
        )
        place = np.minimum(np.searchsorted(flat, wanted), max(len(flat) - 1, 0))
        found = np.flatnonzero(flat[place] == wanted) if len(flat) else np.empty(0, dtype=np.intp)
        pairs.append(np.stack([found, place[found]], axis=1))
    return np.concatenate(pairs).astype(np.intp)
