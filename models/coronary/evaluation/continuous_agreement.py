"""Agreement of two continuous measurements of the same cases: ICC, CCC, Bland–Altman, Pearson, paired t.

Decides which form of each statistic is meant and how its interval is made. Every function refuses values that are not
finite; a statistic that these data do not define is None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from coronary.evaluation.estimates import CONFIDENCE, Estimate, normal_quantile, require_confidence

ICC_METHOD = "ICC(A,1), two-way random, absolute agreement, single measure; McGraw & Wong F interval"
CCC_METHOD = "Lin's CCC; Fisher z interval with the corrected variance (Lin 1989, 2000)"
#: An ICC this close to 1 is 1 but for rounding: raters agree on every case, and the F interval would divide by zero.
PERFECT_AGREEMENT_ROUNDING = 1e-12

#: Values that differ by less than this part of their size (or of 1) are one constant.
VARIATION_ROUNDING = 1e-12

PEARSON_METHOD = "Pearson r; Fisher z interval"


def intraclass_correlation(ratings: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """ICC(A,1): two-way random effects, absolute agreement, single measure.

    Parameters
    ----------
    ratings
        Shape (cases, raters), at least 2 x 2; for two methods one column each.

    Returns
    -------
    Estimate
        None without any variance between ratings. Perfect agreement has the interval 1 to 1. A negative estimate means
        no agreement; its interval, made for positive ones, need not hold it.

    Notes
    -----
    McGraw & Wong, Psychol Methods 1996;1:30–46, case 2A, tables 4 and 7; the same estimate as ICC(2,1) of Shrout &
    Fleiss, Psychol Bull 1979;86:420–428. The interval assumes normal effects; calcium scores are skewed, so read it
    beside the limits of agreement.
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.all(np.isfinite(table)):
        raise ValueError(f"ratings have shape {table.shape}, expected finite values, at least 2 cases x 2 raters")
    require_confidence(confidence)
    n, k = table.shape
    rows, columns, error = _mean_squares(table)
    denominator = rows + (k - 1) * error + k * (columns - error) / n
    if not _varies(table) or denominator <= 0:
        return Estimate(None, None, None, n, ICC_METHOD, confidence)
    icc = (rows - error) / denominator
    if icc >= 1 - PERFECT_AGREEMENT_ROUNDING:
        return Estimate(1.0, 1.0, 1.0, n, ICC_METHOD, confidence)
    low, high = _icc_interval(icc, rows, columns, error, n, k, confidence)
    return Estimate(icc, low, high, n, ICC_METHOD, confidence)


