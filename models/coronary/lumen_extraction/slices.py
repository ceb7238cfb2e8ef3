"""Attenuation as the mapping between contrast and non-contrast slices sees it, for training and serving alike."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Attenuation beyond which nothing is told apart, HU (paper 0, "Details of the deep learning model").
RANGE_HU: Final = (-1000.0, 2000.0)

#: Attenuation of 1 at the networks, HU; 0 HU stays 0, so that a convolution without offset leaves water as it is.
UNIT_HU: Final = 1000.0


def to_unit(hu: NDArray[Any]) -> NDArray[np.float32]:
    """Attenuation at the networks, clipped to RANGE_HU; any shape."""
    return np.asarray(np.clip(hu, *RANGE_HU) / UNIT_HU, dtype=np.float32)


def to_hu(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of :func:`to_unit`, HU."""
    return np.asarray(unit * UNIT_HU, dtype=np.float32)
