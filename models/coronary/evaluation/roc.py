"""Area under the ROC curve with DeLong's interval, and the test of two areas on the same cases.

Decides how ties count (half) and how the variance is estimated. Ratings may be grades, percentages or probabilities:
higher means more likely positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from coronary.evaluation.estimates import CONFIDENCE, Estimate, normal_quantile

_METHOD = "DeLong"


@dataclass(frozen=True, slots=True)
class AreaComparison:
    """Two areas on the same cases: their difference (second minus first) and the two-sided p of no difference.

    ``p_value`` is None where the difference has no variance.
    """

    first: Estimate
    second: Estimate
    difference: Estimate
    p_value: float | None


def roc_area(is_positive: Sequence[bool], rating: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Area under the ROC curve, interval by DeLong et al., Biometrics 1988;44:837-845, cut at 0 and 1.

    The value is None without a positive or without a negative case; the interval is None with only one of either.

    Raises
    ------
    ValueError
        If lengths differ or a rating is not a number.
    """
    truth, ratings = _checked(is_positive, [rating])
    if truth.all() or not truth.any():
        return Estimate(None, None, None, len(truth), _METHOD, confidence)
    areas, covariance = _areas(truth, ratings)
    return _area_estimate(float(areas[0]), float(covariance[0, 0]), len(truth), confidence)


def roc_curve(is_positive: Sequence[bool], rating: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates at every threshold, from none to all called positive; shape (thresholds + 1,) each.

    Raises
    ------
    ValueError
        If lengths differ, a rating is not a number, or there are no positive or no negative cases.
    """
    truth, (ratings,) = _checked(is_positive, [rating])
    if truth.all() or not truth.any():
        raise ValueError("a ROC curve needs positive and negative cases")
    called = ratings >= np.unique(ratings)[::-1, None]
    rates = (np.concatenate([[0.0], called[:, group].mean(axis=1)]) for group in (~truth, truth))
    false_positive, true_positive = rates
    return false_positive, true_positive


def compare_roc_areas(
    is_positive: Sequence[bool], first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> AreaComparison:
    """Areas of two ratings of the same cases (DeLong 1988).

    Raises
    ------
    ValueError
        If lengths differ, a rating is not a number, or there are no positive or no negative cases.
    """
    truth, ratings = _checked(is_positive, [first, second])
    if truth.all() or not truth.any():
        raise ValueError("two areas can be compared only with positive and negative cases")
    areas, covariance = _areas(truth, ratings)
    n = len(truth)
    one, other = (_area_estimate(float(areas[k]), float(covariance[k, k]), n, confidence) for k in (0, 1))
    difference = float(areas[1] - areas[0])
    error = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])))
    if not error > 0.0:
        return AreaComparison(one, other, Estimate(difference, None, None, n, _METHOD, confidence), None)
    reach = normal_quantile(confidence) * error
    return AreaComparison(
        one,
        other,
        Estimate(difference, difference - reach, difference + reach, n, _METHOD, confidence),
        float(2.0 * stats.norm.sf(abs(difference) / error)),
    )


def _checked(
    is_positive: Sequence[bool], ratings: Sequence[Sequence[float]]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    truth = np.asarray(is_positive, dtype=np.bool_)
    if any(len(rating) != len(truth) for rating in ratings):
        raise ValueError(f"{len(truth)} cases and {[len(rating) for rating in ratings]} ratings, expected as many")
    rated = np.asarray(ratings, dtype=np.float64)
    if not np.isfinite(rated).all():
        raise ValueError("a rating is not a number")
    return truth, rated


def _areas(truth: NDArray[np.bool_], ratings: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas, shape (k,), and covariance, (k, k), by midranks (Sun & Xu, IEEE Signal Process Lett 2014;21:1389-1393)."""
    positives, negatives = ratings[:, truth], ratings[:, ~truth]
    m, n = positives.shape[1], negatives.shape[1]
    among_all = stats.rankdata(np.concatenate([positives, negatives], axis=1), axis=1)
    of_positives = (among_all[:, :m] - stats.rankdata(positives, axis=1)) / n
    of_negatives = 1.0 - (among_all[:, m:] - stats.rankdata(negatives, axis=1)) / m
    covariance = np.zeros((len(ratings), len(ratings)))
    for values, count in ((of_positives, m), (of_negatives, n)):
        if count > 1:
            covariance += np.atleast_2d(np.cov(values)) / count
        else:
            covariance += np.nan
    return of_positives.mean(axis=1), covariance


def _area_estimate(area: float, variance: float, n: int, confidence: float) -> Estimate:
    if not np.isfinite(variance):
        return Estimate(area, None, None, n, _METHOD, confidence)
    reach = normal_quantile(confidence) * float(np.sqrt(variance))
    return Estimate(area, max(0.0, area - reach), min(1.0, area + reach), n, _METHOD, confidence)
