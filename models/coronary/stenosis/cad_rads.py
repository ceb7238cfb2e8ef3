"""CAD-RADS 2.0 category of a contrast scan from the stenoses of its segments.

Decides the category only; it says nothing of what a reader would add (modifiers, plaque that does not narrow).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal

from coronary.stenosis.segment_stenosis import SegmentStenosis

CadRads = Literal["0", "1", "2", "3", "4A", "4B", "5", "N"]

#: Lowest diameter stenosis of each category, percent (Cury et al., J Cardiovasc Comput Tomogr 2022;16:536-557).
MILD_PERCENT: Final = 25.0
MODERATE_PERCENT: Final = 50.0
SEVERE_PERCENT: Final = 70.0
OCCLUDED_PERCENT: Final = 99.5

#: A measured narrowing below this is none: half of the first grade that readers give.
NOISE_PERCENT: Final = 12.5

LEFT_MAIN_SEGMENT: Final = 5

#: Segments (Leipsic 2014) of the three vessels that category 4B counts; the left main counts by itself.
VESSEL_SEGMENTS: Final[dict[str, frozenset[int]]] = {
    "RCA": frozenset({1, 2, 3, 4, 16}),
    "LAD": frozenset({6, 7, 8, 9, 10}),
    "LCX": frozenset({11, 12, 13, 14, 15, 17, 18}),
}


def cad_rads_category(
    stenoses: Sequence[SegmentStenosis], unread: Collection[int] = (), *, has_plaque: bool
) -> CadRads:
    """The category of the worst segment.

    Parameters
    ----------
    stenoses
        Of every segment that could be read.
    unread
        Segments that could not be read. They make the category ``N`` unless what could be read is obstructive: a
        stenosis of at least MODERATE_PERCENT keeps its category.
    has_plaque
        Whether there is plaque anywhere: without narrowing that is category 1.
    """
    worst = max((each.percent for each in stenoses), default=0.0)
    if unread and worst < MODERATE_PERCENT:
        return "N"
    if worst >= OCCLUDED_PERCENT:
        return "5"
    severe = {each.segment for each in stenoses if each.percent >= SEVERE_PERCENT}
    narrow_left_main = any(each.segment == LEFT_MAIN_SEGMENT and each.percent >= MODERATE_PERCENT for each in stenoses)
    if narrow_left_main or all(segments & severe for segments in VESSEL_SEGMENTS.values()):
        return "4B"
    if severe:
        return "4A"
    if worst >= MODERATE_PERCENT:
        return "3"
    if worst >= MILD_PERCENT:
        return "2"
    return "1" if worst >= NOISE_PERCENT or has_plaque else "0"
