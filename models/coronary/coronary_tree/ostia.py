"""Where the coronary tree leaves the aorta: the ostia, and which of the two systems each supplies.

Decides from contact with the aorta and, for left or right, from where the vessel goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from coronary.coronary_tree.components import ArteryVoxels
from coronary.coronary_tree.curves import Points, angle_deg, arc_length_mm, unit
from coronary.coronary_tree.growing import CurveTree, grow_tree
from coronary.coronary_tree.skeleton import CurveGraph
from coronary.ct_volume import CtVolume
from coronary.imaging.mask_surface import surface_zyx

System = Literal["left", "right"]

#: Between two masks that touch lies at most the wall that neither of them holds.
TOUCHING_MM: Final = 1.5

#: Widest gap between an ostium and the aorta that is bridged: aortic wall (2 mm) and calcium at the ostium.
WIDEST_OSTIAL_GAP_MM: Final = 5.0

#: Across an ostial gap the vessel must point at the aorta within this angle.
OSTIAL_ANGLE_DEG: Final = 50.0

#: Voxels at the aorta closer together than this are one contact; contacts of one piece closer than the second, one
#: ostium.
OSTIUM_MM: Final = 8.0
APART_MM: Final = 20.0

#: A vessel that leaves the aorta is at least this wide in its first millimetres; less is the tip of an atrial or conus
#: branch, or a rag of the mask.
SMALLEST_OSTIAL_RADIUS_MM: Final = 0.7
FIRST_MM: Final = (1.0, 7.0)

#: A piece at the aorta is at least this long, end caps included, to be the beginning of an artery, and with what is
#: joined to it, the artery is at least as long as the second; less is a rim of the aorta.
SHORTEST_BEGINNING_MM: Final = 4.0
SHORTEST_SYSTEM_MM: Final = 20.0

#: Stretch of a system, from its ostium, whose place beside the aorta says left or right.
PROXIMAL_MM: Final = 50.0

#: Two systems that lie further apart than this, from left to right, on average over that stretch, are left and right.
SYSTEMS_APART_MM: Final = 20.0


@dataclass(frozen=True, slots=True)
class Ostium:
    """An ostium: system, place (LPS mm) and the gap to the aorta in the masks (mm)."""

    system: System
    point_lps_mm: tuple[float, float, float]
    gap_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class _Contact:
    point: Points
    node: int
    gap_mm: float
    is_wide_end: bool


def aorta_surface(aorta_mask: NDArray[np.bool_], voxels: ArteryVoxels, volume: CtVolume) -> Points:
    """Surface voxels of the aorta within reach of the arteries' crop, shape (n, 3), LPS mm; may be empty."""
    margin = np.ceil((WIDEST_OSTIAL_GAP_MM + OSTIUM_MM) / np.array(volume.spacing_zyx_mm)).astype(int)
    first = np.maximum(voxels.corner_zyx - margin, 0)
    last = voxels.corner_zyx + np.array(voxels.mask.shape) + margin
    part = aorta_mask[first[0] : last[0], first[1] : last[1], first[2] : last[2]]
    return volume.to_lps_mm((surface_zyx(part) + first).astype(np.float64))


def with_ostia(
    graph: CurveGraph, voxels: ArteryVoxels, surface: Points, volume: CtVolume
) -> tuple[CurveGraph, tuple[int, ...], tuple[float, ...]]:
    """Add a root node where each piece of the graph meets the aorta.

    Returns
    -------
    graph
        With one more node for each ostium, at the vessel's border to the aorta.
    roots
        Their indices; empty where nothing meets the aorta.
    gaps_mm
        Gap between vessel and aorta at each.
    """
    if len(surface) == 0 or len(graph) == 0:
        return graph, (), ()
    aorta = cKDTree(surface)
    index = np.argwhere(voxels.mask)
    points = volume.to_lps_mm((index + voxels.corner_zyx).astype(np.float64))
    gaps = np.asarray(aorta.query(points, distance_upper_bound=WIDEST_OSTIAL_GAP_MM)[0])
    near = np.flatnonzero(np.isfinite(gaps))
    piece_of_node = graph.pieces()
    _, node_of_voxel = cKDTree(graph.points_lps_mm).query(points[near])
    piece_of_voxel = piece_of_node[node_of_voxel]
    roots: list[int] = []
    root_gaps: list[float] = []
    result = graph
    for piece in np.unique(piece_of_voxel):
        members = np.flatnonzero(piece_of_node == piece)
        if _extent_mm(graph, members) + 2 * graph.radius_mm[members].max() < SHORTEST_BEGINNING_MM:
            continue
        own = near[piece_of_voxel == piece]
        contacts = _contacts(graph, members, points[own], gaps[own])
        contacts += _pointing_ends(graph, members, aorta, surface)
        for contact in _chosen(contacts):
            result = result.with_point(contact.point, float(graph.radius_mm[contact.node]), contact.node)
            roots.append(len(result) - 1)
            root_gaps.append(contact.gap_mm)
    return result, tuple(roots), tuple(root_gaps)


