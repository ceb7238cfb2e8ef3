"""From named courses to centrelines: smooth, in the middle of the lumen, with its radius, and the voxels around them.

Decides how a course through voxels becomes a curve with sub-voxel accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from coronary.coronary_tree.centerline import Centerline
from coronary.coronary_tree.components import ArteryVoxels
from coronary.coronary_tree.curves import (
    Points,
    Values,
    arc_length_mm,
    at_positions,
    resampled,
    rotation_minimising_frames,
    smoothed,
)
from coronary.coronary_tree.growing import CurveTree
from coronary.coronary_tree.segments import NamedCourse
from coronary.ct_volume import CtVolume

#: Smoothing of the course through voxel centres, and of the centred course, standard deviation in mm.
COURSE_SIGMA_MM: Final = 1.0
CENTRED_SIGMA_MM: Final = 0.7
RADIUS_SIGMA_MM: Final = 0.7

#: How far the course of a neighbouring artery helps to smooth across a border, mm.
CONTEXT_MM: Final = 8.0

#: Rays of a cross-section, their sampling step, and how far they go: this many radii of the skeleton plus this much.
RAYS: Final = 16
RAY_STEP_MM: Final = 0.2
RAY_REACH: Final = (1.8, 1.0)

#: A ray longer than this multiple of the median runs into a branch and counts as that long.
LONGEST_RAY: Final = 1.4

#: Centring moves a point by no more than this in one go.
LARGEST_SHIFT_MM: Final = 0.6

#: A voxel belongs to the tree within this multiple of the radius plus this much (partial volume, oval lumens, plaque).
VOXEL_REACH: Final = (1.5, 1.0)


def measure_courses(
    courses: Sequence[NamedCourse], tree: CurveTree, voxels: ArteryVoxels, volume: CtVolume
) -> tuple[Centerline, ...]:
    """Turn named courses into centrelines; parents come first and stay parents first."""
    lumen = np.pad(voxels.mask, 2).astype(np.float32)
    corner = voxels.corner_zyx - 2
    done: dict[str, Centerline] = {}
    for course in courses:
        done[course.name] = _measure(course, courses, done, tree, lumen, corner, volume)
    return tuple(done.values())


def assign_voxels(
    lines: Sequence[Centerline], voxels: ArteryVoxels, volume: CtVolume
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.int32]]:
    """Give each voxel of the mask to the centreline it lies deepest in.

    Returns
    -------
    voxels_zyx, centerline, point
        Shapes (m, 3), (m,), (m,): indices in the volume; voxels too far from every centreline are left out.
    """
    index = np.argwhere(voxels.mask) + voxels.corner_zyx
    places = np.concatenate([line.points_lps_mm for line in lines])
    radius = np.concatenate([line.radius_mm for line in lines])
    line_of = np.repeat(np.arange(len(lines)), [len(line.points_lps_mm) for line in lines])
    point_of = np.concatenate([np.arange(len(line.points_lps_mm)) for line in lines])
    found = cKDTree(places).query(volume.to_lps_mm(index.astype(np.float64)), k=min(24, len(places)))
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    depth = distance - radius[nearest]
    best = np.argmin(depth, axis=1)
    rows = np.arange(len(index))
    chosen = nearest[rows, best]
    kept = distance[rows, best] <= VOXEL_REACH[0] * radius[chosen] + VOXEL_REACH[1]
    return (
        index[kept].astype(np.int32),
        line_of[chosen[kept]].astype(np.uint16),
        point_of[chosen[kept]].astype(np.int32),
    )


def _measure(
    course: NamedCourse,
    courses: Sequence[NamedCourse],
    done: dict[str, Centerline],
    tree: CurveTree,
    lumen: NDArray[np.float32],
    corner_zyx: NDArray[np.intp],
    volume: CtVolume,
) -> Centerline:
    parent = done[course.parent] if course.parent else None
    before = next((c.nodes for c in courses if c.name == course.parent and c.nodes[-1] == course.nodes[0]), ())
    after = next((c.nodes for c in courses if c.parent == course.name and c.nodes[0] == course.nodes[-1]), ())
    head, tail = _last_mm(tree, before), _last_mm(tree, tuple(reversed(after)))[::-1]
    nodes = [*head, *(course.nodes[1:] if head else course.nodes), *tail[1:]]
    points, position = resampled(tree.points(nodes))
    start = float(len(head) - 1) if head else 0.0
    end = start + len(course.nodes) - 1
    radius = at_positions(tree.graph.radius_mm[nodes], position)
    points = smoothed(points, COURSE_SIGMA_MM)
    shift, _ = _cross_sections(points, radius, lumen, corner_zyx, volume)
    points = smoothed(points + shift, CENTRED_SIGMA_MM)
    own = np.flatnonzero((position >= start - 1e-9) & (position <= end + 1e-9))
    points, position = points[own], position[own]
    if parent is not None:
        origin = parent.points_lps_mm[-1:] if head else _nearest(parent.points_lps_mm, points[0])
        points = np.concatenate([origin, points[1:]])
    points, at = resampled(points)
    position = np.interp(at, np.arange(len(position)), position)
    guess = at_positions(tree.graph.radius_mm[nodes], position)
    _, measured = _cross_sections(points, guess, lumen, corner_zyx, volume)
    bridge = np.isnan(at_positions(tree.graph.attenuation_hu[nodes], position))
    radius = _completed(np.where(bridge, np.nan, measured), guess)
    if parent is not None and not head:
        radius = _within_branch(points, radius, parent)
    share = arc_length_mm(points) / arc_length_mm(points)[-1]
    borders = np.array([border for border, _ in course.borders])
    ids = np.array([segment for _, segment in course.borders], dtype=np.uint8)
    return Centerline(
        name=course.name,
        parent=course.parent,
        points_lps_mm=points,
        radius_mm=np.maximum(smoothed(radius, RADIUS_SIGMA_MM), 0.0),
        segment=ids[np.searchsorted(borders, share, side="right") - 1],
        vessel=np.full(len(points), course.vessel, dtype=np.uint8),
        is_bridged=bridge,
    )


def _cross_sections(
    points: Points, radius_mm: Values, lumen: NDArray[np.float32], corner_zyx: NDArray[np.intp], volume: CtVolume
) -> tuple[Points, Values]:
    """Measure the lumen across a curve with rays.

    Returns
    -------
    shift
        Shape (n, 3). From each point to the middle of the lumen, mm; zero outside the lumen.
    radius
        Shape (n,). Radius of the circle of equal area, mm; NaN outside the lumen.
    """
    frames = rotation_minimising_frames(points)
    angle = 2 * np.pi * np.arange(RAYS) / RAYS
    rays = np.cos(angle)[None, :, None] * frames[:, None, 1] + np.sin(angle)[None, :, None] * frames[:, None, 2]
    reach = RAY_REACH[0] * float(radius_mm.max()) + RAY_REACH[1]
    along = np.arange(0.0, reach + RAY_STEP_MM, RAY_STEP_MM)
    places = points[:, None, None] + rays[:, :, None] * along[None, None, :, None]
    index = volume.to_index_zyx(places) - corner_zyx
    values = map_coordinates(lumen, np.moveaxis(index, -1, 0), order=1, mode="constant", cval=0.0, prefilter=False)
    is_out = values < 0.5
    is_out[..., -1] = True
    first = np.argmax(is_out, axis=-1)
    previous = np.maximum(first - 1, 0)
    inside = np.take_along_axis(values, previous[..., None], axis=-1)[..., 0]
    outside = np.take_along_axis(values, first[..., None], axis=-1)[..., 0]
    step = np.where(inside > outside, (inside - 0.5) / np.where(inside > outside, inside - outside, 1.0), 0.0)
    length = (previous + np.clip(step, 0.0, 1.0)) * RAY_STEP_MM
    length = np.minimum(length, LONGEST_RAY * np.median(length, axis=1, keepdims=True))
    is_inside = values[:, 0, 0] >= 0.5
    square = np.sum(length**2, axis=1)
    shift = (2 / 3) * np.sum(length[..., None] ** 3 * rays, axis=1) / np.maximum(square, 1e-6)[:, None]
    shift *= np.minimum(1.0, LARGEST_SHIFT_MM / np.maximum(np.linalg.norm(shift, axis=1), 1e-6))[:, None]
    shift[~is_inside] = 0.0
    return shift, np.where(is_inside, np.sqrt(square / RAYS), np.nan)


def _completed(measured: Values, guess: Values) -> Values:
    """Radii with the gaps filled from both sides; the guess where nothing was measured."""
    known = np.flatnonzero(np.isfinite(measured))
    return np.interp(np.arange(len(measured)), known, measured[known]) if len(known) else guess


def _within_branch(points: Points, radius_mm: Values, parent: Centerline) -> Values:
    """Radii of a branch whose first points lie inside its parent: there it is as wide as where it has come out."""
    distance, nearest = cKDTree(parent.points_lps_mm).query(points)
    out = np.flatnonzero(distance > parent.radius_mm[nearest] + 0.5 * radius_mm)
    first = int(out[0]) if len(out) else len(points) - 1
    limited = radius_mm.copy()
    limited[:first] = np.minimum(radius_mm[:first], radius_mm[first])
    return limited


def _last_mm(tree: CurveTree, nodes: Sequence[int]) -> list[int]:
    """The last nodes of a course, over at most ``CONTEXT_MM``."""
    if not nodes:
        return []
    along = arc_length_mm(tree.points(nodes))
    return [node for node, mm in zip(nodes, along, strict=True) if mm >= along[-1] - CONTEXT_MM]


def _nearest(points: Points, place: Points) -> Points:
    return points[[int(np.argmin(np.linalg.norm(points - place, axis=1)))]]
