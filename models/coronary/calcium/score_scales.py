"""Thresholds and classes of the calcium score: density weight, risk category, CAC-DRS.

Decides the boundaries, for real-valued scores too, where the literature prints whole numbers. Measures nothing.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

#: Calcium is what reaches this attenuation (Agatston et al., J Am Coll Cardiol 1990;15:827–832).
AGATSTON_THRESHOLD_HU = 130

#: Lower bounds of the density weights 1, 2, 3 and 4 (Agatston 1990).
DENSITY_WEIGHT_BOUNDS_HU = (AGATSTON_THRESHOLD_HU, 200, 300, 400)

#: Slice spacing at which the original score is defined (Agatston 1990: contiguous 3 mm electron-beam slices).
AGATSTON_REFERENCE_SPACING_MM = 3.0

#: A connected calcium whose area, summed over its slices, is smaller than this is noise (paper 4, section 2.3).
MINIMUM_CALCIUM_AREA_MM2 = 1.0

#: Relative slack of that comparison, so that the rounding of a spacing never decides about exactly 1 mm².
AREA_ROUNDING = 1e-9

#: Connected voxels as bright as calcium of at least this volume are skeleton, mm³. The heaviest coronary calcium fills
#: about 3 cm³ in all its lesions together; ribs, sternum and spine form pieces of 50 cm³ and more.
BONE_MM3 = 20_000.0

#: Name of the convention behind ``agatston``: the one clinical workstations and risk tables follow.
FIELD_CONVENTION = (
    "agatston-1990 per slice, 3 mm: area of every in-slice region (4-connected) x density weight of its own peak, "
    "scaled by slice spacing / 3 mm"
)

#: Name of the convention behind ``agatston_paper``: paper 4, equation 1.
PAPER_CONVENTION = (
    "per lesion, unscaled: area summed over slices x density weight of the peak of the whole 3-D lesion (6-connected), "
    "no 3 mm scaling"
)

RiskCategory = Literal["0", "1-10", "11-100", "101-400", ">400"]

#: In ascending order; the order is the one of five-class kappa.
RISK_CATEGORIES: tuple[RiskCategory, ...] = ("0", "1-10", "11-100", "101-400", ">400")

#: Highest scores of the risk categories but the last, which has none.
HIGHEST_SCORES = (0.0, 10.0, 100.0, 400.0)


def density_weight(peak_hu: NDArray[Any]) -> NDArray[np.int64]:
    """Agatston density weight of a peak attenuation.

    1 for 130 ≤ peak < 200, 2 for < 300, 3 for < 400, 4 from 400 HU; 0 below the threshold. Real-valued peaks follow the
    same bounds (199.5 HU has weight 1). Any shape. Source: Agatston 1990; paper 4, section 2.3.
    """
    return np.asarray(np.searchsorted(DENSITY_WEIGHT_BOUNDS_HU, peak_hu, side="right"), dtype=np.int64)


def risk_category(agatston: float) -> RiskCategory:
    """Five-class risk category of a total Agatston score.

    The printed classes leave gaps between whole numbers; here a real-valued score belongs to the first class whose
    upper bound it does not exceed: exactly 0; ≤ 10; ≤ 100; ≤ 400; above. A score between 0 and 1 is "1-10", never "0":
    some calcium was found. Source: paper 4, table 2; paper 1, table 4.

    Raises
    ------
    ValueError
        If the score is negative or not finite.
    """
    _require_score(agatston)
    for category, upper in zip(RISK_CATEGORIES, HIGHEST_SCORES, strict=False):
        if agatston <= upper:
            return category
    return ">400"


def cac_drs(agatston_total: float, n_vessels: int) -> str:
    """CAC-DRS category as ``"A2/N3"``.

    A0: exactly 0; A1: 1–99, here every score above 0 and below 100; A2: below 300; A3: 300 and more. N is the number of
    calcified vessels, 0 to 4: the left main counts as a vessel of its own.
    Source: Hecht et al., J Cardiovasc Comput Tomogr 2018;12:185–191.

    Raises
    ------
    ValueError
        If the score is negative or not finite, if ``n_vessels`` is outside 0–4, or if one says calcium and the other
        does not.
    """
    _require_score(agatston_total)
    if not 0 <= n_vessels <= 4:
        raise ValueError(f"{n_vessels} calcified vessels, expected 0 to 4")
    if (agatston_total > 0) != (n_vessels > 0):
        raise ValueError(f"score {agatston_total} contradicts {n_vessels} calcified vessels")
    if agatston_total == 0:
        grade = 0
    elif agatston_total < 100:
        grade = 1
    elif agatston_total < 300:
        grade = 2
    else:
        grade = 3
    return f"A{grade}/N{n_vessels}"


def _require_score(agatston: float) -> None:
    if not math.isfinite(agatston) or agatston < 0:
        raise ValueError(f"Agatston score is {agatston}, expected a finite number of at least 0")
