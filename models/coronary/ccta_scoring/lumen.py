"""How bright the lumen is along the tree, and where that can be trusted.

Decides which centreline attenuations are reliable. Decides no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coronary.ccta_scoring.centerlines import CenterlinePoints, centerline_attenuation
from coronary.ct_volume import CtVolume

#: A centreline attenuation is reliable within these multiples of the calibration factor. Above, calcium lies on the
#: centreline: lumens differ by a tenth and the noise of seven samples by a twentieth of it, and calcium is only called
#: from 1.25. Below, the lumen is narrower than the point spread or the centreline has left it.
RELIABLE_RANGE = (0.75, 1.20)


@dataclass(frozen=True, slots=True, eq=False)
class LumenReference:
    """Lumen attenuation along the centrelines, HU; all arrays have shape (n,).

    Parameters
    ----------
    measured_hu
        At each point, NaN outside the volume.
    is_reliable
        Whether that is the attenuation of the lumen.
    """

    measured_hu: NDArray[np.float64]
    is_reliable: NDArray[np.bool_]


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
    return LumenReference(measured, is_reliable)
