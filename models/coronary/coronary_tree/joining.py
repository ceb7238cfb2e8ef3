"""Which interrupted pieces belong to the coronary tree: bridged by distance, direction, calibre and what lies between.

Calcium that the mask leaves out, a stent, motion or a weak network interrupt an artery; what follows still points at
what came before, or the scan shows the lumen between them. A vein that runs past points along the artery, not at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from coronary.coronary_tree.components import DroppedPiece
from coronary.coronary_tree.curves import CENTERLINE_STEP_MM, angle_deg, arc_length_mm
from coronary.coronary_tree.growing import CurveTree, grow_tree
from coronary.coronary_tree.skeleton import CurveGraph
from coronary.coronary_tree.veins import is_too_dim, local_reference_hu, runs_beside
from coronary.ct_volume import CtVolume

#: A tip of the tree that is reached by this much of a detour, through a vessel that touches its own further on, is
#: joined to a nearer tip where both are trunks by their radius.
DETOUR_MM: Final = 40.0
SMALLEST_TRUNK_RADIUS_MM: Final = 0.8

#: Lumen is seen between two points where this share of the straight way holds more than this share of the contrast of
#: the dimmer of both: half is the border of a lumen.
VISIBLE_SHARE: Final = 0.8
VISIBLE_CONTRAST: Final = 0.5
VISIBLE_STEP_MM: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Limits:
    """How far apart two ends, or an end and a side, may lie, and what they may differ by.

    Gaps are those in the mask: between the ends of the curves less the radius at both. Two ends point at each other
    within ``mean_deg`` on average and each within ``end_deg``, since arteries bend; an end points at a side within
    ``side_deg``. Calibre is that behind a gap relative to before it; arteries taper.
    """

    gap_mm: float
    side_gap_mm: float
    mean_deg: float
    end_deg: float
    side_deg: float
    calibre: tuple[float, float]
    side_calibre: float


#: Without and with lumen seen between the pieces.
BLIND: Final = _Limits(9.0, 5.0, 55.0, 75.0, 45.0, (0.4, 1.5), 1.15)
SEEN: Final = _Limits(13.0, 9.0, 80.0, 110.0, 75.0, (0.2, 5.0), 1.5)

#: Without lumen seen, but with a long piece that is met head on: its calibre at the gap says little, since the mask of
#: a diseased stretch is thin. Veins that long do not point at the tip of an artery.
HEAD_ON: Final = _Limits(16.0, 0.0, 35.0, 45.0, 0.0, (0.2, 6.0), 0.0)
LONG_PIECE_MM: Final = 50.0

#: What a bridge costs where no lumen is seen, relative to one where it is.
BLIND_COST: Final = 2.0

#: A branch does not leave against the flow of its artery by more than this.
BRANCH_ANGLE_DEG: Final = 120.0

#: Shorter pieces have no direction of their own.
SHORTEST_DIRECTED_MM: Final = 4.0

#: Part of an end whose direction counts, from the tip: thinning bends the last voxels.
_TIP_MM: Final = (1.0, 7.0)

#: What a bridge to a side costs more than one between ends, mm: an interrupted trunk is the likelier story.
_SIDE_COST_MM: Final = 3.0


@dataclass(frozen=True, slots=True)
class Join:
    """A bridged interruption: its middle (LPS mm) and its length between the ends of the curves (mm)."""

    center_lps_mm: tuple[float, float, float]
    gap_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class _End:
    """A tip: its node, the direction it points to (zero if too short to tell) and the calibre behind it."""

    node: int
    outward: NDArray[np.float64]
    radius_mm: float


@dataclass(frozen=True, slots=True)
class _Bridge:
    cost_mm: float
    tree_node: int
    piece_node: int
    piece: int


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A part of the graph that no root reaches: its nodes, their places in a search tree, its tips, its length."""

    members: NDArray[np.intp]
    search: cKDTree
    ends: list[_End]
    length_mm: float


@dataclass(slots=True, eq=False)
class _Sight:
    """What the scan shows between two nodes; every answer is kept, since the same gap is looked at many times."""

    volume: CtVolume
    known: dict[tuple[int, int], bool] = field(default_factory=dict)

    def is_lumen_between(self, graph: CurveGraph, first: int, second: int) -> bool:
        """Whether the straight way between two nodes is lumen (or calcium)."""
        key = (first, second)
        if key not in self.known:
            ends = graph.points_lps_mm[[first, second]]
            count = max(2, int(np.linalg.norm(ends[1] - ends[0]) / VISIBLE_STEP_MM) + 1)
            share = np.linspace(0.0, 1.0, count)[:, None]
            index = self.volume.to_index_zyx((1.0 - share) * ends[0] + share * ends[1])
            hu = map_coordinates(self.volume.voxels_hu, index.T, output=np.float64, order=1, mode="nearest")
            wanted = VISIBLE_CONTRAST * float(np.nanmin(graph.attenuation_hu[[first, second]], initial=np.inf))
            self.known[key] = wanted > 0 and float(np.mean(hu >= wanted)) >= VISIBLE_SHARE
        return self.known[key]


