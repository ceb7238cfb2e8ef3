"""What counts as calcium in a cross-section: the paper's thresholds, and the rule that is used instead.

Both rules say from which attenuation a voxel is calcium by itself (core; wall core where it lies outside the lumen),
from which it is calcium beside a core (extent), and what one voxel of calcium weighs. How voxels are grouped is decided
in :mod:`contrast_calcium`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from coronary.calcium import AGATSTON_THRESHOLD_HU, density_weight
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.lumen import LumenReference

#: Vessel wall and the soft matrix of calcified plaque, HU: what is there without contrast agent and calcium.
WALL_HU = 50.0


class CalciumRule(Protocol):
    """One way to tell calcium from contrast agent; all attenuations HU, all lengths mm."""

    @property
    def name(self) -> str:
        """How results name the rule."""
        ...

    @property
    def margin_mm(self) -> float:
        """How far outside the lumen calcium is looked for."""
        ...

    @property
    def growth_mm(self) -> float:
        """How far from a core calcium reaches; 0 when cores are all there is."""
        ...

    @property
    def needs_radius(self) -> bool:
        """Whether thresholds depend on the distance from the border of the lumen."""
        ...

    def core_hu(self, lumen: LumenReference, calibration: ContrastCalibration) -> NDArray[np.float64]:
        """Threshold of certain calcium in each cross-section, shape (n,)."""
        ...

    def wall_core_hu(
        self,
        from_border_mm: NDArray[np.float64],
        lumen_hu: NDArray[np.float64],
        calibration: ContrastCalibration,
    ) -> NDArray[np.float64]:
        """Threshold of calcium outside the lumen, per voxel, from its distance to the lumen's border (inside < 0)."""
        ...

    def extent_hu(
        self,
        from_border_mm: NDArray[np.float64],
        lumen_hu: NDArray[np.float64],
        calibration: ContrastCalibration,
    ) -> NDArray[np.float64]:
        """Threshold of calcium beside a core, per voxel, as :meth:`wall_core_hu`."""
        ...

    def lowest_hu(self, core_hu: NDArray[np.float64], calibration: ContrastCalibration) -> float:
        """No voxel below this is calcium anywhere."""
        ...

    def weight(self, hu: NDArray[Any], calibration: ContrastCalibration) -> NDArray[np.float64]:
        """Agatston weight of voxels of calcium."""
        ...


@dataclass(frozen=True, slots=True)
class PaperRule:
    """The rule of paper 1, section 2.4: two multiples, and weights that step with the calibration factor.

    Where the centreline attenuation is reliable, calcium is what reaches 1.25 times it; elsewhere (calcium on the
    centreline, lumen not met) what reaches 1.45 times the calibration factor. The paper adapts the Agatston weight of
    every voxel to the calibration factor and prints neither bounds nor values ("tuned using 202 additional cases").
    Here the bounds keep Agatston's proportions, 130 : 200 : 300 : 400, with the lowest at 1.25 times the factor, and
    ``weight_gain`` is the least-squares gain to the calcium-scoring CT of eight virtual patients.
    """

    lumen_multiple: float = 1.25
    calibration_multiple: float = 1.45
    weight_gain: float = 5.8
    margin_mm: float = 2.0
    growth_mm: float = 0.0
    needs_radius: bool = False
    name: str = "paper 1: 1.25 x centreline, 1.45 x calibration factor"

    def core_hu(self, lumen: LumenReference, calibration: ContrastCalibration) -> NDArray[np.float64]:
        """1.25 x the centreline where reliable, else 1.45 x the calibration factor."""
        fallback = self.calibration_multiple * calibration.calibration_factor_hu
        return np.asarray(np.where(lumen.is_reliable, self.lumen_multiple * lumen.measured_hu, fallback))

    def wall_core_hu(
        self,
        from_border_mm: NDArray[np.float64],
        lumen_hu: NDArray[np.float64],  # noqa: ARG002
        calibration: ContrastCalibration,  # noqa: ARG002
    ) -> NDArray[np.float64]:
        """Infinite: the paper knows one threshold only, whatever the place."""
        return np.full(len(from_border_mm), np.inf)

    extent_hu = wall_core_hu

    def lowest_hu(self, core_hu: NDArray[np.float64], calibration: ContrastCalibration) -> float:  # noqa: ARG002
        """The lowest threshold of any cross-section."""
        return float(core_hu.min())

    def weight(self, hu: NDArray[Any], calibration: ContrastCalibration) -> NDArray[np.float64]:
        """Steps 1 to 4 at 1.25, 1.92, 2.88 and 3.85 times the calibration factor, times the gain; 0 below."""
        scale = AGATSTON_THRESHOLD_HU / (self.lumen_multiple * calibration.calibration_factor_hu)
        return np.asarray(self.weight_gain * density_weight(np.asarray(hu, dtype=np.float64) * scale))


