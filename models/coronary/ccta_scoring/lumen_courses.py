"""What a result page draws of the calibration: lumen attenuation and threshold along each centreline.

Decides nothing; it puts measurements back beside the arteries they were made in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coronary.ccta_scoring.agatston_equivalent import ContrastScoring
from coronary.coronary_tree import CoronaryTree


@dataclass(frozen=True, slots=True, eq=False)
class LumenCourse:
    """Attenuation along one artery; arrays have one entry per point from proximal to distal.

    Parameters
    ----------
    name
        Of the artery, as in the coronary tree (``LAD``, ``D1``).
    arc_length_mm
        Length from the artery's first point, mm.
    measured_hu
        Attenuation on the centreline, HU; NaN outside the volume.
    is_reliable
        Whether that is the attenuation of the lumen: no calcium on the centreline, lumen wide enough.
    threshold_hu
        From which attenuation a voxel of the cross-section is calcium for certain, HU.
    """

    name: str
    arc_length_mm: NDArray[np.float64]
    measured_hu: NDArray[np.float64]
    is_reliable: NDArray[np.bool_]
    threshold_hu: NDArray[np.float64]


def lumen_courses(tree: CoronaryTree, scoring: ContrastScoring) -> tuple[LumenCourse, ...]:
    """One course per centreline of the tree that was scored, in its order.

    Raises
    ------
    ValueError
        If `scoring` was made with another number of centreline points: with another tree.
    """
    borders = np.cumsum([0, *(len(line.points_lps_mm) for line in tree.centerlines)])
    if len(scoring.lumen.measured_hu) != borders[-1]:
        raise ValueError(f"the tree has {borders[-1]} points, the score was made with {len(scoring.lumen.measured_hu)}")

    lumen, threshold_hu = scoring.lumen, scoring.calcium.threshold_hu
    return tuple(
        LumenCourse(
            line.name,
            line.arc_length_mm,
            lumen.measured_hu[first:end],
            lumen.is_reliable[first:end],
            threshold_hu[first:end],
        )
        for line, (first, end) in zip(tree.centerlines, pairwise(borders.tolist()), strict=True)
    )
