"""The narrowest place of every coronary segment, and its grade.

Decides how a profile becomes the number of a segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from coronary.stenosis.lumen_profile import LumenProfile

#: Grades a reader gives, percent of the diameter (Yamazaki et al., paper 0, "Stenosis evaluation").
READER_GRADES: Final = (0, 25, 50, 75, 90, 100)

#: Diameter stenosis from which a reader gives the grade 75, which paper 0 calls significant, percent.
SIGNIFICANT_PERCENT: Final = 62.5

#: Narrowing that an artery without any shows, percent: the narrowest of many cross-sections, of an artery that does not
#: taper as evenly as the line that stands for its healthy diameter. Median of 41 segments without narrowing and calcium
#: (16 virtual patients, 945002-945067).
SCATTER_PERCENT: Final = 9.0

#: At the first points of an artery the cross-section still shows the vessel it leaves, mm.
BEGINNING_MM: Final = 1.5

#: A piece of a segment with fewer points than this says nothing.
LEAST_POINTS: Final = 6


@dataclass(frozen=True, slots=True)
class SegmentStenosis:
    """The narrowest place of one segment of one artery.

    Parameters
    ----------
    artery, segment
        Name, and SCCT segment id (Leipsic 2014).
    percent
        Diameter stenosis, 0 to 100; what scatter makes of a healthy artery is taken off (:func:`beyond_scatter`).
    at_mm
        Where, from the beginning of the artery.
    diameter_mm, healthy_mm
        Of the lumen there, and without narrowing.
    covered_share
        Largest share (0 to 1) of a healthy cross-section of the segment that was left out as calcium.
    """

    artery: str
    segment: int
    percent: float
    at_mm: float
    diameter_mm: float
    healthy_mm: float
    covered_share: float

    @property
    def grade(self) -> int:
        """The grade a reader would give."""
        return reader_grade(self.percent)


def reader_grade(percent: float) -> int:
    """The nearest of READER_GRADES; half-way between two, the higher."""
    return min(READER_GRADES, key=lambda grade: (abs(grade - percent), -grade))


def beyond_scatter(narrowing: float) -> float:
    """Narrowing (share of the diameter, 0 to 1) without what scatter adds to it.

    Scatter and narrowing add in squares, as noise does to a magnitude: a healthy artery reads 0, a tight stenosis as it
    was measured.
    """
    return math.sqrt(max(0.0, narrowing**2 - (SCATTER_PERCENT / 100.0) ** 2))


def segment_stenoses(profiles: Sequence[LumenProfile]) -> tuple[SegmentStenosis, ...]:
    """The narrowest place of every segment, in the order of the profiles and along each."""
    return tuple(
        _narrowest(profile, int(segment))
        for profile in profiles
        for segment in dict.fromkeys(profile.segment.tolist())
        if np.count_nonzero(_places(profile, segment)) >= LEAST_POINTS
    )


def _places(profile: LumenProfile, segment: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray((profile.segment == segment) & (profile.arc_length_mm >= BEGINNING_MM))


def _narrowest(profile: LumenProfile, segment: int) -> SegmentStenosis:
    places = np.flatnonzero(_places(profile, segment))
    at = int(places[np.argmax(profile.narrowing[places])])
    return SegmentStenosis(
        artery=profile.name,
        segment=segment,
        percent=100.0 * beyond_scatter(float(profile.narrowing[at])),
        at_mm=float(profile.arc_length_mm[at]),
        diameter_mm=float(profile.diameter_mm[at]),
        healthy_mm=float(profile.healthy_mm[at]),
        covered_share=float(profile.covered_share[places].max()),
    )
