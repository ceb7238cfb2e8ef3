"""How a main trunk runs on through its branches, and where it reaches the back of the heart.

The grooves between the chambers are not seen; what stands for them are directions of the heart: a trunk in the
atrioventricular groove goes around the base, its branches to the apex; the LAD stays on the septal side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.coronary_tree.curves import CENTERLINE_STEP_MM, Points, arc_length_mm, resampled, unit
from coronary.coronary_tree.growing import CurveTree
from coronary.coronary_tree.ostia import System

#: From the base of the heart to the apex in LPS, a typical adult: left, anterior, caudal.
LONG_AXIS_LPS: Final = (0.65, -0.58, -0.48)

#: To the back in LPS.
POSTERIOR_LPS: Final = np.array([0.0, 1.0, 0.0])

#: A trunk is not continued into a child that carries less vessel length than this, or less than this share of what
#: another child does: a piece of an appendage or a vein is a blind alley.
SHORTEST_CONTINUATION_MM: Final = 10.0
SMALLEST_CONTINUATION_SHARE: Final = 0.15

#: Length over which the direction of a child counts, from where it has left the trunk.
DIRECTION_MM: Final = 15.0

#: Shorter ways to a tip say nothing about where a trunk leads.
SHORTEST_TIP_MM: Final = 15.0

#: What counts where a trunk divides: staying in its groove, calibre (natural logarithm), going straight on, reach.
GROOVE_WEIGHT: Final = 1.0
CALIBRE_WEIGHT: Final = 1.0
STRAIGHT_WEIGHT: Final = 0.5
REACH_WEIGHT_PER_MM: Final = 1 / 20

#: A trunk is at the back of the heart when it has come back this far from the acute margin (right) or the obtuse margin
#: (left) and lies this far behind its own start; in a turned heart the crux may lie a little before the right ostium
#: (up to 3 mm in 17 virtual patients, seeds 502001-502035).
BEYOND_MARGIN_MM: Final[Mapping[System, float]] = {"right": 10.0, "left": 20.0}
BEHIND_START_MM: Final[Mapping[System, float]] = {"right": -4.0, "left": 3.0}

#: Nor does a trunk that still goes on to the back by more than this: what leaves it there is the acute marginal.
BEFORE_MOST_POSTERIOR_MM: Final = 20.0

#: A trunk turns to the apex where its advance per mm grows by this much from one window to the next, while it no longer
#: recedes, if it advances by this much in the end.
TURN_WINDOW_MM: Final = 10.0
SMALLEST_TURN: Final = 0.25
SMALLEST_ADVANCE_MM: Final = 15.0


@dataclass(frozen=True, slots=True, eq=False)
class HeartAxes:
    """Directions of the heart in LPS, unit vectors: to the apex, to the lateral wall, to the cranial side."""

    apex: NDArray[np.float64]
    lateral: NDArray[np.float64]
    cranial: NDArray[np.float64]


def heart_axes() -> HeartAxes:
    """Axes of a typical heart; the body's long axis makes them perpendicular."""
    apex = unit(np.array(LONG_AXIS_LPS))
    cranial = unit(np.array([0.0, 0.0, 1.0]) - apex[2] * apex)
    return HeartAxes(apex, np.cross(cranial, apex), cranial)


def direction(tree: CurveTree, stretch: int) -> NDArray[np.float64]:
    """Unit direction of what grows from a stretch's start, once it has left the artery there."""
    course = tree.longest_course(stretch)
    leave_mm = float(tree.graph.radius_mm[course[0]])
    return unit(tree.heading(course, leave_mm, leave_mm + DIRECTION_MM))


