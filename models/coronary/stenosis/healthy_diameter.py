"""The diameter an artery would have without disease, from the diameters it has.

Decides by the wider parts alone: arteries taper, and disease only narrows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

#: The healthy diameter is this quantile of those measured: at most a third of a trunk may be narrowed.
HEALTHY_QUANTILE: Final = 0.7

#: Healthy arteries narrow by at most this, mm per mm (Dodge 1992: LAD 3.7 mm to 1.9 mm over 105 mm).
STEEPEST_TAPER: Final = 0.03


def healthy_diameter_mm(arc_length_mm: NDArray[np.float64], diameter_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Line that HEALTHY_QUANTILE of the diameters stay below and that does not widen (quantile regression, Koenker).

    Parameters
    ----------
    arc_length_mm, diameter_mm
        Shape (n,), finite.

    Returns
    -------
    ndarray
        Shape (n,), mm.
    """
    count = len(diameter_mm)
    # Minimise q·above + (1 - q)·below with diameter = start - taper·along + above - below.
    cost = np.concatenate([[0.0, 0.0], np.full(count, HEALTHY_QUANTILE), np.full(count, 1.0 - HEALTHY_QUANTILE)])
    equations = np.hstack([np.ones((count, 1)), -arc_length_mm[:, None], np.eye(count), -np.eye(count)])
    bounds = [(0.0, None), (0.0, STEEPEST_TAPER), *[(0.0, None)] * (2 * count)]
    solution = linprog(cost, A_eq=equations, b_eq=diameter_mm, bounds=bounds, method="highs").x
    assert solution is not None, "every set of finite diameters has a quantile"
    start, taper = solution[:2]
    return np.asarray(start - taper * arc_length_mm)
