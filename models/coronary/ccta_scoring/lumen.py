"""How bright the lumen is along the tree, where that can be trusted, and how wide it really is.

Decides which centreline attenuations are reliable and what stands in for the others. Decides no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coronary.ccta_scoring.centerlines import CenterlinePoints, centerline_attenuation
from coronary.ccta_scoring.cross_sections import assign_cross_sections
from coronary.ct_volume import CtVolume

#: A centreline attenuation is reliable within these multiples of the calibration factor. Above, calcium lies on the
#: centreline: lumens differ by a tenth and the noise of seven samples by a twentieth of it, and calcium is only called
#: from 1.25. Below, the lumen is narrower than the point spread or the centreline has left it.
RELIABLE_RANGE = (0.75, 1.20)

#: The local lumen is the median over reliable points of the same vessel within this distance, mm; it bridges the
#: calcified stretches that make their own centreline unreliable (half of them are shorter than 6 mm).
LOCAL_DISTANCE_MM = 8.0
MINIMUM_LOCAL_POINTS = 3

#: The width of the lumen is read from vessels with at least this radius, mm: thinner ones never reach full attenuation.
MINIMUM_RADIUS_MM = 1.0

#: Range and class width of the radial profile, mm from the border of the lumen.
PROFILE_RANGE_MM = (-1.0, 1.0)
PROFILE_STEP_MM = 0.1

#: A class of the profile counts from this many voxels; a sample of one voxel in five is plenty in a whole tree.
MINIMUM_CLASS_VOXELS = 20
PROFILE_EVERY = 5

#: Dimmest voxel of the profile, HU: fat without noise is -110.
PROFILE_FLOOR_HU = -300.0


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


def measure_radius_offset(volume: CtVolume, centerlines: CenterlinePoints, lumen: LumenReference) -> float | None:
    """How much wider the lumen is than the given radii, mm over the whole scan; None where it cannot be told.

    The border of a blurred lumen is where its attenuation has fallen to half. A mask that is systematically a little
    too tight or too wide (its threshold, its voxels) shows as a shift of that place, the same everywhere in the scan;
    stenoses and calcium do not, because the median over all cross-sections is taken.

    Returns
    -------
    float or None
        Within PROFILE_RANGE_MM; None when the profile does not pass through half there, or has too few voxels.
    """
    is_used = lumen.is_reliable & (centerlines.radius_mm >= MINIMUM_RADIUS_MM)
    low, high = PROFILE_RANGE_MM
    voxels = assign_cross_sections(volume, centerlines, high, PROFILE_FLOOR_HU, PROFILE_EVERY)
    voxels = voxels.where(is_used[voxels.point])
    from_border = voxels.distance_mm - centerlines.radius_mm[voxels.point]
    share = voxels.hu / lumen.local_hu[voxels.point]
    edges = np.arange(low, high + PROFILE_STEP_MM / 2, PROFILE_STEP_MM)
    classes = [share[(from_border >= inner) & (from_border < outer)] for inner, outer in pairwise(edges)]
    filled = [k for k, values in enumerate(classes) if len(values) >= MINIMUM_CLASS_VOXELS]
    middle = edges[filled] + PROFILE_STEP_MM / 2
    profile = np.array([np.median(classes[k]) for k in filled])
    below = np.flatnonzero(profile < 0.5)
    if len(below) == 0 or below[0] == 0:
        return None
    outer = int(below[0])
    inner = outer - 1
    weight = (profile[inner] - 0.5) / (profile[inner] - profile[outer])
    return float(middle[inner] + weight * (middle[outer] - middle[inner]))