def long_systems(
    graph: CurveGraph, roots: tuple[int, ...], gaps_mm: tuple[float, ...]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Roots, and their gaps to the aorta, from which an artery of some length grows."""
    tree = grow_tree(graph, roots)
    reach: dict[int, float] = dict.fromkeys(roots, 0.0)
    for stretch in tree.roots():
        root = tree.stretches[stretch].nodes[0]
        reach[root] = max(reach[root], tree.height_mm(stretch))
    kept = [i for i, root in enumerate(roots) if reach[root] >= SHORTEST_SYSTEM_MM]
    return tuple(roots[i] for i in kept), tuple(gaps_mm[i] for i in kept)


def systems_of(tree: CurveTree, roots: Sequence[int], surface: Points) -> dict[int, System]:
    """Say which system grows from each root: left if its first centimetres lie left of the aorta, else right.

    Where all seem to lie on one side and one lies far from another, they are the two systems, and the aorta's middle
    was misjudged. Separate ostia of LAD and LCX lie close together.
    """
    to_left = {root: _left_of_aorta_mm(tree, root, surface) for root in roots}
    systems: dict[int, System] = {root: "left" if mm > 0 else "right" for root, mm in to_left.items()}
    if not systems:
        return systems
    rightmost, leftmost = (choose(to_left, key=lambda root: to_left[root]) for choose in (min, max))
    if to_left[leftmost] - to_left[rightmost] > SYSTEMS_APART_MM:
        systems[rightmost], systems[leftmost] = "right", "left"
    return systems


def _left_of_aorta_mm(tree: CurveTree, root: int, surface: Points) -> float:
    """How far left of the middle of the aorta the first centimetres of a system lie on average."""
    start = tree.graph.points_lps_mm[root]
    beside = surface[np.linalg.norm(surface - start, axis=1) < 2 * 20.0]
    beside = beside[np.abs(beside[:, 2] - start[2]) < 10.0]
    middle = (beside if len(beside) else surface).mean(axis=0)
    places = []
    for stretch in tree.roots():
        if tree.stretches[stretch].nodes[0] != root:
            continue
        for member in tree.subtree(stretch):
            points = tree.points(tree.stretches[member].nodes)
            places.append(points[np.linalg.norm(points - start, axis=1) < PROXIMAL_MM])
    return float(np.concatenate(places)[:, 0].mean() - middle[0])


def _contacts(
    graph: CurveGraph, members: NDArray[np.intp], points: Points, gaps: NDArray[np.float64]
) -> list[_Contact]:
    """Patches of voxels nearest to the aorta, each with the curve's node behind it."""
    limit = max(TOUCHING_MM, float(gaps.min()) + TOUCHING_MM)
    close = gaps <= limit
    points, gaps = points[close], gaps[close]
    ends = _ends(graph, members)
    found = []
    while len(points):
        group = np.linalg.norm(points - points[np.argmin(gaps)], axis=1) < OSTIUM_MM
        centre = points[group].mean(axis=0)
        node = members[np.argmin(np.linalg.norm(graph.points_lps_mm[members] - centre, axis=1))]
        reach = 2 * graph.radius_mm[node] + 2.0
        close_ends = ends[np.linalg.norm(graph.points_lps_mm[ends] - centre, axis=1) < reach]
        is_wide_end = any(_beginning(graph, int(end))[1] >= SMALLEST_OSTIAL_RADIUS_MM for end in close_ends)
        found.append(_Contact(centre, int(node), float(gaps[group].min()), is_wide_end))
        points, gaps = points[~group], gaps[~group]
    return found


def _pointing_ends(graph: CurveGraph, members: NDArray[np.intp], aorta: cKDTree, surface: Points) -> list[_Contact]:
    """Ends of the curves that stop short of the aorta and point at it."""
    found = []
    for end in _ends(graph, members):
        place, radius = graph.points_lps_mm[end], float(graph.radius_mm[end])
        distance, nearest = aorta.query(place)
        if distance - radius > WIDEST_OSTIAL_GAP_MM:
            continue
        inward, calibre = _beginning(graph, int(end))
        towards = surface[nearest] - place
        if calibre >= SMALLEST_OSTIAL_RADIUS_MM and angle_deg(-inward, towards) < OSTIAL_ANGLE_DEG:
            border = place + min(radius, 0.9 * float(distance)) * unit(towards)
            found.append(_Contact(border, int(end), max(0.0, float(distance) - radius), True))
    return found


def _chosen(contacts: list[_Contact]) -> list[_Contact]:
    """One contact per ostium: where a vessel of some width ends at the aorta; else the one with the smallest gap.

    A vessel that only grazes the aorta on its way does not end there.
    """
    ranked = sorted(contacts, key=lambda contact: (not contact.is_wide_end, contact.gap_mm))
    chosen: list[_Contact] = []
    for contact in ranked:
        if chosen and not contact.is_wide_end:
            break
        if all(np.linalg.norm(contact.point - other.point) > APART_MM for other in chosen):
            chosen.append(contact)
    return chosen


def _beginning(graph: CurveGraph, end: int) -> tuple[Points, float]:
    """Direction from an end of the curves inward, and the calibre there."""
    tree = grow_tree(graph, [end])
    course = tree.longest_course(tree.roots()[0])
    return tree.heading(course, *FIRST_MM), tree.radius_between_mm(course, *FIRST_MM)


def _ends(graph: CurveGraph, members: NDArray[np.intp]) -> NDArray[np.intp]:
    neighbours = np.bincount(graph.edges.ravel(), minlength=len(graph))
    ends: NDArray[np.intp] = members[neighbours[members] == 1]
    return ends


def _extent_mm(graph: CurveGraph, members: NDArray[np.intp]) -> float:
    tree = grow_tree(graph, [int(members[0])])
    if not tree.stretches:
        return 0.0
    course = max((tree.longest_course(root) for root in tree.roots()), key=len)
    tree = grow_tree(graph, [course[-1]])
    return max((float(arc_length_mm(tree.points(tree.longest_course(root)))[-1]) for root in tree.roots()), default=0.0)
