"""From a graph of curves to trees that grow out of the ostia: shortest ways, loops cut, spurs removed.

Decides what is a branch and what is an artefact of thinning. Names nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from coronary.coronary_tree.curves import Points, Values, arc_length_mm, at_positions
from coronary.coronary_tree.skeleton import CurveGraph

#: A branch reaches at least this far out of the vessel it leaves (and at least that vessel's radius); less is a spur.
SHORTEST_BRANCH_MM: Final = 2.0

#: A tip that is not an end of the skeleton is where a loop was cut: two vessels that touch, or a hole in the mask.
SHORTEST_CUT_LOOP_MM: Final = 8.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A course without branches.

    ``nodes`` are indices into the graph, from the point it leaves (an ostium or the last node of ``parent``) to its
    last. ``parent`` is -1 at an ostium.
    """

    nodes: tuple[int, ...]
    parent: int
    children: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CurveTree:
    """Stretches that grow out of ostia; each comes after its parent."""

    graph: CurveGraph
    stretches: tuple[Stretch, ...]

    def roots(self) -> list[int]:
        """Stretches that start at an ostium."""
        return [i for i, stretch in enumerate(self.stretches) if stretch.parent < 0]

    def points(self, nodes: Sequence[int]) -> Points:
        """Positions of nodes, shape (n, 3), LPS mm."""
        return self.graph.points_lps_mm[list(nodes)]

    def length_mm(self, stretch: int) -> float:
        """Length of one stretch."""
        return float(arc_length_mm(self.points(self.stretches[stretch].nodes))[-1])

    def height_mm(self, stretch: int) -> float:
        """Way from the start of a stretch to its farthest tip."""
        beyond = (self.height_mm(child) for child in self.stretches[stretch].children)
        return self.length_mm(stretch) + max(beyond, default=0.0)

    def subtree(self, stretch: int) -> list[int]:
        """A stretch and everything that grows from it."""
        found = [stretch]
        for member in found:
            found.extend(self.stretches[member].children)
        return found

    def longest_course(self, stretch: int) -> list[int]:
        """Nodes from the start of a stretch to its farthest tip."""
        nodes = list(self.stretches[stretch].nodes)
        children = self.stretches[stretch].children
        while children:
            stretch = max(children, key=self.height_mm)
            nodes.extend(self.stretches[stretch].nodes[1:])
            children = self.stretches[stretch].children
        return nodes

    def way_to(self, stretch: int) -> list[int]:
        """Nodes from the ostium to the last node of a stretch."""
        parent = self.stretches[stretch].parent
        nodes = self.stretches[stretch].nodes
        return [*self.way_to(parent), *nodes[1:]] if parent >= 0 else list(nodes)

    def heading(self, nodes: Sequence[int], first_mm: float, last_mm: float) -> NDArray[np.float64]:
        """Chord (mm) between two places along a course, each counted from its start and kept on it."""
        points = self.points(nodes)
        along = arc_length_mm(points)
        last = min(last_mm, float(along[-1]))
        first = min(first_mm, 0.5 * last)
        start, end = at_positions(points, np.interp([first, last], along, np.arange(len(along))))
        chord: NDArray[np.float64] = end - start
        return chord

    def radius_between_mm(self, nodes: Sequence[int], first_mm: float, last_mm: float) -> float:
        """Median radius between two places along a course; the whole course's where it ends before the first."""
        along = arc_length_mm(self.points(nodes))
        radius = self.graph.radius_mm[list(nodes)]
        chosen = (along >= first_mm) & (along <= last_mm)
        return float(np.median(radius[chosen] if chosen.any() else radius))


def grow_tree(graph: CurveGraph, roots: Sequence[int], *, keep_spurs: bool = False) -> CurveTree:
    """Grow trees from root nodes along the shortest ways through the graph.

    Every node belongs to the root it is nearest to along the curves, so two trees that touch are parted halfway and a
    loop is cut where its two ways are equally long. What no root reaches is left out. Spurs may be kept where a short
    stump before an interruption counts.
    """
    reach, previous, _ = dijkstra(
        graph.lengths_mm(), directed=False, indices=list(roots), return_predecessors=True, min_only=True
    )
    order = [int(node) for node in np.argsort(reach, kind="stable") if np.isfinite(reach[node])]
    children: dict[int, list[int]] = {node: [] for node in order}
    for node in order:
        if previous[node] >= 0:
            children[int(previous[node])].append(node)
    kept = children if keep_spurs else _without_spurs(graph, order, children, reach)
    stretches: list[tuple[list[int], int]] = []
    offspring: dict[int, list[int]] = {}
    open_ends = [([int(root), child], -1) for root in dict.fromkeys(roots) for child in kept[int(root)]]
    while open_ends:
        nodes, parent = open_ends.pop(0)
        while len(kept[nodes[-1]]) == 1:
            nodes.append(kept[nodes[-1]][0])
        number = len(stretches)
        stretches.append((nodes, parent))
        offspring.setdefault(parent, []).append(number)
        open_ends.extend(([nodes[-1], child], number) for child in kept[nodes[-1]])
    return CurveTree(
        graph,
        tuple(
            Stretch(tuple(nodes), parent, tuple(offspring.get(i, ()))) for i, (nodes, parent) in enumerate(stretches)
        ),
    )


def _without_spurs(
    graph: CurveGraph, order: Sequence[int], children: dict[int, list[int]], reach_mm: Values
) -> dict[int, list[int]]:
    """Children of each node without those that lead only to spurs; the farthest-reaching child always stays."""
    neighbours = np.bincount(graph.edges.ravel(), minlength=len(graph))
    farthest = np.array(reach_mm)
    is_cut = np.zeros(len(graph), dtype=bool)
    for node in reversed(order):
        if children[node]:
            best = max(children[node], key=lambda child: float(farthest[child]))
            farthest[node], is_cut[node] = farthest[best], is_cut[best]
        else:
            is_cut[node] = neighbours[node] > 1
    kept: dict[int, list[int]] = {}
    for node in order:
        ranked = sorted(children[node], key=lambda child: -float(farthest[child]))
        shortest = {
            False: graph.radius_mm[node] + max(SHORTEST_BRANCH_MM, float(graph.radius_mm[node])),
            True: graph.radius_mm[node] + SHORTEST_CUT_LOOP_MM,
        }
        kept[node] = ranked[:1] + [
            child for child in ranked[1:] if farthest[child] - reach_mm[node] >= shortest[bool(is_cut[child])]
        ]
    return kept
