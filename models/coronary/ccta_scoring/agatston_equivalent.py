"""Scores of calcium found in a contrast scan: Agatston equivalent and volume per vessel, and how firm they are.

Decides which number stands beside the Agatston score of a calcium-scoring CT. It is an estimate of that score, never
the score itself, and says so in its convention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import RiskCategory, Vessel, VesselValues, risk_category
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.contrast_calcium import (
    ContrastCalcium,
    NetworkCalcium,
    network_calcium,
    paper_calcium,
)
from coronary.ccta_scoring.lumen import LumenReference, measure_lumen
from coronary.ccta_scoring.paper_rule import adaptive_thresholds_hu, adaptive_weight
from coronary.ccta_scoring.virtual_calcium_scan import CalciumScanValues, values_in_calcium_scan
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume

#: Shift of Agatston's threshold that shows how firm a score is, HU: about the noise of one voxel of a calcium scan.
SENSITIVITY_SHIFT_HU = 25.0

#: Name of the convention behind ``agatston``.
EQUIVALENT_CONVENTION = (
    "Agatston equivalent from contrast CT: calcium by a network, scored as 3 mm slices at 120 kVp without contrast "
    "agent would show it (130 HU, 1 mm2, spacing / 3 mm)"
)

#: Name of the convention behind ``agatston_paper``.
PAPER_CONVENTION = (
    "Agatston equivalent of paper 1: adaptive thresholds of 1.25 x the centreline or 1.45 x the calibration factor, "
    "weights by the calibration factor, pixel area x slice spacing / 3 mm"
)


@dataclass(frozen=True, slots=True)
class ContrastScore:
    """Numbers of one contrast scan.

    Parameters
    ----------
    agatston
        Agatston equivalent in Agatston units; comparable to a per-slice, 3 mm score at 120 kVp.
    volume_mm3
        Volume that a calcium-scoring CT would show, mm³: the one to set beside the volume of such a scan.
    segmented_volume_mm3
        Volume of the calcified voxels, mm³; smaller than in a calcium-scoring CT, whose thick slices widen calcium.
    """

    agatston: VesselValues
    volume_mm3: VesselValues
    segmented_volume_mm3: VesselValues

    @property
    def risk_category(self) -> RiskCategory:
        """Five-class category of the total equivalent."""
        return risk_category(self.agatston.total)


@dataclass(frozen=True, slots=True, eq=False)
class ContrastScoring:
    """Result of one contrast scan.

    Parameters
    ----------
    score, network
        The numbers, and the calcium behind them.
    lumen
        Attenuation along the centrelines.
    threshold_hu
        Shape (n,): the adaptive threshold of the paper at each centreline point.
    paper_score
        What that threshold and the paper's weights give; stands beside the score, never in its place.
    at_lower_thresholds, at_higher_thresholds
        The score with Agatston's threshold SENSITIVITY_SHIFT_HU lower and higher.
    """

    score: ContrastScore
    network: NetworkCalcium
    lumen: LumenReference
    threshold_hu: NDArray[np.float64]
    paper_score: ContrastScore
    at_lower_thresholds: CalciumScanValues
    at_higher_thresholds: CalciumScanValues

    @property
    def calcium(self) -> ContrastCalcium:
        """The voxels that are scored."""
        return self.network.calcium


def score_contrast_scan(
    volume: CtVolume,
    centerlines: CenterlinePoints,
    calibration: ContrastCalibration,
    estimate: CalciumEstimate,
    aorta_mask: NDArray[np.bool_] | None = None,
) -> ContrastScoring:
    """Score the coronary calcium of a contrast scan, by the network and by the paper's thresholds.

    Parameters
    ----------
    centerlines
        Of the coronary tree; without any point every score is 0 (whether that may be reported is the caller's choice).
    estimate
        What the network says of calcium.
    aorta_mask
        Shape of the volume: the ascending aorta with its root. Without it calcium of its wall beside an ostium is
        scored with the coronary artery.

    Raises
    ------
    ValueError
        If the mask has another shape than the volume.
    """
    lumen = measure_lumen(volume, centerlines, calibration.calibration_factor_hu)
    threshold_hu = adaptive_thresholds_hu(lumen, calibration)
    found = network_calcium(volume, centerlines, estimate, aorta_mask)
    by_paper = paper_calcium(volume, centerlines, threshold_hu, aorta_mask)
    values, lower, higher = values_in_calcium_scan(
        found.calcium, volume, calibration, (0.0, -SENSITIVITY_SHIFT_HU, SENSITIVITY_SHIFT_HU)
    )
    return ContrastScoring(
        score=ContrastScore(values.agatston, values.volume_mm3, segmented_volume_mm3(found.calcium, volume)),
        network=found,
        lumen=lumen,
        threshold_hu=threshold_hu,
        paper_score=score_by_paper(by_paper, volume, calibration),
        at_lower_thresholds=lower,
        at_higher_thresholds=higher,
    )


def score_by_paper(calcium: ContrastCalcium, volume: CtVolume, calibration: ContrastCalibration) -> ContrastScore:
    """Score voxels as the paper does.

    Every voxel counts its pixel area x spacing / 3 mm x weight. The paper sums "an adaptive weight by attenuation of
    each calcification voxel" and is silent on slices; spacing / 3 mm is the field's scaling to the 3 mm slices the
    score is defined in, and makes the sum an integral over the calcium that does not depend on the slices. Its volume
    is that of the voxels.
    """
    unit = VoxelGrid.checked(volume.spacing_zyx_mm).agatston_per_weighted_pixel
    agatston = _per_vessel(adaptive_weight(calcium.hu, calibration), calcium.vessel, unit)
    volume_mm3 = segmented_volume_mm3(calcium, volume)
    return ContrastScore(agatston, volume_mm3, volume_mm3)


def segmented_volume_mm3(calcium: ContrastCalcium, volume: CtVolume) -> VesselValues:
    """Volume of the voxels themselves."""
    return _per_vessel(np.ones(len(calcium.hu)), calcium.vessel, float(np.prod(volume.spacing_zyx_mm)))


def _per_vessel(values: NDArray[np.float64], vessel: NDArray[np.uint8], unit: float) -> VesselValues:
    # fsum rounds once, so the order of voxels changes nothing.
    by_vessel = {each: math.fsum(values[vessel == each].tolist()) * unit for each in Vessel}
    return VesselValues.from_vessels(by_vessel, total=math.fsum(values.tolist()) * unit)
