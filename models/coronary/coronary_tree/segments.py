"""Which artery is which: left main, LAD, circumflex, right coronary artery, their branches, and SCCT segment ids.

Decides from the geometry of the tree and its ostia alone; how trunks run is in ``trunks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

import numpy as np

from coronary.calcium import Vessel
from coronary.coronary_tree.curves import arc_length_mm
from coronary.coronary_tree.growing import CurveTree
from coronary.coronary_tree.ostia import System
from coronary.coronary_tree.trunks import (
    POSTERIOR_LPS,
    HeartAxes,
    direction,
    follow_trunk,
    furthest_mm,
    heart_axes,
    is_at_the_back,
    nodes_of,
    turn_to_apex,
)
from coronary.reasons import QualityNote

Dominance = Literal["right", "left", "codominant"]
Borders = tuple[tuple[float, int], ...]

#: Borders of the main trunks' segments as shares of their length, with the segment that begins there. SCCT places them
#: at the first diagonal or septal, halfway to the apex, the acute margin and the first obtuse marginal (Leipsic 2014);
#: shares do not move with a side branch that the mask lacks, and are those the virtual patients are drawn with.
LAD_BORDERS: Final[Borders] = ((0.0, 6), (0.22, 7), (0.55, 8))
LCX_BORDERS: Final[Borders] = ((0.0, 11), (0.40, 13))
RCA_BORDERS: Final[Borders] = ((0.0, 1), (0.30, 2), (0.62, 3))

#: From the end of the left main, the circumflex goes this much further to the lateral side than to the apex, or this
#: far to the back; diagonals go to the apex as much, and none goes back.
CIRCUMFLEX_AROUND_MM: Final = 10.0
CIRCUMFLEX_BACK_MM: Final = 10.0

#: Weight of "anterior" beside "to the apex" in the search for the LAD: marginals and the left posterior descending
#: artery reach as near to the apex, from behind.
ANTERIOR_WEIGHT: Final = 0.5

#: Left main where no bifurcation shows its end (mean of CT series, 10.5 ± 4 mm).
TYPICAL_LEFT_MAIN_MM: Final = 10.0

#: A branch that leaves the left main, or the LAD or circumflex this close to it, is the ramus.
RAMUS_MM: Final = 6.0

#: A posterior descending artery that leaves its trunk as a branch has at least this length, and at its tip has come
#: nearer to the apex by at least this share of it.
DESCENDING_SHARE: Final = 0.5
SHORTEST_DESCENDING_MM: Final = 15.0

#: A branch of the LAD whose direction lies this far to the septal side is a septal, which SCCT does not number.
SEPTAL_COSINE: Final = 0.3


@dataclass(frozen=True, slots=True)
class NamedCourse:
    """One artery: its nodes from the point on its parent on, and at which share of its length which segment begins.

    ``parent`` is None at an ostium.
    """

    name: str
    parent: str | None
    vessel: Vessel
    nodes: tuple[int, ...]
    borders: Borders


@dataclass(frozen=True, slots=True)
class NamedTree:
    """All arteries, each after its parent; dominance (None where no artery reaches the crux); what is missing."""

    courses: tuple[NamedCourse, ...]
    dominance: Dominance | None
    notes: tuple[QualityNote, ...]


@dataclass(frozen=True, slots=True)
class _Trunks:
    courses: tuple[NamedCourse, ...]
    notes: tuple[QualityNote, ...] = ()


def name_courses(tree: CurveTree, systems: Mapping[int, System]) -> NamedTree:
    """Name every course of a tree.

    Parameters
    ----------
    systems
        System of each ostium, by its node.
    """
    axes = heart_axes()
    roots: dict[System, list[int]] = {"left": [], "right": []}
    for root in tree.roots():
        roots[systems[tree.stretches[root].nodes[0]]].append(root)
    left, right = _left_trunks(tree, roots["left"], axes), _right_trunks(tree, roots["right"], axes)
    trunks = (*left.courses, *right.courses)
    names = {course.name for course in trunks}
    dominance: Dominance | None = None
    if {"L-PDA", "R-PDA"} & names:
        dominance = "codominant" if {"L-PDA", "R-PDA"} <= names else "left" if "L-PDA" in names else "right"
    return NamedTree(_with_branches(tree, trunks, axes), dominance, (*left.notes, *right.notes))


def segment_at(borders: Borders, share: float) -> int:
    """Segment id at a share (0 to 1) of a course's length."""
    return [segment for start, segment in borders if share >= start][-1]