def join_pieces(
    graph: CurveGraph, roots: Sequence[int], reference_hu: float, volume: CtVolume
) -> tuple[CurveGraph, tuple[Join, ...], tuple[DroppedPiece, ...]]:
    """Bridge the gaps between the trees that grow from the roots and the pieces that belong to them.

    The cheapest bridge is built first; what it adds can carry the next.

    Parameters
    ----------
    reference_hu
        Attenuation of the arteries; pieces as dim as veins are not joined.
    """
    sight = _Sight(volume)
    labels = graph.pieces()
    rooted = {int(labels[root]) for root in roots}
    open_pieces = {int(label): _piece(graph, labels, int(label)) for label in np.unique(labels) if label not in rooted}
    joins: list[Join] = []
    dropped: list[DroppedPiece] = []
    while True:
        tree = grow_tree(graph, roots, keep_spurs=True)
        bridge = min(_bridges(graph, tree, open_pieces, sight), key=lambda one: one.cost_mm, default=None)
        if bridge is None:
            break
        members = open_pieces.pop(bridge.piece).members
        if is_too_dim(graph, members, local_reference_hu(tree, bridge.tree_node, reference_hu)):
            dropped.append(_dropped(graph, members, "TOO_DIM"))
        elif runs_beside(tree, _course_of_piece(graph, members)):
            dropped.append(_dropped(graph, members, "BESIDE_ARTERY"))
        else:
            joins.append(_record(graph, bridge))
            graph = graph.with_bridge(bridge.tree_node, bridge.piece_node, CENTERLINE_STEP_MM)
    while (shortcut := _shortcut(tree, sight)) is not None:
        joins.append(_record(graph, shortcut))
        graph = graph.with_bridge(shortcut.tree_node, shortcut.piece_node, CENTERLINE_STEP_MM)
        tree = grow_tree(graph, roots, keep_spurs=True)
    dropped += [_dropped(graph, piece.members, "NOT_CONNECTED") for piece in open_pieces.values()]
    return graph, tuple(joins), tuple(dropped)


def _bridges(graph: CurveGraph, tree: CurveTree, pieces: dict[int, _Piece], sight: _Sight) -> Iterator[_Bridge]:
    """All bridges that fit: between two ends, from a branch to the side it left, from an artery to its division."""
    flow = _downstream(tree)
    if not flow:
        return
    nodes = np.array(sorted(flow))
    search = cKDTree(graph.points_lps_mm[nodes])
    tips = _tips(tree)
    reach = SEEN.side_gap_mm + 2 * float(graph.radius_mm.max())
    for label, piece in pieces.items():
        for end in piece.ends:
            for tip in tips:
                cost = _end_cost_mm(graph, tip, end, sight, is_long=piece.length_mm >= LONG_PIECE_MM)
                if cost is not None:
                    yield _Bridge(cost, tip.node, end.node, label)
            for near in search.query_ball_point(graph.points_lps_mm[end.node], reach):
                node = int(nodes[near])
                cost = _side_cost_mm(graph, node, end, sight)
                if cost is not None and angle_deg(-end.outward, flow[node]) <= BRANCH_ANGLE_DEG:
                    yield _Bridge(cost, node, end.node, label)
        for tip in tips:
            for near in piece.search.query_ball_point(graph.points_lps_mm[tip.node], reach):
                node = int(piece.members[near])
                cost = _side_cost_mm(graph, node, tip, sight)
                if cost is not None:
                    yield _Bridge(cost, tip.node, node, label)


def _shortcut(tree: CurveTree, sight: _Sight) -> _Bridge | None:
    """The cheapest bridge between two tips of the trees of which one was reached by a detour, if there is one."""
    tips = [(tip, way) for tip, way in _tips_and_ways(tree) if tip.radius_mm >= SMALLEST_TRUNK_RADIUS_MM]
    found = [
        _Bridge(cost, near.node, far.node, -1)
        for near, near_way in tips
        for far, far_way in tips
        if far_way >= near_way + DETOUR_MM and (cost := _end_cost_mm(tree.graph, near, far, sight)) is not None
    ]
    return min(found, key=lambda bridge: bridge.cost_mm, default=None)


def _end_cost_mm(graph: CurveGraph, tip: _End, end: _End, sight: _Sight, *, is_long: bool = False) -> float | None:
    """Cost of a bridge from a tip of the tree to an end of a piece, or None where they do not fit."""
    gap = graph.points_lps_mm[end.node] - graph.points_lps_mm[tip.node]
    length = float(np.linalg.norm(gap))
    free = length - float(graph.radius_mm[tip.node] + graph.radius_mm[end.node])
    if free > max(SEEN.gap_mm, HEAD_ON.gap_mm):
        return None
    angles = [angle_deg(tip.outward, gap)] if tip.outward.any() else []
    angles += [angle_deg(end.outward, -gap)] if end.outward.any() else []
    calibre = end.radius_mm / tip.radius_mm
    is_seen = sight.is_lumen_between(graph, tip.node, end.node)
    if is_seen:
        fits = _fits(SEEN, free, angles, calibre)
    else:
        fits = bool(angles) and _fits(BLIND, free, angles, calibre)
        fits |= is_long and len(angles) == 2 and _fits(HEAD_ON, free, angles, calibre)
    if not fits:
        return None
    mean = float(np.mean(angles)) if angles else SEEN.mean_deg
    return length * (1.0 + mean / 90.0) * (1.0 if is_seen else BLIND_COST)


