"""ICC, CCC, Bland–Altman, Pearson and the paired t test on textbook data and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from coronary.evaluation import (
    bland_altman,
    concordance_correlation,
    intraclass_correlation,
    paired_t_from_moments,
    paired_t_test,
    pearson_correlation,
)

# Shrout & Fleiss 1979, table 2: six subjects, four judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

SCORES = st.lists(
    st.tuples(st.integers(0, 8000).map(lambda n: n / 4), st.integers(0, 8000).map(lambda n: n / 4)),
    min_size=4,
    max_size=30,
)


def test_icc_of_the_shrout_and_fleiss_judges() -> None:
    icc = intraclass_correlation(SHROUT_FLEISS)
    assert icc.value == pytest.approx(0.2898, abs=5e-5)
    # Interval as the R packages psych and irr print it for this table.
    assert [icc.low, icc.high] == pytest.approx([0.019, 0.761], abs=5e-4)
    assert icc.n == 6


def test_icc_of_two_raters_by_hand() -> None:
    # Cases (1, 3) and (5, 7): MSR = 16, MSC = 4, MSE = 0, so ICC = 16 / (16 + 2/2 * 4) = 0.8.
    assert intraclass_correlation([[1, 3], [5, 7]]).value == pytest.approx(0.8)


def test_icc_interval_covers_the_true_value_about_as_often_as_it_says() -> None:
    # Two-way random model with variances 4 (cases), 0.25 (raters: 30 of them), 1 (residual): ICC(A,1) = 4 / 5.25.
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(200):
        ratings = 2 * rng.normal(size=(25, 1)) + 0.5 * rng.normal(size=(1, 30)) + rng.normal(size=(25, 30))
        icc = intraclass_correlation(ratings)
        assert icc.low is not None
        assert icc.high is not None
        covered += icc.low <= 4 / 5.25 <= icc.high
    assert 182 <= covered <= 198


def test_a_constant_shift_lowers_icc_and_ccc_but_not_pearson() -> None:
    x = np.array([0.0, 10, 50, 200, 400, 800])
    shifted = x + 100
    assert pearson_correlation(x, shifted).value == pytest.approx(1.0)
    icc, ccc = intraclass_correlation(np.column_stack([x, shifted])).value, concordance_correlation(x, shifted).value
    assert icc is not None
    assert ccc is not None
    assert max(icc, ccc) < 0.97


def test_ccc_by_hand() -> None:
    # x: mean 2, variance 2/3; y: mean 3, variance 8/3; covariance 4/3; CCC = 2*4/3 / (10/3 + 1) = 8/13.
    ccc = concordance_correlation([1, 2, 3], [1, 3, 5])
    assert ccc.value == pytest.approx(8 / 13)


def test_perfect_agreement_is_one_with_the_interval_one_to_one() -> None:
    x = [0.1, 0.7, 0.3, 12.4, 900.3]
    icc = intraclass_correlation(np.column_stack([x, x]))
    assert (icc.value, icc.low, icc.high) == (1.0, 1.0, 1.0)
    assert concordance_correlation(x, x).value == pytest.approx(1.0)
    assert pearson_correlation(x, x).value == pytest.approx(1.0)


@pytest.mark.parametrize("constant", [0.0, 0.1, 57.3])
def test_without_any_variation_agreement_is_undefined_not_zero(constant: float) -> None:
    x = [constant] * 5
    assert intraclass_correlation(np.column_stack([x, x])).value is None
    assert concordance_correlation(x, x).value is None
    assert pearson_correlation(x, x).value is None
    assert pearson_correlation(x, [1, 2, 3, 4, 5]).value is None


def test_pearson_interval_is_fishers() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=40)
    y = x + rng.normal(size=40)
    ours, theirs = pearson_correlation(x, y), stats.pearsonr(x, y)
    interval = theirs.confidence_interval(0.95)
    assert [ours.value, ours.low, ours.high] == pytest.approx([theirs.statistic, interval.low, interval.high])


def test_bland_altman_by_hand() -> None:
    # Differences 1, 3, 5, 7: mean 4, SD sqrt(20/3); t(3, 97.5 %) = 3.182446.
    result = bland_altman([0, 0, 0, 0], [1, 3, 5, 7])
    sd = math.sqrt(20 / 3)
    assert result.sd_difference == pytest.approx(sd)
    assert result.mean_difference.value == 4
    assert result.mean_difference.high == pytest.approx(4 + 3.182446 * sd / 2, rel=1e-6)
    assert result.lower_limit.value == pytest.approx(4 - 1.959964 * sd, rel=1e-6)
    limit_error = sd * math.sqrt(1 / 4 + 1.959964**2 / 6)
    assert result.upper_limit.low == pytest.approx(4 + 1.959964 * sd - 3.182446 * limit_error, rel=1e-6)


def test_a_positive_mean_difference_is_an_overestimate_of_the_reference() -> None:
    assert bland_altman([10, 20, 30], [12, 22, 32]).mean_difference.value == 2


@settings(deadline=None, max_examples=80)
@given(SCORES, st.floats(0.1, 10), st.floats(-100, 100))
def test_icc_and_ccc_do_not_depend_on_the_unit_or_the_order_of_raters(
    pairs: list[tuple[float, float]], factor: float, offset: float
) -> None:
    table = np.array(pairs)
    icc, ccc = intraclass_correlation(table).value, concordance_correlation(*table.T).value
    if icc is None or ccc is None:
        return
    other = table[:, ::-1] * factor + offset
    assert intraclass_correlation(other).value == pytest.approx(icc, abs=1e-6)
    assert concordance_correlation(*other.T).value == pytest.approx(ccc, abs=1e-6)


@settings(deadline=None, max_examples=80)
@given(SCORES)
def test_intervals_hold_their_estimate(pairs: list[tuple[float, float]]) -> None:
    table = np.array(pairs)
    icc = intraclass_correlation(table)
    if icc.value is not None and icc.value >= 0 and icc.low is not None and icc.high is not None:
        assert icc.low - 1e-9 <= icc.value <= min(icc.high, 1) + 1e-9
    for estimate in (concordance_correlation(*table.T), pearson_correlation(*table.T)):
        if estimate.value is not None and estimate.low is not None and estimate.high is not None:
            assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9
            assert abs(estimate.value) <= 1


def test_two_cases_that_raters_swap_have_no_icc() -> None:
    assert intraclass_correlation([[1, 0], [0, 1]]).value is None


def test_measurements_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the same, 3 cases or more"):
        concordance_correlation([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="not finite"):
        bland_altman([1, 2], [1, float("nan")])
    with pytest.raises(ValueError, match="at least 2 cases x 2 raters"):
        intraclass_correlation([[1, 2]])
    with pytest.raises(ValueError, match="between 0 and 1"):
        intraclass_correlation(SHROUT_FLEISS, confidence=95)


# Student 1908, section IX: additional hours of sleep of ten patients by two drugs.
SLEEP = ([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_paired_t_of_students_sleep() -> None:
    test = paired_t_test(*SLEEP)
    assert (test.t, test.p_value) == (pytest.approx(4.0621, abs=5e-5), pytest.approx(0.002833, abs=5e-7))
    assert test.degrees_of_freedom == 9


def test_paired_t_follows_from_moments() -> None:
    first, second = (np.array(hours) for hours in SLEEP)
    r = pearson_correlation(first, second).value
    assert r is not None
    moments = first.mean(), second.mean(), first.std(ddof=1), second.std(ddof=1)
    assert paired_t_from_moments(10, *map(float, moments), r).t == pytest.approx(paired_t_test(first, second).t)


def test_differences_that_do_not_vary_have_no_t() -> None:
    assert paired_t_test([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).t is None
    assert paired_t_from_moments(5, 1.0, 2.0, 3.0, 3.0, 1.0).p_value is None