def _left_trunks(tree: CurveTree, roots: Sequence[int], axes: HeartAxes) -> _Trunks:
    """The left main ends where the ways to the LAD and to the circumflex part."""
    if not roots:
        return _Trunks((), (QualityNote("LEFT_TREE_MISSING", "No left coronary artery was found at the aorta."),))
    members = [i for root in roots for i in tree.subtree(root)]
    ostium = tree.points(tree.stretches[roots[0]].nodes[:1])[0]
    around = axes.lateral - axes.apex
    anterior = axes.apex - ANTERIOR_WEIGHT * POSTERIOR_LPS
    # A left main that leads to the apex begins further around than its circumflex gets.
    beyond_main = [i for i in members if i not in roots] or members
    way = _way_down(tree, max(beyond_main, key=lambda i: furthest_mm(tree, [i], around)))
    chain = _way_down(tree, max(members, key=lambda i: furthest_mm(tree, [i], anterior)))
    shared = [a for a, b in zip(chain, way, strict=False) if a == b]
    fork = tree.points(tree.stretches[shared[-1]].nodes)[-1] if shared else ostium
    has_circumflex = len(shared) < len(way) and (
        furthest_mm(tree, way[-1:], around) - float(fork @ around) >= CIRCUMFLEX_AROUND_MM
        or furthest_mm(tree, way[-1:], POSTERIOR_LPS) - float(fork @ POSTERIOR_LPS) >= CIRCUMFLEX_BACK_MM
    )
    beyond = nodes_of(tree, chain[len(shared) :]) if len(shared) < len(chain) else []
    has_descending = bool(beyond) and float(np.median((tree.points(beyond) - ostium) @ POSTERIOR_LPS)) < 0
    if not (has_circumflex and has_descending):
        return _single_trunk(tree, max(roots, key=tree.height_mm), axes, is_circumflex=has_circumflex)
    parent = "LM" if shared else None
    main = [_left_main(nodes_of(tree, shared))] if shared else []
    nodes = nodes_of(tree, follow_trunk(tree, chain[len(shared)], axes.lateral, anterior))
    descending = NamedCourse("LAD", parent, Vessel.LAD, tuple(nodes), LAD_BORDERS)
    return _Trunks((*main, descending, *_groove_trunk(tree, way[len(shared)], parent, "left", axes)))


def _single_trunk(tree: CurveTree, root: int, axes: HeartAxes, *, is_circumflex: bool) -> _Trunks:
    """A left tree in which the LAD or the circumflex is missing; nothing shows where its left main ends."""
    nodes = nodes_of(tree, follow_trunk(tree, root, axes.apex if is_circumflex else axes.lateral))
    end = int(np.searchsorted(arc_length_mm(tree.points(nodes)), TYPICAL_LEFT_MAIN_MM))
    end = min(max(end, 1), len(nodes) - 2)
    name, missing = ("LCX", "LAD") if is_circumflex else ("LAD", "LCX")
    vessel, borders = (Vessel.LCX, LCX_BORDERS) if is_circumflex else (Vessel.LAD, LAD_BORDERS)
    note = QualityNote(
        f"{missing}_MISSING",
        f"No {missing} was found; the left main was taken to be {TYPICAL_LEFT_MAIN_MM:.0f} mm long.",
    )
    return _Trunks(
        (_left_main(nodes[: end + 1]), NamedCourse(name, "LM", vessel, tuple(nodes[end:]), borders)), (note,)
    )


def _left_main(nodes: Sequence[int]) -> NamedCourse:
    return NamedCourse("LM", None, Vessel.LM, tuple(nodes), ((0.0, 5),))


def _right_trunks(tree: CurveTree, roots: Sequence[int], axes: HeartAxes) -> _Trunks:
    if not roots:
        return _Trunks((), (QualityNote("RIGHT_TREE_MISSING", "No right coronary artery was found at the aorta."),))
    return _Trunks(tuple(_groove_trunk(tree, max(roots, key=tree.height_mm), None, "right", axes)))


