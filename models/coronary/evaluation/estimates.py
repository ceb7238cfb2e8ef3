"""A figure as it is published: value, interval, number of cases, method.

Decides how an undefined figure is kept (None, never 0) and how a proportion gets its interval. Knows no statistic of
agreement.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

#: Confidence level of every interval unless another is asked for.
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """One statistic with its confidence interval.

    ``value`` is None where the statistic is undefined for these data (no variance, empty denominator); ``low`` and
    ``high`` are None where no interval exists.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    confidence: float = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Proportion:
    """``successes`` of ``n`` with a Clopper–Pearson interval; value None when n is 0, interval then 0 to 1."""

    successes: int
    n: int
    value: float | None
    low: float
    high: float
    confidence: float = CONFIDENCE


def clopper_pearson(successes: int, n: int, confidence: float = CONFIDENCE) -> Proportion:
    """Proportion with the exact binomial interval of Clopper & Pearson, Biometrika 1934;26:404–413.

    Two-sided with (1 − confidence)/2 in each tail, at 0 and n of n too; 0 of 0 has no value and the interval 0 to 1.

    Raises
    ------
    ValueError
        Unless 0 ≤ successes ≤ n and 0 < confidence < 1.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n}, expected 0 <= successes <= n")
    require_confidence(confidence)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(stats.beta.ppf(1.0 - tail, successes + 1, n - successes))
    return Proportion(successes, n, successes / n if n else None, low, high, confidence)


def require_confidence(confidence: float) -> None:
    """Raise ValueError unless the confidence level lies strictly between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}, expected a number between 0 and 1")


def normal_quantile(confidence: float) -> float:
    """Two-sided standard normal quantile, 1.96 for 0.95."""
    require_confidence(confidence)
    return float(stats.norm.ppf(0.5 + confidence / 2.0))
