"""Truth of a contrast scan that is derived from its voxels: which of them are artery, and how bright a lumen is."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from coronary.virtual_patient.render import VirtualScan

# Calcified plaque is part of an artery where it adds this much attenuation, HU.
_PLAQUE_HU: Final = 130.0
# The attenuation of a lumen is taken this deep inside it, in voxels.
_LUMEN_DEPTH_VOXELS: Final = 2


def calcium_mask(scan: VirtualScan) -> npt.NDArray[np.bool_]:
    """Return the calcified plaque of all coronary arteries, shape of the volume."""
    is_dense = scan.ha_mg_cm3 * scan.acquisition.ha_hu_per_mg_cm3() >= _PLAQUE_HU
    return np.asarray((scan.vessel_labels > 0) & is_dense)


def artery_mask(scan: VirtualScan) -> npt.NDArray[np.bool_]:
    """Return lumen and calcified plaque of all coronary arteries, shape of the volume."""
    assert scan.lumen_labels is not None, "not a contrast scan"
    return np.asarray((scan.lumen_labels > 0) | calcium_mask(scan))


def coronary_attenuation_hu(scan: VirtualScan) -> float:
    """Return the median attenuation deep inside the calcium-free lumen: what a calibration factor should be, HU."""
    assert scan.lumen_labels is not None, "not a contrast scan"
    inside = ndimage.binary_erosion(scan.lumen_labels > 0, iterations=_LUMEN_DEPTH_VOXELS)
    return float(np.median(scan.voxels_hu[inside & (scan.ha_mg_cm3 < 1.0)]))