def _fits(limits: _Limits, free_mm: float, angles_deg: list[float], calibre: float) -> bool:
    """Whether two ends are near enough, point at each other and are alike enough; without angles that is not asked."""
    return (
        free_mm <= limits.gap_mm
        and limits.calibre[0] <= calibre <= limits.calibre[1]
        and (not angles_deg or (max(angles_deg) <= limits.end_deg and float(np.mean(angles_deg)) <= limits.mean_deg))
    )


def _side_cost_mm(graph: CurveGraph, side: int, end: _End, sight: _Sight) -> float | None:
    """Cost of a bridge from an end to the side of an artery, or None where they do not fit."""
    gap = graph.points_lps_mm[side] - graph.points_lps_mm[end.node]
    side_radius = float(graph.radius_mm[side])
    length = max(float(np.linalg.norm(gap)) - side_radius, 0.0)
    free = length - float(graph.radius_mm[end.node])
    if free > SEEN.side_gap_mm:
        return None
    is_seen = sight.is_lumen_between(graph, side, end.node)
    limits = SEEN if is_seen else BLIND
    if free > limits.side_gap_mm:
        return None
    if not end.outward.any() and not is_seen:
        return None
    angle = angle_deg(end.outward, gap) if end.outward.any() else limits.side_deg
    if angle > limits.side_deg or end.radius_mm > limits.side_calibre * side_radius:
        return None
    return length * (1.0 + angle / 90.0) * (1.0 if is_seen else BLIND_COST) + _SIDE_COST_MM


def _tips(tree: CurveTree) -> list[_End]:
    """Distal ends of the trees."""
    return [tip for tip, _ in _tips_and_ways(tree)]


def _tips_and_ways(tree: CurveTree) -> list[tuple[_End, float]]:
    """Distal ends of the trees and their way from the ostium, mm."""
    ways = [tree.way_to(i) for i, stretch in enumerate(tree.stretches) if not stretch.children]
    return [(_end(tree, list(reversed(way))), float(arc_length_mm(tree.points(way))[-1])) for way in ways]


def _downstream(tree: CurveTree) -> dict[int, NDArray[np.float64]]:
    """Direction of flow at each node."""
    flow = {}
    for stretch in tree.stretches:
        points = tree.points(stretch.nodes)
        for i, node in enumerate(stretch.nodes):
            flow[node] = points[min(i + 6, len(points) - 1)] - points[max(i - 6, 0)]
    return flow


def _piece(graph: CurveGraph, labels: NDArray[np.intp], label: int) -> _Piece:
    members = np.flatnonzero(labels == label)
    course = _course_of_piece(graph, members)
    return _Piece(
        members,
        cKDTree(graph.points_lps_mm[members]),
        _ends_of_piece(graph, members, course),
        float(arc_length_mm(graph.points_lps_mm[course])[-1]),
    )


def _ends_of_piece(graph: CurveGraph, members: NDArray[np.intp], course: list[int]) -> list[_End]:
    """Both ends of the longest course of a piece, and its other tips."""
    if len(course) < 2:
        return [_End(int(members[0]), np.zeros(3), float(graph.radius_mm[members[0]]))]
    tree = grow_tree(graph, [course[0]], keep_spurs=True)
    return [_end(tree, course), *_tips(tree)]


def _course_of_piece(graph: CurveGraph, members: NDArray[np.intp]) -> list[int]:
    """Nodes of the longest course through a piece."""
    start = int(members[0])
    for _ in range(2):
        tree = grow_tree(graph, [start])
        if not tree.stretches:
            return [start]
        course = max((tree.longest_course(root) for root in tree.roots()), key=len)
        start = course[-1]
    return course


def _end(tree: CurveTree, inward: list[int]) -> _End:
    """Describe the first node of a course that leads inward from it."""
    length = float(arc_length_mm(tree.points(inward))[-1])
    outward = -tree.heading(inward, *_TIP_MM) if length >= SHORTEST_DIRECTED_MM else np.zeros(3)
    return _End(inward[0], outward, tree.radius_between_mm(inward, *_TIP_MM))


def _record(graph: CurveGraph, bridge: _Bridge) -> Join:
    ends = graph.points_lps_mm[[bridge.tree_node, bridge.piece_node]]
    x, y, z = (float(value) for value in ends.mean(axis=0))
    return Join((x, y, z), float(np.linalg.norm(ends[1] - ends[0])))


def _dropped(graph: CurveGraph, members: NDArray[np.intp], code: str) -> DroppedPiece:
    x, y, z = (float(value) for value in graph.points_lps_mm[members].mean(axis=0))
    length = float(arc_length_mm(graph.points_lps_mm[_course_of_piece(graph, members)])[-1])
    return DroppedPiece(code, (x, y, z), length)