@dataclass(frozen=True, slots=True)
class WallExcessRule:
    """Calcium by what a calcium-free vessel cannot show: brighter than all blood, or bright outside the lumen.

    Core: above the brightest blood by ``core_sds`` of noise. A fixed multiple is stricter the brighter the lumen is,
    and calcium does not get brighter with it.

    Wall core: 130 HU (at 120 kVp; scaled by the attenuation of calcium at other voltages) above what the blurred lumen
    and the wall would show even if the border of the lumen lay ``border_uncertainty_mm`` further out. It finds plaque
    in the wall that is as bright as the lumen. A small branch looks the same, so it counts only in scans that have a
    core (:func:`.contrast_calcium.find_calcium`).

    Extent: 130 HU above what the blurred lumen and the wall would show at that distance. Two thirds of the calcium of a
    plaque lie outside the lumen, where contrast agent hides nothing; a single threshold above the lumen loses it.

    Weight: continuous, 1 per 100 HU (at 120 kVp) above the matrix, which is the line through Agatston's steps. A score
    is then 4.4 times the mg of hydroxyapatite, with no gain fitted to anything.
    """

    core_sds: float = 3.0
    #: The core is at least this share above the blood: streaks and mixing, where noise is very low.
    core_share: float = 0.10
    #: Two SDs of a traced centreline (0.25 mm) and an error of 15 % in the largest radius (2.5 mm).
    border_uncertainty_mm: float = 0.9
    #: Growing further than this joins neighbouring plaques through noise and reaches veins; shorter loses plaque whose
    #: middle only rises above the blood.
    growth_mm: float = 5.0
    margin_mm: float = 2.0
    #: SD of the point spread across a vessel wall, mm: 1.06 mm FWHM, the middle of cardiac kernels (0.7 to 1.2 mm) with
    #: the slice profile.
    blur_sd_mm: float = 0.45
    needs_radius: bool = True
    name: str = "excess over blood and wall"

    def core_hu(self, lumen: LumenReference, calibration: ContrastCalibration) -> NDArray[np.float64]:
        """Brightest blood, here or in the aorta, plus the larger of noise and share."""
        blood = calibration.brightest_blood_hu
        distance = max(self.core_sds * calibration.aorta_sd_hu, self.core_share * blood)
        return np.asarray(np.maximum(lumen.local_hu, blood) + distance)

    def wall_core_hu(
        self,
        from_border_mm: NDArray[np.float64],
        lumen_hu: NDArray[np.float64],
        calibration: ContrastCalibration,
    ) -> NDArray[np.float64]:
        """The extent of a lumen that is wider by the uncertainty of its border."""
        return self.extent_hu(from_border_mm - self.border_uncertainty_mm, lumen_hu, calibration)

    def extent_hu(
        self,
        from_border_mm: NDArray[np.float64],
        lumen_hu: NDArray[np.float64],
        calibration: ContrastCalibration,
    ) -> NDArray[np.float64]:
        """Blurred edge from the lumen to the wall plus Agatston's threshold at this voltage."""
        lumen_hu = np.maximum(lumen_hu, calibration.calibration_factor_hu)
        calcium_free = WALL_HU + (lumen_hu - WALL_HU) * ndtr(-from_border_mm / self.blur_sd_mm)
        return np.asarray(calcium_free + AGATSTON_THRESHOLD_HU * calibration.calcium_ratio)

    def lowest_hu(self, core_hu: NDArray[np.float64], calibration: ContrastCalibration) -> float:
        """Agatston's threshold above the wall."""
        return min(float(core_hu.min()), WALL_HU + AGATSTON_THRESHOLD_HU * calibration.calcium_ratio)

    def weight(self, hu: NDArray[Any], calibration: ContrastCalibration) -> NDArray[np.float64]:
        """(HU - 50) / 100 at 120 kVp; at other voltages 100 HU are scaled by the attenuation of calcium."""
        return np.asarray((np.asarray(hu, dtype=np.float64) - WALL_HU) / (100.0 * calibration.calcium_ratio))


PAPER_RULE = PaperRule()
WALL_EXCESS_RULE = WallExcessRule()
