"""How far scored calcium reaches into a contrast scan: to the end of its blurred border."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.contract import CalciumEstimate
from coronary.imaging.connected_pieces import connected_pieces, is_touching

#: The blurred border of a calcification reaches as far as the network gives it this probability.
BORDER_PROBABILITY: Final = 0.1


def reached_by_calcium(estimate: CalciumEstimate, is_scored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which voxels of the estimate belong to scored calcifications or their borders, shape (m,).

    Parameters
    ----------
    is_scored
        Shape of the volume: voxels of coronary calcium. What the network took for calcium elsewhere is left out.
    """
    piece = connected_pieces(estimate.index_zyx, estimate.probability >= BORDER_PROBABILITY)
    return is_touching(piece, is_scored[tuple(estimate.index_zyx.T)])