def _groove_trunk(
    tree: CurveTree, start: int, parent: str | None, system: System, axes: HeartAxes
) -> list[NamedCourse]:
    """The circumflex or right coronary artery, and what supplies the back of the heart where it reaches the crux.

    There a branch leaves it for the apex, or it turns to the apex itself: whichever comes first.
    """
    chain = follow_trunk(tree, start, axes.apex)
    nodes = nodes_of(tree, chain)
    name, vessel, borders = ("LCX", Vessel.LCX, LCX_BORDERS) if system == "left" else ("RCA", Vessel.RCA, RCA_BORDERS)
    descending, lateral = ("L-PDA", 15), ("L-PLB", 18)
    if system == "right":
        descending, lateral = ("R-PDA", 4), ("R-PLB", 16)
    back = is_at_the_back(tree.points(nodes), axes, system)
    leaving = [
        child
        for member in chain
        for child in tree.stretches[member].children
        if child not in chain and back[nodes.index(tree.stretches[child].nodes[0])] and _goes_to_apex(tree, child, axes)
    ]
    turn = turn_to_apex(tree.points(nodes), axes, system)
    child = max(leaving, key=tree.height_mm, default=None)
    division = len(nodes) if child is None else nodes.index(tree.stretches[child].nodes[0])
    parts: list[tuple[tuple[str, int], Sequence[int]]] = []
    end = len(nodes) - 1
    if turn is not None and turn < division:
        end, parts = turn, [(descending, nodes[turn:])]
    elif child is not None:
        end, parts = division, [(descending, tree.longest_course(child)), (lateral, nodes[division:])]
    trunk = NamedCourse(name, parent, vessel, tuple(nodes[: end + 1]), borders)
    return [trunk, *(NamedCourse(label, name, vessel, tuple(n), ((0.0, segment),)) for (label, segment), n in parts)]


def _with_branches(tree: CurveTree, trunks: Sequence[NamedCourse], axes: HeartAxes) -> tuple[NamedCourse, ...]:
    """Name what leaves the trunks, then what leaves their branches, each artery's from proximal to distal."""
    found = list(trunks)
    named = {node for course in trunks for node in course.nodes}
    taken: set[str] = {course.name for course in trunks}
    for owner in found:
        along = arc_length_mm(tree.points(owner.nodes))
        for place, node in enumerate(owner.nodes):
            for stretch in tree.stretches:
                if stretch.nodes[0] != node or stretch.nodes[1] in named:
                    continue
                nodes = tree.longest_course(tree.stretches.index(stretch))
                towards = direction(tree, tree.stretches.index(stretch))
                share = float(along[place] / along[-1])
                branch = _branch(owner, float(along[place]), share, nodes, float(towards @ axes.lateral), taken)
                found.append(branch)
                taken.add(branch.name)
                named.update(nodes)
    return tuple(found)


def _branch(
    owner: NamedCourse, at_mm: float, share: float, nodes: Sequence[int], lateral: float, taken: set[str]
) -> NamedCourse:
    """Name one side branch from the artery it leaves, where, and whether it goes to the lateral or septal side."""
    here = segment_at(owner.borders, share)

    def course(label: str, vessel: Vessel, segment: int) -> NamedCourse:
        return NamedCourse(label, owner.name, vessel, tuple(nodes), ((0.0, segment),))

    def numbered(prefix: str) -> str:
        return next(label for k in count(1) if (label := f"{prefix}{k}") not in taken)

    leaves_left_main = owner.name == "LM" or (owner.parent == "LM" and at_mm <= RAMUS_MM)
    if leaves_left_main and "RI" not in taken and lateral > -SEPTAL_COSINE:
        return course("RI", Vessel.LAD, 17)
    if owner.name == "LAD":
        if lateral < -SEPTAL_COSINE:
            return course(numbered("S"), Vessel.LAD, here)
        label = numbered("D")
        return course(label, Vessel.LAD, 9 if label == "D1" else 10)
    if owner.name == "LCX":
        label = numbered("OM")
        return course(label, Vessel.LCX, 12 if label == "OM1" else 14)
    if owner.name == "RCA":
        return course(numbered("RV"), Vessel.RCA, here)
    return course(numbered(f"{owner.name}."), owner.vessel, here)


def _goes_to_apex(tree: CurveTree, stretch: int, axes: HeartAxes) -> bool:
    points = tree.points(tree.longest_course(stretch))
    length = float(arc_length_mm(points)[-1])
    advance = float((points[-1] - points[0]) @ axes.apex)
    return length >= SHORTEST_DESCENDING_MM and advance >= DESCENDING_SHARE * length


def _way_down(tree: CurveTree, stretch: int) -> list[int]:
    """Stretches from the ostium to one of them."""
    parent = tree.stretches[stretch].parent
    return [*_way_down(tree, parent), stretch] if parent >= 0 else [stretch]
