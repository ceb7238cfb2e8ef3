"""What a contrast scan's attenuations mean: representative lumen, blood, noise, and the tube voltage.

Decides how much attenuation hydroxyapatite adds at a tube voltage. The calibration factor itself comes from the aorta
by a regression that is not here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: Tube voltages of the table, kVp.
TUBE_VOLTAGES_KVP = (70.0, 80.0, 90.0, 100.0, 120.0, 140.0)

#: HU that 1 mg of hydroxyapatite per cm³ adds: spectrum of an 8° tungsten anode behind 6 mm Al and 28 cm of water,
#: 1.4 mm GOS detector. Checks: 100 mg/cm³ = 130 HU at 120 kVp (McCollough et al., Radiology 2007;243:527–538), and
#: 130 HU at 120 kVp = 147 HU at 100 kVp in a phantom (Nakazato et al. 2009; here 148).
HYDROXYAPATITE_HU_PER_MG_CM3 = (2.11, 1.83, 1.64, 1.50, 1.32, 1.20)

#: Voltage at which Agatston's threshold and weights are defined.
REFERENCE_KVP = 120.0


def hydroxyapatite_hu(kvp: float) -> float:
    """HU that 1 mg of hydroxyapatite per cm³ adds at `kvp`; ValueError outside 70 to 140 kVp."""
    if not TUBE_VOLTAGES_KVP[0] <= kvp <= TUBE_VOLTAGES_KVP[-1]:
        raise ValueError(f"tube voltage is {kvp} kVp, expected {TUBE_VOLTAGES_KVP[0]:g} to {TUBE_VOLTAGES_KVP[-1]:g}")
    return float(np.interp(kvp, TUBE_VOLTAGES_KVP, HYDROXYAPATITE_HU_PER_MG_CM3))


@dataclass(frozen=True, slots=True)
class ContrastCalibration:
    """What the thresholds and weights of one scan adapt to.

    Parameters
    ----------
    calibration_factor_hu
        Representative attenuation of the coronary lumen, HU (paper 1, section 2.4).
    aorta_mean_hu, aorta_sd_hu
        Blood in the ascending aorta and its noise in single voxels, HU (:func:`.aorta.measure_aorta`).
    kvp
        Tube voltage, 70 to 140 kVp.

    Raises
    ------
    ValueError
        If an attenuation or the noise is not a positive number, or the voltage is outside the table.
    """

    calibration_factor_hu: float
    aorta_mean_hu: float
    aorta_sd_hu: float
    kvp: float

    def __post_init__(self) -> None:
        for name in ("calibration_factor_hu", "aorta_mean_hu", "aorta_sd_hu"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, expected a positive number")
        hydroxyapatite_hu(self.kvp)

    @property
    def calcium_ratio(self) -> float:
        """Attenuation of calcium at this voltage relative to 120 kVp: 1.39 at 80, 1.24 at 90, 1.14 at 100."""
        return hydroxyapatite_hu(self.kvp) / hydroxyapatite_hu(REFERENCE_KVP)
