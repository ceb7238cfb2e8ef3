"""How the score of a calcium-scoring CT would change with what is doubtful in it: noise, edges, coronary or not.

Decides what counts as doubtful. How wide the interval is that follows was measured: see CALIBRATION.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import CalciumScore, IntervalCalibration, ScoreRange, score_calcium
from coronary.csct_scoring.postprocess import DOUBT_PROBABILITY, CalciumCandidates
from coronary.csct_scoring.preprocess import PIXEL_MM, PreparedVolume
from coronary.ct_volume import CtVolume

#: Candidates with at least this probability of being coronary calcium are not doubted.
CERTAIN_PROBABILITY: Final = 0.8

#: Soft tissue in which the noise is measured, HU, and the side of the squares it is measured in, mm.
TISSUE_HU: Final = (-20.0, 120.0)
SQUARE_MM: Final = 6.0

#: Of the standard deviations in all squares of soft tissue, this quantile is the noise: most squares hold an edge too.
NOISE_QUANTILE: Final = 0.25

#: Fitted on development patients: ``python -m coronary.csct_scoring.training.fit_interval``.
CALIBRATION: Final = IntervalCalibration(
    lower_offset=0.0,
    lower_share=1.0,
    upper_offset=0.373,
    upper_share=0.55,
    missed_share=0.0182,
    missed_share_doubtful=0.0333,
    data="virtual patients, n = 160, seeds 930001-930160",
)

#: Pixels at the edge of a lesion: its neighbours in the slice.
_EDGE = ndimage.generate_binary_structure(3, 1) & np.array([False, True, False])[:, None, None]


def noise_sd_hu(prepared: PreparedVolume) -> float:
    """Standard deviation of single pixels in the soft tissue around the heart, HU; 0 where there is none."""
    hu = prepared.hu.astype(np.float32)
    size = (1, round(SQUARE_MM / PIXEL_MM), round(SQUARE_MM / PIXEL_MM))
    mean = ndimage.uniform_filter(hu, size)
    variance = ndimage.uniform_filter(hu * hu, size) - mean * mean
    tissue = (mean > TISSUE_HU[0]) & (mean < TISSUE_HU[1])
    return float(np.sqrt(np.quantile(np.maximum(variance[tissue], 0.0), NOISE_QUANTILE))) if tissue.any() else 0.0


def score_range(
    volume: CtVolume, score: CalciumScore, candidates: CalciumCandidates, bone: NDArray[np.bool_], noise_hu: float
) -> ScoreRange:
    """Total score without and with everything doubtful.

    Without: candidates that are coronary for certain, every voxel darker by the noise. With: those that were only just
    left out and the pixels at the edges of lesions too, every voxel brighter by the noise.

    Parameters
    ----------
    bone
        Shape of the volume: what is not scored whatever the network says.
    """
    shift = round(noise_hu)
    certain = np.where(bone, 0, candidates.at_least(CERTAIN_PROBABILITY))
    possible = np.where(bone, 0, candidates.at_least(DOUBT_PROBABILITY))
    edges = ndimage.grey_dilation(possible, footprint=_EDGE)
    lowest, highest = (
        score_calcium(
            volume.voxels_hu.astype(np.int32) + change,
            labels.astype(np.uint8),
            volume.spacing_zyx_mm,
            volume.affine_lps,
        ).agatston.total
        for labels, change in ((certain, -shift), (np.where(bone, 0, np.where(possible, possible, edges)), shift))
    )
    # A lesion that grows may join another and share its weight: the reported score stays within all the same.
    total = score.agatston.total
    return ScoreRange(min(lowest, total), max(highest, total))
