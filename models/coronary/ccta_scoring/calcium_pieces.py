"""Connected pieces of what the network takes for calcium, each with what may tell plaque from anything else.

Decides the features only; which pieces count is decided in :mod:`contrast_calcium`, by their peak probability alone so
far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.cross_sections import nearest_points
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume
from coronary.imaging.connected_pieces import connected_pieces

#: One number each per piece. Logit: of the probability. Shares: of the attenuation of the lumen.
PIECE_FEATURES: Final = (
    "peak_logit",
    "mean_logit",
    "log_volume_mm3",
    "peak_excess_share",
    "mean_excess_share",
    "peak_hu_share",
    "mean_hu_share",
    "outside_lumen_mm",
    "lumen_radius_mm",
    "extent_mm",
)

#: Probabilities closer to 0 or 1 than this are as good as certain (they are kept in bytes).
LEAST_DOUBT: Final = 0.5 / 255


@dataclass(frozen=True, slots=True, eq=False)
class CalciumPieces:
    """Pieces of one scan.

    Parameters
    ----------
    piece
        Shape (m,): number from 1 of the piece of each voxel of the estimate, 0 where it is in none.
    features
        Shape (n, len(PIECE_FEATURES)): row k is piece k + 1.
    """

    piece: NDArray[np.int64]
    features: NDArray[np.float64]


def calcium_pieces(
    volume: CtVolume, centerlines: CenterlinePoints, estimate: CalciumEstimate, lumen_hu: float, probability: float
) -> CalciumPieces:
    """Pieces of voxels of at least this probability.

    Parameters
    ----------
    lumen_hu
        Representative attenuation of the coronary lumen (the calibration factor).
    """
    piece = connected_pieces(estimate.index_zyx, estimate.probability >= probability)
    numbers = np.arange(1, int(piece.max(initial=0)) + 1)
    if len(numbers) == 0:
        return CalciumPieces(piece, np.zeros((0, len(PIECE_FEATURES))))
    hu = volume.voxels_hu[tuple(estimate.index_zyx.T)].astype(np.float64)
    doubt = np.clip(estimate.probability, LEAST_DOUBT, 1.0 - LEAST_DOUBT)
    logit = np.log(doubt / (1.0 - doubt))
    _, point, distance_mm = nearest_points(volume, centerlines, estimate.index_zyx, 0.0)
    radius_mm = centerlines.radius_mm[point] if len(centerlines) else np.zeros(len(piece))
    voxels = ndimage.sum_labels(np.ones(len(piece)), piece, numbers)
    places_mm = volume.to_lps_mm(estimate.index_zyx.astype(np.float64))
    extents = [
        np.subtract(ndimage.maximum(axis, piece, numbers), ndimage.minimum(axis, piece, numbers))
        for axis in places_mm.T
    ]
    columns = (
        ndimage.maximum(logit, piece, numbers),
        ndimage.mean(logit, piece, numbers),
        np.log(voxels * float(np.prod(volume.spacing_zyx_mm))),
        np.divide(ndimage.maximum(estimate.excess_hu, piece, numbers), lumen_hu),
        np.divide(ndimage.mean(estimate.excess_hu, piece, numbers), lumen_hu),
        np.divide(ndimage.maximum(hu, piece, numbers), lumen_hu),
        np.divide(ndimage.mean(hu, piece, numbers), lumen_hu),
        ndimage.mean(distance_mm - radius_mm, piece, numbers),
        ndimage.mean(radius_mm, piece, numbers),
        np.linalg.norm(extents, axis=0),
    )
    return CalciumPieces(piece, np.stack([np.asarray(column, np.float64) for column in columns], axis=1))