def follow_trunk(
    tree: CurveTree, stretch: int, branches_go: NDArray[np.float64], trunk_goes: NDArray[np.float64] | None = None
) -> list[int]:
    """Stretches of the trunk that begins with one.

    At each division it goes on into the child that leads least to where its branches go, in its first centimetres and
    to its best tip; calibre and going straight on count as well, and reaching furthest to where the trunk goes.

    Parameters
    ----------
    branches_go
        Unit vector: branches of trunks in the atrioventricular groove go to the apex, the LAD's to the lateral wall.
    trunk_goes
        Direction in which no branch gets as far as the trunk does, if there is one.
    """
    chain = [stretch]
    while children := tree.stretches[chain[-1]].children:
        carried = {child: sum(tree.length_mm(member) for member in tree.subtree(child)) for child in children}
        least_mm = max(SHORTEST_CONTINUATION_MM, SMALLEST_CONTINUATION_SHARE * max(carried.values()))
        long_enough = [child for child in children if carried[child] >= least_mm] or list(children)
        upstream = list(reversed(tree.way_to(chain[-1])))
        ahead = unit(-tree.heading(upstream, 0.0, DIRECTION_MM))
        before = tree.radius_between_mm(upstream, 2.0, 10.0)

        def merit(child: int, ahead: NDArray[np.float64] = ahead, before: float = before) -> float:
            towards = direction(tree, child)
            course = tree.longest_course(child)
            leave_mm = float(tree.graph.radius_mm[course[0]])
            calibre = tree.radius_between_mm(course, leave_mm + 2.0, leave_mm + 10.0) / before
            staying = -0.5 * (towards @ branches_go + _least_advance(tree, child, branches_go))
            reached = 0.0 if trunk_goes is None else furthest_mm(tree, tree.subtree(child), trunk_goes)
            return float(
                GROOVE_WEIGHT * staying
                + CALIBRE_WEIGHT * np.log(calibre)
                + STRAIGHT_WEIGHT * (towards @ ahead)
                + REACH_WEIGHT_PER_MM * reached
            )

        chain.append(max(long_enough, key=merit))
    return chain


def _least_advance(tree: CurveTree, stretch: int, towards: NDArray[np.float64]) -> float:
    """Advance in a direction per mm of way, from the start of a stretch to the tip beyond it where it is smallest."""
    pending = [(stretch, list(tree.stretches[stretch].nodes))]
    tips: list[tuple[float, float]] = []
    while pending:
        member, nodes = pending.pop()
        children = tree.stretches[member].children
        pending.extend((child, [*nodes, *tree.stretches[child].nodes[1:]]) for child in children)
        points = tree.points(nodes)
        length = float(arc_length_mm(points)[-1])
        if not children:
            tips.append((length, float((points[-1] - points[0]) @ towards) / length))
    longest = max(length for length, _ in tips)
    return min(advance for length, advance in tips if length >= min(SHORTEST_TIP_MM, longest))


def furthest_mm(tree: CurveTree, stretches: Sequence[int], towards: NDArray[np.float64]) -> float:
    """Largest coordinate along a direction that any of some stretches reaches."""
    return max(float((tree.points(tree.stretches[i].nodes) @ towards).max()) for i in stretches)


def nodes_of(tree: CurveTree, chain: Sequence[int]) -> list[int]:
    """Nodes along a chain of stretches."""
    nodes = list(tree.stretches[chain[0]].nodes)
    for stretch in chain[1:]:
        nodes.extend(tree.stretches[stretch].nodes[1:])
    return nodes


def is_at_the_back(points: Points, axes: HeartAxes, system: System) -> NDArray[np.bool_]:
    """Whether each point of a trunk, given from its start, lies at the back of the heart, shape (n,)."""
    outward = points @ axes.lateral * (1.0 if system == "left" else -1.0)
    is_beyond_margin = np.maximum.accumulate(outward) - outward >= BEYOND_MARGIN_MM[system]
    behind = (points - points[0]) @ POSTERIOR_LPS
    is_behind = behind >= max(BEHIND_START_MM[system], float(behind.max()) - BEFORE_MOST_POSTERIOR_MM)
    back: NDArray[np.bool_] = is_beyond_margin & is_behind
    return back


def turn_to_apex(points: Points, axes: HeartAxes, system: System) -> int | None:
    """Index of the point at the back of the heart where a trunk turns to the apex, or None.

    Where it turns most, within TURN_WINDOW_MM of where it begins to: tortuosity makes smaller turns before.
    """
    even, position = resampled(points, CENTERLINE_STEP_MM)
    window = round(TURN_WINDOW_MM / CENTERLINE_STEP_MM)
    advance = even @ axes.apex
    middle = np.arange(window, len(even) - window)
    after = (advance[middle + window] - advance[middle]) / TURN_WINDOW_MM
    turn = after - (advance[middle] - advance[middle - window]) / TURN_WINDOW_MM
    is_descending = (after >= 0) & (advance[-1] - advance[middle] >= SMALLEST_ADVANCE_MM)
    turning = np.flatnonzero(is_at_the_back(even, axes, system)[middle] & (turn >= SMALLEST_TURN) & is_descending)
    if len(turning) == 0:
        return None
    first = int(turning[0])
    sharpest = first + int(np.argmax(turn[first : first + window]))
    return round(float(position[middle[sharpest]]))
