"""How bright the lumen is along the tree, and where that can be trusted.

Decides which centreline attenuations are reliable and what stands in for the others. Decides no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coronary.ccta_scoring.centerlines import CenterlinePoints, centerline_attenuation
from coronary.ct_volume import CtVolume

#: A centreline attenuation is reliable within these multiples of the calibration factor. Above, calcium lies on the
#: centreline: lumens differ by a tenth and the noise of seven samples by a twentieth of it, and calcium is only called
#: from 1.25. Below, the lumen is narrower than the point spread or the centreline has left it.
RELIABLE_RANGE = (0.75, 1.20)

#: The local lumen is the median over reliable points of the same vessel within this distance, mm; it bridges the
#: calcified stretches that make their own centreline unreliable (half of them are shorter than 6 mm).
LOCAL_DISTANCE_MM = 8.0
MINIMUM_LOCAL_POINTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class LumenReference:
    """Lumen attenuation along the centrelines, HU; all arrays have shape (n,).

    Parameters
    ----------
    measured_hu
        At each point, NaN outside the volume.
    is_reliable
        Whether that is the attenuation of the lumen.
    local_hu
        Median of the reliable measurements around each point; the calibration factor where there are too few.
    """

    measured_hu: NDArray[np.float64]
    is_reliable: NDArray[np.bool_]
    local_hu: NDArray[np.float64]


def measure_lumen(volume: CtVolume, centerlines: CenterlinePoints, calibration_factor_hu: float) -> LumenReference:
    """Measure the lumen at every centreline point and decide where the measurement can be trusted.

    Notes
    -----
    Paper 1, section 2.4, falls back to the calibration factor "if calcium is present in the centerline, causing an
    increase in the attenuation" without saying how that is recognised; RELIABLE_RANGE is ours.
    """
    measured = centerline_attenuation(volume, centerlines)
    low, high = RELIABLE_RANGE
    # A NaN fails both comparisons.
    is_reliable = (measured >= low * calibration_factor_hu) & (measured <= high * calibration_factor_hu)
    local = np.full(len(centerlines), float(calibration_factor_hu))
    for vessel in np.unique(centerlines.vessel):
        of_vessel = np.flatnonzero(centerlines.vessel == vessel)
        trusted = of_vessel[is_reliable[of_vessel]]
        if len(trusted) < MINIMUM_LOCAL_POINTS:
            continue
        near = KDTree(centerlines.points_lps_mm[of_vessel]).query_ball_tree(
            KDTree(centerlines.points_lps_mm[trusted]), LOCAL_DISTANCE_MM
        )
        for point, neighbours in zip(of_vessel, near, strict=True):
            if len(neighbours) >= MINIMUM_LOCAL_POINTS:
                local[point] = np.median(measured[trusted[neighbours]])
    return LumenReference(measured, is_reliable, local)
