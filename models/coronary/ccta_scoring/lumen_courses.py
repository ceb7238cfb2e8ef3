"""What a result page draws of the calibration: lumen attenuation and threshold along each centreline.

Decides nothing; it puts measurements back beside the arteries they were made in.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from coronary.ccta_scoring.agatston_equivalent import ContrastScoring
from coronary.contract import LumenCourse
from coronary.coronary_tree import CoronaryTree


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

    lumen, threshold_hu = scoring.lumen, scoring.threshold_hu
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
