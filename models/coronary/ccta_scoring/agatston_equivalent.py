"""Scores of calcium found in a contrast scan: Agatston equivalent and volume per vessel, and how firm they are.

Decides how weighted voxels become a number that stands beside the Agatston score of a calcium-scoring CT. It is an
estimate of that score, never the score itself, and says so in its convention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import RiskCategory, Vessel, VesselValues, risk_category
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.ccta_scoring.calcium_rules import WALL_EXCESS_RULE, CalciumRule
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.contrast_calcium import ContrastCalcium, find_calcium, search_calcium
from coronary.ccta_scoring.equivalent_volume import volume_in_calcium_scan
from coronary.ccta_scoring.lumen import LumenReference
from coronary.ct_volume import CtVolume

#: Shift of all thresholds that shows how firm a score is, HU: about the noise of one voxel.
SENSITIVITY_SHIFT_HU = 25.0

#: Name of the convention behind ``agatston``.
EQUIVALENT_CONVENTION = (
    "Agatston equivalent from contrast CT: pixel area x slice spacing / 3 mm x weight, voxel by voxel; rule: {rule}"
)


@dataclass(frozen=True, slots=True)
class ContrastScore:
    """Numbers of one mask of calcium.

    Parameters
    ----------
    agatston
        Agatston equivalent in Agatston units; comparable to a per-slice, 3 mm score at 120 kVp.
    volume_mm3
        Volume of the calcified voxels, mm³; smaller than in a calcium-scoring CT, whose thick slices widen calcium.
    equivalent_volume_mm3
        Volume that a calcium-scoring CT would show of them, mm³ (:func:`volume_in_calcium_scan`): the one to set beside
        the volume of such a scan.
    """

    agatston: VesselValues
    volume_mm3: VesselValues
    equivalent_volume_mm3: VesselValues

    @property
    def left_agatston(self) -> float:
        """LM + LAD + LCX (paper 1, table 2: LCA)."""
        return self.agatston.LM + self.agatston.LAD + self.agatston.LCX

    @property
    def right_agatston(self) -> float:
        """RCA."""
        return self.agatston.RCA

    @property
    def risk_category(self) -> RiskCategory:
        """Five-class category of the total equivalent."""
        return risk_category(self.agatston.total)


@dataclass(frozen=True, slots=True, eq=False)
class ContrastScoring:
    """Result of one contrast scan.

    Parameters
    ----------
    score, calcium
        The numbers, and the voxels behind them.
    lumen
        Attenuation along the centrelines.
    at_lower_thresholds, at_higher_thresholds
        The same score with every threshold SENSITIVITY_SHIFT_HU lower and higher.
    convention
        How the number was made; belongs beside it wherever it is shown.
    """

    score: ContrastScore
    calcium: ContrastCalcium
    lumen: LumenReference
    at_lower_thresholds: ContrastScore
    at_higher_thresholds: ContrastScore
    convention: str


def score_contrast_scan(
    volume: CtVolume,
    centerlines: CenterlinePoints,
    calibration: ContrastCalibration,
    rule: CalciumRule = WALL_EXCESS_RULE,
    aorta_mask: NDArray[np.bool_] | None = None,
) -> ContrastScoring:
    """Find and score the coronary calcium of a contrast scan.

    Parameters
    ----------
    centerlines
        Of the coronary tree; without any point every score is 0 (whether that may be reported is the caller's choice).
    rule
        ``PAPER_RULE`` gives the thresholds and weights of the paper.
    aorta_mask
        Shape of the volume: the ascending aorta with its root. Without it calcium of its wall beside an ostium is
        scored with the coronary artery.

    Raises
    ------
    ValueError
        If the mask has another shape than the volume.
    """
    search = search_calcium(volume, centerlines, calibration, rule, SENSITIVITY_SHIFT_HU, aorta_mask)
    found = {
        shift: find_calcium(volume, centerlines, rule, search, shift)
        for shift in (0.0, -SENSITIVITY_SHIFT_HU, SENSITIVITY_SHIFT_HU)
    }
    scores = {shift: score_calcium_voxels(calcium, volume, calibration, rule) for shift, calcium in found.items()}
    return ContrastScoring(
        score=scores[0.0],
        calcium=found[0.0],
        lumen=search.lumen,
        at_lower_thresholds=scores[-SENSITIVITY_SHIFT_HU],
        at_higher_thresholds=scores[SENSITIVITY_SHIFT_HU],
        convention=EQUIVALENT_CONVENTION.format(rule=rule.name),
    )


def score_calcium_voxels(
    calcium: ContrastCalcium, volume: CtVolume, calibration: ContrastCalibration, rule: CalciumRule
) -> ContrastScore:
    """Score the voxels of a mask.

    Every voxel counts its pixel area x spacing / 3 mm x weight. The paper sums "an adaptive weight by attenuation of
    each calcification voxel" and is silent on slices; spacing / 3 mm is the field's scaling to the 3 mm slices the
    score is defined in, and makes the sum an integral over the calcium that does not depend on the slices. There is no
    area rule per slice: 1 mm² of a 0.5 mm slice is a sixth of what the rule means, so small things are dropped as cores
    by volume instead.
    """
    grid = VoxelGrid.checked(volume.spacing_zyx_mm)
    weight = rule.weight(calcium.hu, calibration)
    return ContrastScore(
        agatston=_per_vessel(weight, calcium.vessel, grid.agatston_per_weighted_pixel),
        volume_mm3=_per_vessel(np.ones(len(weight)), calcium.vessel, grid.voxel_volume_mm3),
        equivalent_volume_mm3=volume_in_calcium_scan(calcium, grid.spacing_zyx_mm, calibration),
    )


def _per_vessel(values: NDArray[np.float64], vessel: NDArray[np.uint8], unit: float) -> VesselValues:
    # fsum rounds once, so the order of voxels changes nothing.
    by_vessel = {each: math.fsum(values[vessel == each].tolist()) * unit for each in Vessel}
    return VesselValues.from_vessels(by_vessel, total=math.fsum(values.tolist()) * unit)
