"""The rule of paper 1, section 2.4: adaptive thresholds along the cross-sections, and adaptive weights.

Decides from which attenuation a voxel is calcium and what it weighs. Which voxels are looked at, and how they are
grouped, is decided in :mod:`contrast_calcium`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU, density_weight
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.lumen import LumenReference

#: Calcium is what reaches 1.25 times the centreline attenuation where that is reliable; elsewhere (calcium on the
#: centreline, lumen not met) what reaches 1.45 times the calibration factor.
LUMEN_MULTIPLE: Final = 1.25
CALIBRATION_MULTIPLE: Final = 1.45

#: The paper adapts the Agatston weight of every voxel to the calibration factor and prints neither bounds nor values
#: ("tuned using 202 additional cases"). Here the bounds keep Agatston's proportions, 130 : 200 : 300 : 400, with the
#: lowest at 1.25 times the factor, and this is the least-squares gain to the calcium-scoring CT of eight virtual
#: patients.
WEIGHT_GAIN: Final = 5.8

#: How far outside the lumen calcium is looked for, mm; the paper does not say.
REACH_MM: Final = 2.0

#: Vessel wall and the soft matrix of calcified plaque, HU: what is there without contrast agent and calcium.
WALL_HU: Final = 50.0


def adaptive_thresholds_hu(lumen: LumenReference, calibration: ContrastCalibration) -> NDArray[np.float64]:
    """Threshold of calcium in each cross-section, shape (n,)."""
    fallback = CALIBRATION_MULTIPLE * calibration.calibration_factor_hu
    return np.asarray(np.where(lumen.is_reliable, LUMEN_MULTIPLE * lumen.measured_hu, fallback))


def adaptive_weight(hu: NDArray[Any], calibration: ContrastCalibration) -> NDArray[np.float64]:
    """Steps 1 to 4 at 1.25, 1.92, 2.88 and 3.85 times the calibration factor, times the gain; 0 below."""
    scale = AGATSTON_THRESHOLD_HU / (LUMEN_MULTIPLE * calibration.calibration_factor_hu)
    return np.asarray(WEIGHT_GAIN * density_weight(np.asarray(hu, dtype=np.float64) * scale))
