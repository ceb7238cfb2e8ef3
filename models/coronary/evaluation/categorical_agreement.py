"""Agreement of two classifications of the same cases: confusion matrix and Cohen's kappa.

Decides orientation (rows: reference, columns: predicted) and weights. Says nothing about which class is the important
one; for that see ``diagnostic_accuracy``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coronary.evaluation.estimates import CONFIDENCE, Estimate, normal_quantile, require_confidence

KappaWeights = Literal["unweighted", "linear", "quadratic"]


def confusion_matrix(
    reference: Sequence[Hashable], predicted: Sequence[Hashable], classes: Sequence[Hashable]
) -> NDArray[np.int64]:
    """Counts with the reference in rows and the prediction in columns, both in the order of ``classes``.

    ValueError if the lengths differ, a class is listed twice, or a case has a class that is not listed.
    """
    if len(reference) != len(predicted):
        raise ValueError(f"{len(reference)} reference and {len(predicted)} predicted classes, expected as many")
    position = {name: index for index, name in enumerate(classes)}
    if len(position) != len(classes):
        raise ValueError(f"a class is listed twice in {list(classes)}")
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for truth, guess in zip(reference, predicted, strict=True):
        if truth not in position or guess not in position:
            raise ValueError(f"class {truth if truth not in position else guess} is none of {list(classes)}")
        counts[position[truth], position[guess]] += 1
    return counts


def cohen_kappa(counts: ArrayLike, weights: KappaWeights = "unweighted", confidence: float = CONFIDENCE) -> Estimate:
    """Cohen's kappa of a square table of counts with the asymptotic interval.

    Linear and quadratic weights fall off with the distance of two classes in the order of the table. The interval is
    kappa ± z times the large-sample standard error, cut at −1 and 1. None where chance agreement is complete (all
    cases in one class on both sides).

    Notes
    -----
    Cohen, Educ Psychol Meas 1960;20:37–46 and Psychol Bull 1968;70:213–220; standard error of Fleiss, Cohen & Everitt,
    Psychol Bull 1969;72:323–327, equation 13.
    """
    table = _square_counts(counts)
    n = int(table.sum())
    method = f"Cohen kappa, {weights}; asymptotic interval (Fleiss, Cohen & Everitt 1969)"
    agreement = _agreement_weights(len(table), weights)
    proportions = table / n
    kappa, expected = _kappa(proportions, agreement)
    if kappa is None:
        return Estimate(None, None, None, n, method, confidence)
    row_mean = agreement @ proportions.sum(axis=0)
    column_mean = agreement @ proportions.sum(axis=1)
    deviation = agreement - (row_mean[:, None] + column_mean[None, :]) * (1 - kappa)
    spread = float(np.sum(proportions * deviation**2)) - (kappa - expected * (1 - kappa)) ** 2
    half = normal_quantile(confidence) * float(np.sqrt(max(spread, 0.0) / n)) / (1 - expected)
    return Estimate(kappa, max(kappa - half, -1.0), min(kappa + half, 1.0), n, method, confidence)


def cohen_kappa_bootstrap(
    counts: ArrayLike,
    weights: KappaWeights = "unweighted",
    confidence: float = CONFIDENCE,
    *,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Cohen's kappa with a percentile bootstrap interval over cases; the same seed gives the same interval.

    Better than the asymptotic one where a class is nearly empty. Resamples in which kappa is undefined are left out of
    the percentiles; there is no interval when all are. Source: Efron & Tibshirani, An Introduction to the Bootstrap
    (1993), chapter 13.
    """
    table = _square_counts(counts)
    require_confidence(confidence)
    if n_resamples < 1:
        raise ValueError(f"{n_resamples} resamples, expected at least 1")
    n = int(table.sum())
    agreement = _agreement_weights(len(table), weights)
    kappa, _ = _kappa(table / n, agreement)
    method = f"Cohen kappa, {weights}; percentile bootstrap, {n_resamples} resamples, seed {seed}"
    drawn = np.random.default_rng(seed).multinomial(n, (table / n).ravel(), size=n_resamples)
    resampled = [value for row in drawn if (value := _kappa(row.reshape(table.shape) / n, agreement)[0]) is not None]
    if kappa is None or not resampled:
        return Estimate(kappa, None, None, n, method, confidence)
    tail = (1 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(kappa, float(low), float(high), n, method, confidence)


def observed_agreement(counts: ArrayLike) -> tuple[int, int]:
    """Number of cases on the diagonal and number of cases."""
    table = _square_counts(counts)
    return int(np.trace(table)), int(table.sum())


def _square_counts(counts: ArrayLike) -> NDArray[np.int64]:
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or len(table) < 2:
        raise ValueError(f"table has shape {table.shape}, expected a square of at least 2 x 2")
    if not np.issubdtype(table.dtype, np.integer) or int(table.min()) < 0 or int(table.sum()) == 0:
        raise ValueError("expected non-negative whole counts of at least one case")
    return table.astype(np.int64)


def _agreement_weights(n_classes: int, weights: KappaWeights) -> NDArray[np.float64]:
    """1 on the diagonal, falling to 0 in the far corners (or at once, unweighted)."""
    index = np.arange(n_classes)
    distance: NDArray[np.float64] = np.abs(index[:, None] - index[None, :]) / (n_classes - 1)
    if weights == "unweighted":
        return np.eye(n_classes)
    if weights == "linear":
        return np.subtract(1.0, distance)
    if weights == "quadratic":
        return np.subtract(1.0, np.square(distance))
    raise ValueError(f"weights are {weights}, expected unweighted, linear or quadratic")


def _kappa(proportions: NDArray[Any], agreement: NDArray[np.float64]) -> tuple[float | None, float]:
    """Kappa (None if undefined) and agreement expected by chance."""
    observed = float(np.sum(agreement * proportions))
    expected = float(proportions.sum(axis=1) @ agreement @ proportions.sum(axis=0))
    # One class on both sides gives an expected agreement of 1 up to rounding.
    if expected >= 1 - 1e-12:
        return None, expected
    return (observed - expected) / (1 - expected), expected
