"""Connected pieces: of voxels that are given as a list (small things in a large volume), and the largest of a mask."""

from __future__ import annotations

from typing import Literal

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Faces only: 6-connected in 3-D, as in :mod:`coronary.calcium`.
SIX_CONNECTED = ndimage.generate_binary_structure(3, 1)


def connected_pieces(index_zyx: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number from 1 of the 6-connected piece of each chosen voxel, 0 for the others."""
    piece = np.zeros(len(chosen), dtype=np.int64)
    if chosen.any():
        index = index_zyx[chosen] - index_zyx[chosen].min(axis=0)
        box = np.zeros(index.max(axis=0) + 1, dtype=np.bool_)
        box[tuple(index.T)] = True
        labels, _ = ndimage.label(box, SIX_CONNECTED)
        piece[chosen] = labels[tuple(index.T)]
    return piece


def is_touching(piece: NDArray[np.int64], cores: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each voxel lies in a piece that holds a core; `piece` as from :func:`connected_pieces`."""
    has_core = np.zeros(int(piece.max(initial=0)) + 1, dtype=np.bool_)
    has_core[piece[cores]] = True
    has_core[0] = False
    return np.asarray(has_core[piece])


def largest_piece(mask: NDArray[np.bool_], connectivity: Literal[4, 6, 8, 18, 26]) -> NDArray[np.bool_]:
    """The piece with the most pixels or voxels, shape of the mask; empty of an empty mask.

    `connectivity` is 4 or 8 in 2-D, 6, 18 or 26 in 3-D.
    """
    pieces = cc3d.connected_components(mask, connectivity=connectivity)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((pieces == sizes.argmax()) & mask)
