"""Which narrow tubes are no arteries: veins that run along an artery, cross it, join it against the flow, or are dim.

Decides from angle, place, calibre and attenuation, as the paper lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from coronary.coronary_tree.components import DIM_SHARE, DroppedPiece
from coronary.coronary_tree.curves import angle_deg, arc_length_mm, unit
from coronary.coronary_tree.growing import CurveTree, grow_tree
from coronary.coronary_tree.skeleton import CurveGraph

#: Standard deviation of the point spread (FWHM 0.7 to 1.2 mm); a cylinder of radius r keeps 1 - exp(-r²/2σ²) in its
#: middle.
POINT_SPREAD_MM: Final = 0.45

#: Way back along an artery that says how bright it is at a place.
REFERENCE_MM: Final = 15.0

#: Beginning of a branch that says how bright it is.
BEGINNING_MM: Final = 20.0

#: A vein keeps this close to an artery (wall to wall) and this parallel over this share of this much of its course. So
#: do some branches, but they are narrower than the artery they leave (see BRANCH_CALIBRE).
BESIDE_GAP_MM: Final = 3.0
BESIDE_ANGLE_DEG: Final = 40.0
BESIDE_SHARE: Final = 0.6
BESIDE_LENGTH_MM: Final = 15.0

#: A branch that is this much wider than its artery is not its branch, where the artery has been followed for this long.
WIDER_THAN_PARENT: Final = 2.0
CALIBRE_MM: Final = 15.0

#: A branch that leaves at more than this angle to the flow runs against it, unless it is narrow.
BACKWARD_DEG: Final = 125.0

#: Up to this share of the calibre before it a branch is narrower than its artery, as arterial branches are.
BRANCH_CALIBRE: Final = 0.85

#: A stump shorter than this does not continue an artery that has a longer branch at the same place.
SHORTEST_CONTINUATION_MM: Final = 8.0

#: Two branches that leave opposite each other by more than this are one vessel that crosses.
CROSSING_DEG: Final = 155.0


def is_too_dim(graph: CurveGraph, nodes: Sequence[int] | NDArray[np.intp], reference_hu: float) -> bool:
    """Whether nodes hold less contrast than arteries of their calibre do where wide ones have ``reference_hu``."""
    bright_hu = _contrast_hu(graph, nodes)
    return bright_hu is not None and bright_hu < DIM_SHARE * reference_hu


def local_reference_hu(tree: CurveTree, node: int, reference_hu: float) -> float:
    """Attenuation that arteries have at a node of the tree: less than the proximal ones where motion dims a vessel."""
    way = next(tree.way_to(i) for i, stretch in enumerate(tree.stretches) if node in stretch.nodes)
    upstream = way[way.index(node) :: -1]
    bright_hu = _contrast_hu(tree.graph, np.array(upstream)[arc_length_mm(tree.points(upstream)) <= REFERENCE_MM])
    return reference_hu if bright_hu is None else min(reference_hu, bright_hu)


def _contrast_hu(graph: CurveGraph, nodes: Sequence[int] | NDArray[np.intp]) -> float | None:
    """Attenuation of a course, without what the point spread takes from it; None where nothing is known.

    The upper quarter counts: in a ragged mask many nodes lie beside the middle of the vessel.
    """
    chosen = np.asarray(nodes, dtype=np.intp)
    chosen = chosen[np.isfinite(graph.attenuation_hu[chosen])]
    if len(chosen) == 0:
        return None
    radius, hu = np.percentile([graph.radius_mm[chosen], graph.attenuation_hu[chosen]], 75, axis=1)
    kept = 1.0 - np.exp(-0.5 * (radius / POINT_SPREAD_MM) ** 2)
    return float(hu / kept)


def runs_beside(tree: CurveTree, course: Sequence[int], others: Sequence[int] | None = None) -> bool:
    """Whether a course (graph nodes) runs along the tree, or along some of its stretches, as veins do."""
    points = tree.points(course)
    if float(arc_length_mm(points)[-1]) < BESIDE_LENGTH_MM:
        return False
    places, directions, radii = [], [], []
    for i in range(len(tree.stretches)) if others is None else others:
        nodes = tree.stretches[i].nodes
        places.append(tree.points(nodes))
        directions.append(_directions(tree.points(nodes)))
        radii.append(tree.graph.radius_mm[list(nodes)])
    if not places:
        return False
    distance, nearest = cKDTree(np.concatenate(places)).query(points)
    gap = distance - np.concatenate(radii)[nearest] - tree.graph.radius_mm[list(course)]
    along = np.abs(np.sum(_directions(points) * np.concatenate(directions)[nearest], axis=1))
    is_beside = (gap < BESIDE_GAP_MM) & (along > np.cos(np.radians(BESIDE_ANGLE_DEG)))
    return float(is_beside.mean()) >= BESIDE_SHARE


def without_veins(
    graph: CurveGraph, roots: Sequence[int], reference_hu: float
) -> tuple[CurveTree, tuple[DroppedPiece, ...]]:
    """Grow the tree and take away, one at a time, the branches that are veins or other tissue.

    Only the stretch itself is taken away; arteries that were reached through it are reached again from where they come.
    """
    dropped: list[DroppedPiece] = []
    while True:
        tree = grow_tree(graph, roots)
        found = next(((i, code) for i in range(len(tree.stretches)) if (code := _reason(tree, i, reference_hu))), None)
        if found is None:
            return tree, tuple(dropped)
        stretch, code = found
        nodes = tree.stretches[stretch].nodes
        x, y, z = (float(value) for value in tree.points(nodes).mean(axis=0))
        dropped.append(DroppedPiece(code, (x, y, z), tree.length_mm(stretch)))
        # The last node stays: it is where other branches, or the artery on the other side of the contact, begin.
        inner = nodes[1:-1] if tree.stretches[stretch].children else nodes[1:]
        graph = graph.without(inner or nodes[1:])


def _reason(tree: CurveTree, number: int, reference_hu: float) -> str | None:
    """Say why a stretch is no artery, or None."""
    stretch = tree.stretches[number]
    if stretch.parent < 0:
        return None
    course = tree.longest_course(number)
    if is_too_dim(
        tree.graph, _beginning(tree, stretch.nodes), local_reference_hu(tree, stretch.nodes[0], reference_hu)
    ):
        return "TOO_DIM"
    siblings = [child for child in tree.stretches[stretch.parent].children if child != number]
    upstream = list(reversed(tree.way_to(stretch.parent)))
    junction_mm = float(tree.graph.radius_mm[upstream[0]])
    flow = -tree.heading(upstream, 0.0, 8.0)
    away = tree.heading(course, junction_mm, junction_mm + 8.0)
    if _continues(tree, number, siblings, upstream, flow):
        return None
    relative = tree.radius_between_mm(course, junction_mm + 2.0, junction_mm + 14.0) / _calibre_before(tree, upstream)
    if relative > WIDER_THAN_PARENT and arc_length_mm(tree.points(upstream))[-1] >= CALIBRE_MM:
        return "WIDER_THAN_PARENT"
    if relative > BRANCH_CALIBRE and angle_deg(away, flow) > BACKWARD_DEG:
        return "TURNS_BACK"
    for sibling in siblings:
        other = tree.heading(tree.longest_course(sibling), junction_mm, junction_mm + 8.0)
        if angle_deg(away, other) > CROSSING_DEG and not _continues(
            tree, sibling, [c for c in (*siblings, number) if c != sibling], upstream, flow
        ):
            return "CROSSES"
    own = set(tree.subtree(number))
    if relative > BRANCH_CALIBRE and runs_beside(tree, course, [i for i in range(len(tree.stretches)) if i not in own]):
        return "BESIDE_ARTERY"
    return None


def _beginning(tree: CurveTree, nodes: Sequence[int]) -> NDArray[np.intp]:
    """The first nodes of a stretch: further on motion may dim an artery as little contrast does a vein."""
    return np.array(nodes)[arc_length_mm(tree.points(nodes)) <= BEGINNING_MM]


def _continues(
    tree: CurveTree, number: int, siblings: Sequence[int], upstream: Sequence[int], flow: NDArray[np.float64]
) -> bool:
    """Whether a stretch is the continuation of its parent: the best of its siblings in direction and calibre."""
    before = _calibre_before(tree, upstream)

    def mismatch(child: int) -> float:
        course = tree.longest_course(child)
        junction_mm = float(tree.graph.radius_mm[upstream[0]])
        turn = np.radians(angle_deg(tree.heading(course, junction_mm, junction_mm + 8.0), flow))
        width = tree.radius_between_mm(course, junction_mm, junction_mm + 10.0)
        return float(turn + 2.0 * abs(np.log(width / before)))

    rivals = [other for other in siblings if tree.height_mm(other) >= SHORTEST_CONTINUATION_MM]
    return all(mismatch(number) <= mismatch(other) for other in rivals)


def _calibre_before(tree: CurveTree, upstream: Sequence[int]) -> float:
    """Calibre of the artery before a branch, from courses that lead back from it; a narrow place does not count."""
    along = arc_length_mm(tree.points(upstream))
    return float(np.percentile(tree.graph.radius_mm[list(upstream)][along <= CALIBRE_MM], 80))


def _directions(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Direction of a course at each point, over about 4 mm."""
    if len(points) < 2:
        return np.zeros_like(points)
    reach = min(5, len(points) - 1)
    number = np.arange(len(points))
    return unit(points[np.minimum(number + reach, len(points) - 1)] - points[np.maximum(number - reach, 0)])
