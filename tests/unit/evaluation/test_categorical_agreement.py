"""Kappa, confusion matrices and proportions by hand and on textbook tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from coronary.evaluation import (
    clopper_pearson,
    cohen_kappa,
    cohen_kappa_bootstrap,
    confusion_matrix,
    diagnostic_accuracy,
    observed_agreement,
    zero_score_accuracy,
)

TABLE = np.array([[20, 5], [10, 15]])


def test_kappa_by_hand() -> None:
    # Observed 0.7, expected 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    assert cohen_kappa(TABLE).value == pytest.approx(0.4)


def test_standard_error_of_unweighted_kappa_by_hand() -> None:
    # Fleiss, Cohen & Everitt 1969: A = sum p_ii (1 - (p_i. + p_.i)(1 - k))^2, B = (1 - k)^2 sum p_ij (p_.i + p_j.)^2,
    # C = (k - pe (1 - k))^2, with k = 0.4, p_1. = p_2. = 0.5, p_.1 = 0.6, p_.2 = 0.4.
    a = 0.4 * (1 - 1.1 * 0.6) ** 2 + 0.3 * (1 - 0.9 * 0.6) ** 2
    b = 0.36 * (0.1 * (0.6 + 0.5) ** 2 + 0.2 * (0.4 + 0.5) ** 2)
    c = (0.4 - 0.5 * 0.6) ** 2
    error = np.sqrt((a + b - c) / 50) / 0.5
    estimate = cohen_kappa(TABLE)
    assert [estimate.low, estimate.high] == pytest.approx([0.4 - 1.959964 * error, 0.4 + 1.959964 * error], abs=1e-6)


def test_weighted_kappa_by_hand_counts_near_misses_less() -> None:
    table = np.array([[5, 0, 0], [0, 5, 0], [5, 0, 5]])
    # Linear: observed disagreement 5/20 * 1; expected: sum of |i-j|/2 r_i c_j with r = (1/4, 1/4, 1/2) and
    # c = (1/2, 1/4, 1/4).
    linear = 1 - 0.25 / (0.25 * (0.25 * 0.5 + 0.25) + 0.25 * (0.5 * 0.5 + 0.25 * 0.5) + 0.5 * (0.5 + 0.25 * 0.5))
    assert cohen_kappa(table, "linear").value == pytest.approx(linear)
    quadratic = 1 - 0.25 / (0.25 * (0.25 * 0.25 + 0.25) + 0.25 * (0.5 * 0.25 + 0.25 * 0.25) + 0.5 * (0.5 + 0.25 * 0.25))
    assert cohen_kappa(table, "quadratic").value == pytest.approx(quadratic)


def test_all_weights_agree_on_two_classes() -> None:
    values = [cohen_kappa(TABLE, weights).value for weights in ("unweighted", "linear", "quadratic")]
    assert values == pytest.approx([0.4, 0.4, 0.4])


def test_kappa_of_one_class_only_is_undefined() -> None:
    only_zero = np.array([[30, 0], [0, 0]])
    assert cohen_kappa(only_zero).value is None
    assert cohen_kappa_bootstrap(only_zero).low is None


def test_perfect_agreement_has_kappa_one() -> None:
    estimate = cohen_kappa(np.diag([3, 4, 5]))
    assert [estimate.value, estimate.low, estimate.high] == pytest.approx([1.0, 1.0, 1.0])


def test_bootstrap_is_repeatable_and_near_the_asymptotic_interval() -> None:
    table = TABLE * 8
    first, again, other = (cohen_kappa_bootstrap(table, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    asymptotic = cohen_kappa(table)
    assert [first.low, first.high] == pytest.approx([asymptotic.low, asymptotic.high], abs=0.02)


@pytest.mark.parametrize("table", [[[1, 2, 3], [4, 5, 6]], [[0, 0], [0, 0]], [[1, -1], [0, 2]], [[0.5, 0.5], [0, 1]]])
def test_what_is_no_table_of_counts_is_refused(table: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        cohen_kappa(table)


def test_confusion_matrix_has_the_reference_in_rows() -> None:
    counts = confusion_matrix(["a", "a", "b", "b"], ["a", "b", "b", "b"], ["a", "b", "c"])
    assert counts.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert observed_agreement(counts) == (3, 4)


def test_confusion_matrix_refuses_a_class_that_is_not_listed() -> None:
    with pytest.raises(ValueError, match="class z is none of"):
        confusion_matrix(["a"], ["z"], ["a", "b"])
    with pytest.raises(ValueError, match="listed twice"):
        confusion_matrix(["a"], ["a"], ["a", "a"])
    with pytest.raises(ValueError, match="expected as many"):
        confusion_matrix(["a"], ["a", "b"], ["a", "b"])


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (73, 75), (1, 1000)])
def test_clopper_pearson_limits_leave_the_tail_they_promise(successes: int, n: int) -> None:
    proportion = clopper_pearson(successes, n)
    assert proportion.value == successes / n
    assert proportion.low <= successes / n <= proportion.high
    if successes > 0:
        assert stats.binom.sf(successes - 1, n, proportion.low) == pytest.approx(0.025)
    if successes < n:
        assert stats.binom.cdf(successes, n, proportion.high) == pytest.approx(0.025)


def test_clopper_pearson_refuses_more_successes_than_cases() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        clopper_pearson(11, 10)


def test_zero_of_seventy_five_is_not_proof_of_zero() -> None:
    assert clopper_pearson(0, 75).high == pytest.approx(1 - 0.025 ** (1 / 75))


def test_diagnostic_accuracy_uses_the_right_denominators() -> None:
    accuracy = diagnostic_accuracy(true_positives=8, false_negatives=2, false_positives=5, true_negatives=15)
    assert [
        (p.successes, p.n)
        for p in (
            accuracy.sensitivity,
            accuracy.specificity,
            accuracy.positive_predictive_value,
            accuracy.negative_predictive_value,
            accuracy.accuracy,
        )
    ] == [(8, 10), (15, 20), (8, 13), (15, 17), (23, 30)]
    with pytest.raises(ValueError, match="none below 0"):
        diagnostic_accuracy(true_positives=-1, false_negatives=2, false_positives=5, true_negatives=15)


def test_zero_class_counts_false_zeros_among_cases_with_calcium() -> None:
    zero = zero_score_accuracy([0, 0, 0, 5, 80, 0.4], [0, 0, 0.2, 0, 90, 0.1])
    assert (zero.specificity_at_zero.successes, zero.specificity_at_zero.n) == (2, 3)
    assert (zero.false_zero_rate.successes, zero.false_zero_rate.n) == (1, 3)
    assert (zero.zero_predictive_value.successes, zero.zero_predictive_value.n) == (2, 3)
    with pytest.raises(ValueError, match="not a number"):
        zero_score_accuracy([0.0], [float("nan")])
