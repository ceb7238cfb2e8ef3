"""What a calcium score consists of: the frozen results and the calibration a mass needs.

Decides names, units and which convention a number follows. Computes nothing from voxels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from coronary.calcium.score_scales import FIELD_CONVENTION, PAPER_CONVENTION, RiskCategory
from coronary.calcium.vessels import Vessel, VesselValues


@dataclass(frozen=True, slots=True)
class MassCalibration:
    """Calibration of the mass score.

    Parameters
    ----------
    factor_mg_per_hu_cm3
        C in mass = C x mean HU x volume: mg calcium hydroxyapatite per HU and cm³ (paper 4, equation 3; McCollough et
        al., Radiology 2007;243:527–538).
    source
        Where the factor comes from, e.g. ``"(0018,9351) CalciumScoringMassFactorPatient"``; goes into every report.
    """

    factor_mg_per_hu_cm3: float
    source: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.factor_mg_per_hu_cm3) or self.factor_mg_per_hu_cm3 <= 0:
            raise ValueError(f"mass factor is {self.factor_mg_per_hu_cm3} mg/(HU cm3), expected a positive number")
        if not self.source.strip():
            raise ValueError("the source of the mass calibration is empty")

    def mass_mg(self, hu_mm3: float) -> float:
        """Mass of an attenuation integrated over a volume (sum of HU x voxel volume, HU mm³)."""
        return self.factor_mg_per_hu_cm3 * hu_mm3 / 1000.0


@dataclass(frozen=True, slots=True)
class Lesion:
    """One 6-connected calcium in one vessel.

    Parameters
    ----------
    label
        1 to n; value in the map of :func:`lesion_label_map`.
    agatston
        ``FIELD_CONVENTION``: this lesion's share, by pixels, of its in-slice regions.
    agatston_paper
        ``PAPER_CONVENTION``; never to be compared with risk tables. None for calcium of a contrast scan.
    weighted_pixels, weighted_pixels_paper
        The whole numbers behind the two: pixels x density weight, before any geometry. 0 for calcium of a contrast
        scan, whose weights are continuous.
    center_lps_mm
        Unweighted centroid of its voxels.
    slices
        Ascending slice indices (z) of the volume.
    """

    label: int
    vessel: Vessel
    agatston: float
    agatston_paper: float | None
    volume_mm3: float
    mass_mg: float | None
    peak_hu: float
    mean_hu: float
    center_lps_mm: tuple[float, float, float]
    slices: tuple[int, ...]
    voxel_count: int
    weighted_pixels: int = 0
    weighted_pixels_paper: int = 0


@dataclass(frozen=True, slots=True)
class CalciumScore:
    """All numbers of one scored volume; ``mass_mg`` is None when no calibration was given.

    ``agatston`` follows ``convention``, ``agatston_paper`` follows ``paper_convention``, that of the family's paper;
    risk category and CAC-DRS are those of ``agatston``. Lesions are ordered by vessel and by the z, y, x of their
    centroid.
    """

    agatston: VesselValues
    volume_mm3: VesselValues
    mass_mg: VesselValues | None
    lesions: tuple[Lesion, ...]
    risk_category: RiskCategory
    cac_drs: str
    agatston_paper: VesselValues | None
    mass_calibration: MassCalibration | None = None
    convention: str = FIELD_CONVENTION
    paper_convention: str = PAPER_CONVENTION

    @property
    def calcified_vessels(self) -> tuple[Vessel, ...]:
        """Vessels with at least one lesion, in label order; the left main counts on its own."""
        return tuple(vessel for vessel in Vessel if any(lesion.vessel is vessel for lesion in self.lesions))
