"""How often the interval of a score holds the true score, and how its calibration is fitted.

Decides what the true score is: of a virtual patient that of the same scan without noise, all calcium labelled; of any
other case the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import INTERVAL_CONFIDENCE, IntervalCalibration, ScoreRange, score_interval
from coronary.evaluation.estimates import Proportion, clopper_pearson

if TYPE_CHECKING:
    from coronary.evaluation.cohort import CaseRecord

#: Names among the measures of a case.
NOISE_FREE_SCORE: Final = "noise_free_agatston"
LOWEST_SCORE: Final = "lowest_agatston"
HIGHEST_SCORE: Final = "highest_agatston"
INTERVAL_LOW: Final = "interval_low"
INTERVAL_HIGH: Final = "interval_high"

#: Shares of the doubt that are tried.
SHARES: Final = tuple(np.linspace(0.0, 2.0, 41).tolist())


@dataclass(frozen=True, slots=True)
class IntervalCoverage:
    """How often the true score lies within the interval.

    Parameters
    ----------
    overall
        Of all scored cases.
    with_calcium
        Of those with a score, true or reported, above zero: an interval around a right zero cannot miss.
    median_width
        Of the intervals of the latter, Agatston units.
    """

    overall: Proportion
    with_calcium: Proportion
    median_width: float


def interval_coverage(cases: Sequence[CaseRecord]) -> IntervalCoverage | None:
    """Coverage of the cases that have an interval; None when there are none."""
    measured = [case for case in cases if case.predicted is not None and INTERVAL_LOW in case.measures]
    if not measured:
        return None
    with_calcium = [case for case in measured if _is_calcified(case)]
    widths = [case.measures[INTERVAL_HIGH] - case.measures[INTERVAL_LOW] for case in with_calcium]
    return IntervalCoverage(
        overall=clopper_pearson(sum(map(_is_covered, measured)), len(measured)),
        with_calcium=clopper_pearson(sum(map(_is_covered, with_calcium)), len(with_calcium)),
        median_width=float(np.median(widths)) if widths else math.nan,
    )


def fit_calibration(cases: Sequence[CaseRecord], data: str) -> IntervalCalibration:
    """The calibration with which the limits hold the true score as often as they should, and are closest.

    Each limit is missed by half of what is left beside the confidence, counted in the cases with a score above zero.
    """
    measured = [case for case in cases if case.predicted is not None and INTERVAL_LOW in case.measures]
    with_calcium = [case for case in measured if _is_calcified(case)]
    lowest, highest = (
        np.sqrt([case.measures[name] for case in with_calcium]) for name in (LOWEST_SCORE, HIGHEST_SCORE)
    )
    true = np.sqrt([_true(case) for case in with_calcium])
    reported = np.sqrt([_reported(case) for case in with_calcium])
    lower = _closest(reported - true, reported - lowest)
    upper = _closest(true - reported, highest - reported)
    zeros = [case for case in measured if _reported(case) == 0]
    return IntervalCalibration(
        lower_offset=lower[0],
        lower_share=lower[1],
        upper_offset=upper[0],
        upper_share=upper[1],
        missed_share=_missed_share([case for case in zeros if case.measures[HIGHEST_SCORE] == 0]),
        missed_share_doubtful=_missed_share([case for case in zeros if case.measures[HIGHEST_SCORE] > 0]),
        data=data,
    )


def cross_validated(cases: Sequence[CaseRecord], folds: int = 10) -> list[CaseRecord]:
    """The cases with the interval that a calibration on all others gives; the k-th of each `folds` is left out at once.

    What is measured on them is coverage of patients that the calibration does not know.
    """
    found = []
    for fold in range(folds):
        left_out = [case for k, case in enumerate(cases) if k % folds == fold]
        calibration = fit_calibration([case for k, case in enumerate(cases) if k % folds != fold], "all others")
        for case in left_out:
            if case.predicted is None or INTERVAL_LOW not in case.measures:
                found.append(case)
                continue
            around = ScoreRange(case.measures[LOWEST_SCORE], case.measures[HIGHEST_SCORE])
            interval = score_interval(_reported(case), around, calibration)
            limits = {INTERVAL_LOW: interval.low, INTERVAL_HIGH: interval.high}
            found.append(replace(case, measures={**case.measures, **limits}))
    return found


def _closest(strayed: NDArray[np.float64], doubt: NDArray[np.float64]) -> tuple[float, float]:
    """Offset and share of the doubt that hold a case with the smallest mean width; conformal in the offset."""
    rank = math.ceil((1 - (1 - INTERVAL_CONFIDENCE) / 2) * (len(strayed) + 1)) - 1
    best = (math.inf, 0.0, 0.0)
    for share in SHARES:
        offset = max(0.0, float(np.sort(strayed - share * doubt)[min(rank, len(strayed) - 1)]))
        best = min(best, (offset + share * float(doubt.mean()), offset, share))
    return round(best[1], 3), round(best[2], 3)


def _missed_share(zeros: Sequence[CaseRecord]) -> float:
    """Share of the zeros whose truth is above zero; by Laplace's rule, so that none seen is not never."""
    missed = sum(_true(case) > 0 for case in zeros)
    return round((missed + 1) / (len(zeros) + 2), 4)


def _reported(case: CaseRecord) -> float:
    assert case.predicted is not None
    return case.predicted.as_dict()["total"]


def _true(case: CaseRecord) -> float:
    return case.measures.get(NOISE_FREE_SCORE, case.true.total)


def _is_calcified(case: CaseRecord) -> bool:
    return _reported(case) > 0 or _true(case) > 0


def _is_covered(case: CaseRecord) -> bool:
    return case.measures[INTERVAL_LOW] <= _true(case) <= case.measures[INTERVAL_HIGH]
