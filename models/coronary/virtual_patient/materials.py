"""Decides the HU of tissues, hydroxyapatite and iodine at a tube voltage.

The table was computed for a spekpy spectrum (8° anode, 6 mm Al) on a 1.4 mm GOS energy-integrating detector, hardened
by 28 cm of water, with Elam cross sections and ICRU-44 tissues. It does not decide the spread between patients.
"""

from typing import Final

import numpy as np

TUBE_VOLTAGES_KVP: Final = (70.0, 80.0, 90.0, 100.0, 120.0, 140.0)

# HU added by 1 mg of hydroxyapatite per cm³; 132 HU per 100 mg/cm³ at 120 kVp agrees with the 130 HU that
# McCollough 2007 (Radiology 243:527) assigns to 100 mg/cm³.
_HA_HU_PER_MG_CM3: Final = (2.11, 1.83, 1.64, 1.50, 1.32, 1.20)
# HU added by 1 mg of iodine per mL.
_IODINE_HU_PER_MG_ML: Final = (48.8, 40.9, 35.4, 31.3, 25.6, 21.7)

# Energy-dependent tissues of the same computation; everything else is close enough to water to keep one value.
_TISSUE_HU_BY_KVP: Final = {
    "fat": (-106.0, -95.0, -88.0, -84.0, -77.0, -72.0),
    "spongiosa": (455.0, 398.0, 361.0, 334.0, 297.0, 272.0),
    "cortical_bone": (2418.0, 2115.0, 1913.0, 1768.0, 1570.0, 1440.0),
}

# Unenhanced tissue at 120 kVp: clinical means, not ICRU-44 (whose whole blood of 56 HU is above what scanners show).
TISSUE_HU_120: Final = {
    "air": -1000.0,
    "lung": -850.0,
    "blood": 40.0,
    "myocardium": 45.0,
    "muscle": 52.0,
    "liver": 58.0,
    "vessel_wall": 50.0,
    "pericardium": 28.0,
    "oesophagus": 38.0,
    "cartilage": 95.0,
    "disc": 75.0,
    "csf": 15.0,
    "marrow_fat": 60.0,
    "fat": -97.0,
}


def hu_per_ha(kvp: float) -> float:
    """Return the HU that 1 mg of hydroxyapatite per cm³ adds at ``kvp`` (70 to 140 kVp)."""
    return _at(kvp, _HA_HU_PER_MG_CM3)


def hu_per_iodine(kvp: float) -> float:
    """Return the HU that 1 mg of iodine per mL adds at ``kvp`` (70 to 140 kVp)."""
    return _at(kvp, _IODINE_HU_PER_MG_ML)


def tissue_hu(tissue: str, kvp: float) -> float:
    """Return the HU of a named unenhanced tissue at ``kvp``.

    Fat and bone follow the table's ratio to 120 kVp; soft tissue and lung do not depend on the voltage here
    (their computed change over 80 to 140 kVp is below 3 HU).
    """
    if tissue in ("spongiosa", "cortical_bone"):
        return _at(kvp, _TISSUE_HU_BY_KVP[tissue])
    value = TISSUE_HU_120[tissue]
    if tissue == "fat":
        return value + _at(kvp, _TISSUE_HU_BY_KVP["fat"]) - _at(120.0, _TISSUE_HU_BY_KVP["fat"])
    return value


def _at(kvp: float, column: tuple[float, ...]) -> float:
    if not TUBE_VOLTAGES_KVP[0] <= kvp <= TUBE_VOLTAGES_KVP[-1]:
        raise ValueError(
            f"tube voltage {kvp} kVp is outside the table's {TUBE_VOLTAGES_KVP[0]} to {TUBE_VOLTAGES_KVP[-1]}"
        )
    return float(np.interp(kvp, TUBE_VOLTAGES_KVP, column))