def _mean_squares(table: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean squares of cases, raters and residual of the two-way layout without replication."""
    n, k = table.shape
    centred = table - table.mean()
    by_case = centred.mean(axis=1, keepdims=True)
    by_rater = centred.mean(axis=0, keepdims=True)
    residual = centred - by_case - by_rater
    rows = k * float(np.sum(by_case**2)) / (n - 1)
    columns = n * float(np.sum(by_rater**2)) / (k - 1)
    return rows, columns, float(np.sum(residual**2)) / ((n - 1) * (k - 1))


def _icc_interval(
    icc: float, rows: float, columns: float, error: float, n: int, k: int, confidence: float
) -> tuple[float | None, float | None]:
    """F-based interval of McGraw & Wong 1996, table 7, with Satterthwaite degrees of freedom."""
    a = k * icc / (n * (1 - icc))
    b = 1 + k * icc * (n - 1) / (n * (1 - icc))
    pooled = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if pooled <= 0:
        return None, None
    freedom = (a * columns + b * error) ** 2 / pooled
    if freedom <= 0:
        return None, None
    upper_tail = 0.5 + confidence / 2
    f_low = float(stats.f.ppf(upper_tail, n - 1, freedom))
    f_high = float(stats.f.ppf(upper_tail, freedom, n - 1))
    spread = k * columns + (k * n - k - n) * error
    return n * (rows - f_low * error) / (f_low * spread + n * rows), n * (f_high * rows - error) / (
        spread + n * f_high * rows
    )


def concordance_correlation(first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Lin's concordance correlation coefficient of two measurements of the same cases.

    Variances are divided by n, as in Lin, Biometrics 1989;45:255–268. None where neither mean nor variance differs.
    See :func:`concordance_from_moments` for the interval.
    """
    x, y = _paired(first, second, at_least=3)
    return concordance_from_moments(
        len(x),
        float(x.mean()),
        float(y.mean()),
        float(x.std()) if _varies(x) else 0.0,
        float(y.std()) if _varies(y) else 0.0,
        _correlation(x, y) or 0.0,
        confidence,
    )


def concordance_from_moments(
    n: int,
    mean_first: float,
    mean_second: float,
    sd_first: float,
    sd_second: float,
    pearson_r: float,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Lin's CCC from published means, standard deviations and correlation.

    Notes
    -----
    Interval: Fisher z with Lin's variance in the corrected form of Biometrics 2000;56:324–325. No interval where
    r = 0, at |CCC| = 1, or below 3 cases.
    """
    shift = mean_first - mean_second
    denominator = sd_first**2 + sd_second**2 + shift**2
    if denominator <= 0:
        return Estimate(None, None, None, n, CCC_METHOD, confidence)
    ccc = min(max(2 * pearson_r * sd_first * sd_second / denominator, -1.0), 1.0)
    if n < 3 or pearson_r == 0 or abs(ccc) >= 1 or sd_first * sd_second == 0:
        exact = ccc if abs(ccc) >= 1 else None
        return Estimate(ccc, exact, exact, n, CCC_METHOD, confidence)
    u2 = shift**2 / (sd_first * sd_second)
    r, c = pearson_r, ccc
    variance_z = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * u2 / (r * (1 - c**2) ** 2)
        - c**4 * u2**2 / (2 * r**2 * (1 - c**2) ** 2)
    ) / (n - 2)
    half_width = normal_quantile(confidence) * math.sqrt(max(variance_z, 0.0))
    z = math.atanh(c)
    return Estimate(c, math.tanh(z - half_width), math.tanh(z + half_width), n, CCC_METHOD, confidence)


def pearson_correlation(first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Pearson r with Fisher's z interval (Fisher, Metron 1921;1:3–32); None where one side does not vary.

    No interval below 4 cases.
    """
    x, y = _paired(first, second, at_least=2)
    r = _correlation(x, y)
    if r is None or len(x) < 4:
        return Estimate(r, None, None, len(x), PEARSON_METHOD, confidence)
    if abs(r) >= 1:
        return Estimate(r, r, r, len(x), PEARSON_METHOD, confidence)
    half_width = normal_quantile(confidence) / math.sqrt(len(x) - 3)
    z = math.atanh(r)
    return Estimate(r, math.tanh(z - half_width), math.tanh(z + half_width), len(x), PEARSON_METHOD, confidence)


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Mean difference (second − first) and 95 % limits of agreement with their intervals, in the unit of the data."""

    mean_difference: Estimate
    lower_limit: Estimate
    upper_limit: Estimate
    sd_difference: float
    n: int


def bland_altman(first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE) -> BlandAltman:
    """Bland–Altman mean difference second − first and mean ± 1.96 SD.

    ``first`` is the reference, so a positive difference is an overestimate. ``confidence`` is that of the intervals;
    the limits always hold 95 % of differences. Intervals: t with n − 1 degrees of freedom; standard error SD/√n of the
    mean and SD·√(1/n + 1.96²/(2(n − 1))) of a limit.
    Source: Bland & Altman, Lancet 1986;327:307–310 and Stat Methods Med Res 1999;8:135–160, section 2.
    """
    x, y = _paired(first, second, at_least=2)
    require_confidence(confidence)
    difference = y - x
    n = len(difference)
    mean, sd = float(difference.mean()), float(difference.std(ddof=1))
    reach = normal_quantile(0.95)
    t = float(stats.t.ppf(0.5 + confidence / 2, n - 1))
    half_of_mean = t * sd / math.sqrt(n)
    half_of_limit = t * sd * math.sqrt(1 / n + reach**2 / (2 * (n - 1)))

    def estimate(value: float, half: float, name: str) -> Estimate:
        return Estimate(value, value - half, value + half, n, f"Bland–Altman {name}; t interval", confidence)

    return BlandAltman(
        mean_difference=estimate(mean, half_of_mean, "mean difference"),
        lower_limit=estimate(mean - reach * sd, half_of_limit, "lower limit of agreement"),
        upper_limit=estimate(mean + reach * sd, half_of_limit, "upper limit of agreement"),
        sd_difference=sd,
        n=n,
    )


@dataclass(frozen=True, slots=True)
class PairedTTest:
    """Two-sided paired t test of no mean difference; None where the differences do not vary."""

    t: float | None
    p_value: float | None
    degrees_of_freedom: int


def paired_t_test(first: ArrayLike, second: ArrayLike) -> PairedTTest:
    """Test whether the mean of second − first differs from 0 (Student, Biometrika 1908;6:1–25).

    A large p shows no agreement: large differences of both signs have one too.
    """
    x, y = _paired(first, second, at_least=2)
    if not _varies(y - x):
        return PairedTTest(None, None, len(x) - 1)
    test = stats.ttest_rel(y, x)
    return PairedTTest(float(test.statistic), float(test.pvalue), len(x) - 1)


def paired_t_from_moments(
    n: int, mean_first: float, mean_second: float, sd_first: float, sd_second: float, pearson_r: float
) -> PairedTTest:
    """Paired t test from published means, standard deviations and correlation.

    Paper 1, tables 2 and 3: the printed p values follow from the printed moments but for those of the external
    validation by tube voltage (Agatston 80 kVp: 0.25, printed 0.05; 100 kVp: 0.41, printed 0.17).
    """
    variance = sd_first**2 + sd_second**2 - 2 * pearson_r * sd_first * sd_second
    if n < 2 or variance <= 0:
        return PairedTTest(None, None, n - 1)
    t = (mean_second - mean_first) / math.sqrt(variance / n)
    return PairedTTest(t, float(2 * stats.t.sf(abs(t), n - 1)), n - 1)


def _paired(first: ArrayLike, second: ArrayLike, at_least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < at_least:
        raise ValueError(
            f"measurements have shapes {x.shape} and {y.shape}, expected the same, {at_least} cases or more"
        )
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise ValueError("a measurement is not finite")
    return x, y


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    if not (_varies(x) and _varies(y)):
        return None
    dx, dy = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(dx @ dx)) * math.sqrt(float(dy @ dy))
    return float(np.clip(dx @ dy / scale, -1.0, 1.0))


def _varies(values: NDArray[np.float64]) -> bool:
    """Whether values differ by more than rounding: a constant minus its own rounded mean is not always 0."""
    return bool(np.ptp(values) > VARIATION_ROUNDING * max(1.0, float(np.max(np.abs(values)))))
