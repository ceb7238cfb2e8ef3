"""The statistics recomputed from the counts that the papers print.

Paper 0: the deep learning-based lumen extraction method (DL-LEM); paper 1: Lee et al., J Cardiovasc Dev Dis
2023;10:143; paper 4: Hong et al., "Automated coronary artery calcium scoring using nested U-Net and focal loss".
"""

from __future__ import annotations

import numpy as np
import pytest

from coronary.evaluation import (
    Proportion,
    clopper_pearson,
    cohen_kappa,
    concordance_from_moments,
    diagnostic_accuracy,
    observed_agreement,
    paired_t_from_moments,
    saved_cost,
)

# Paper 1, table 4: rows auto-CAC, columns CSCT; transposed, because ours has the reference in rows.
PAPER_1_INTERNAL = np.array(
    [[46, 5, 0, 0, 0], [0, 15, 6, 0, 0], [0, 1, 60, 3, 0], [0, 0, 0, 39, 0], [0, 0, 0, 1, 22]]
).T
PAPER_1_EXTERNAL = np.array(
    [[27, 4, 1, 0, 0], [0, 17, 0, 0, 0], [0, 5, 21, 1, 0], [0, 0, 0, 16, 3], [0, 0, 0, 2, 16]]
).T
# Paper 4, table 7: rows predicted, columns standard.
PAPER_4_TRAINING = np.array(
    [[29, 2, 1, 0, 0], [3, 70, 2, 0, 0], [2, 2, 214, 3, 0], [0, 0, 4, 214, 2], [0, 0, 0, 3, 203]]
).T
PAPER_4_TEST = np.array([[10, 1, 1, 0, 0], [0, 20, 1, 0, 0], [0, 3, 71, 1, 0], [0, 0, 2, 46, 2], [0, 0, 0, 0, 57]]).T


def rounded(*values: float | None) -> list[float | None]:
    return [None if value is None else round(value, 3) for value in values]


@pytest.mark.parametrize(
    ("table", "kappa", "n_same", "n"),
    [(PAPER_1_INTERNAL, 0.945, 182, 198), (PAPER_1_EXTERNAL, 0.906, 97, 113)],
)
def test_paper_1_table_4_is_linear_weighted_kappa(table: np.ndarray, kappa: float, n_same: int, n: int) -> None:
    estimate = cohen_kappa(table, "linear")
    assert rounded(estimate.value) == [kappa]
    assert observed_agreement(table) == (n_same, n)
    assert estimate.n == n
    assert rounded(cohen_kappa(table, "unweighted").value) != [kappa]
    assert rounded(cohen_kappa(table, "quadratic").value) != [kappa]


def test_paper_1_accuracies_are_the_share_in_the_same_class() -> None:
    shares = [observed_agreement(table) for table in (PAPER_1_INTERNAL, PAPER_1_EXTERNAL)]
    assert [round(100 * same / n, 1) for same, n in shares] == [91.9, 85.8]


@pytest.mark.parametrize(
    ("table", "published"),
    [(PAPER_4_TRAINING, [0.957, 0.940, 0.974]), (PAPER_4_TEST, [0.931, 0.891, 0.971])],
)
def test_paper_4_table_7_is_unweighted_kappa_with_its_asymptotic_interval(
    table: np.ndarray, published: list[float]
) -> None:
    estimate = cohen_kappa(table)
    assert rounded(estimate.value, estimate.low, estimate.high) == published


@pytest.mark.parametrize(
    ("n", "means", "deviations", "r", "published"),
    [
        (48, (161.50, 151.59), (350.8, 383.7), 0.990, (0.985, 0.976, 0.991)),
        (137, (148.13, 127.56), (277.8, 243.6), 0.977, (0.965, 0.954, 0.974)),
        (13, (276.99, 259.74), (535.5, 526.0), 0.963, (0.963, 0.884, 0.988)),
        (23, (157.77, 131.85), (248.8, 219.9), 0.908, (0.896, 0.778, 0.952)),
        (85, (176.84, 199.75), (329.2, 478.0), 0.866, (0.808, 0.740, 0.860)),
        (198, (159.83, 142.06), (316.8, 306.6), 0.974, (0.972, 0.963, 0.978)),
        (113, (178.22, 187.46), (324.7, 433.9), 0.859, (0.824, 0.765, 0.869)),
    ],
)
def test_paper_1_tables_2_and_3_follow_from_their_moments(
    n: int,
    means: tuple[float, float],
    deviations: tuple[float, float],
    r: float,
    published: tuple[float, float, float],
) -> None:
    # Moments are printed to 3 or 4 digits, r to 3: the last printed digit of the CCC may differ by one or two.
    estimate = concordance_from_moments(n, *means, *deviations, r)
    assert [estimate.value, estimate.low, estimate.high] == pytest.approx(published, abs=0.002)


def percent(proportion: Proportion) -> tuple[float, float, float]:
    assert proportion.value is not None
    return round(100 * proportion.value, 1), round(100 * proportion.low, 1), round(100 * proportion.high, 1)


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        (
            (124, 48, 179, 540),
            [(72.1, 64.8, 78.7), (75.1, 71.8, 78.2), (40.9, 35.3, 46.7), (91.8, 89.3, 93.9), (74.5, 71.5, 77.4)],
        ),
        (
            (125, 47, 163, 556),
            [(72.7, 65.4, 79.2), (77.3, 74.1, 80.3), (43.4, 37.6, 49.3), (92.2, 89.8, 94.2), (76.4, 73.5, 79.2)],
        ),
    ],
)
def test_paper_0_evaluation_1_to_the_printed_digit(
    counts: tuple[int, int, int, int], published: list[tuple[float, float, float]]
) -> None:
    tp, fn, fp, tn = counts
    accuracy = diagnostic_accuracy(true_positives=tp, false_negatives=fn, false_positives=fp, true_negatives=tn)
    assert [
        percent(accuracy.sensitivity),
        percent(accuracy.specificity),
        percent(accuracy.positive_predictive_value),
        percent(accuracy.negative_predictive_value),
        percent(accuracy.accuracy),
    ] == published


def test_paper_0_evaluation_2_inside_zero_and_hundred_percent_to_the_printed_digit() -> None:
    lumen = diagnostic_accuracy(true_positives=81, false_negatives=0, false_positives=131, true_negatives=16)
    assert percent(lumen.specificity) == (10.9, 6.4, 17.1)
    assert percent(lumen.positive_predictive_value) == (38.2, 31.6, 45.1)
    assert percent(lumen.accuracy) == (42.5, 36.0, 49.2)


def test_paper_0_evaluation_2_prints_other_intervals_at_zero_and_hundred_percent() -> None:
    """Printed 100 % (93.4–100) of 81 and 0 % (0–3.7) of 147 are not 95 % Clopper–Pearson; these are."""
    ccta = diagnostic_accuracy(true_positives=81, false_negatives=0, false_positives=147, true_negatives=0)
    assert percent(ccta.sensitivity) == (100.0, 95.5, 100.0)
    assert percent(ccta.specificity) == (0.0, 0.0, 2.5)
    assert percent(clopper_pearson(16, 16)) == (100.0, 79.4, 100.0)
    negative = ccta.negative_predictive_value
    assert (negative.n, negative.value, negative.low, negative.high) == (0, None, 0.0, 1.0)


@pytest.mark.parametrize(
    ("n", "means", "deviations", "r", "printed"),
    [
        (48, (161.50, 151.59), (350.8, 383.7), 0.990, 0.27),
        (13, (276.99, 259.74), (535.5, 526.0), 0.964, 0.67),
        (198, (117.15, 105.40), (230.4, 226.6), 0.965, 0.007),
        (198, (43.14, 36.66), (132.9, 137.6), 0.970, 0.007),
        (113, (150.63, 142.24), (267.5, 303.7), 0.906, 0.48),
        (113, (178.22, 187.46), (324.7, 433.9), 0.859, 0.66),
        (113, (98.76, 94.35), (182.9, 196.6), 0.947, 0.46),
        (113, (119.6, 129.4), (227.3, 342.7), 0.826, 0.60),
        (113, (51.87, 47.89), (126.9, 156.7), 0.835, 0.62),
        (113, (58.62, 58.02), (151.5, 185.6), 0.896, 0.94),
    ],
)
def test_paper_1_p_values_of_the_paired_t_test_follow_from_their_moments(
    n: int, means: tuple[float, float], deviations: tuple[float, float], r: float, printed: float
) -> None:
    p = paired_t_from_moments(n, *means, *deviations, r).p_value
    assert p is not None
    # r is printed to three digits: the last digit of p may differ by one.
    assert p == pytest.approx(printed, abs=0.001 if printed < 0.01 else 0.0101)


def test_paper_1_p_values_by_tube_voltage_outside_do_not_follow_from_their_moments() -> None:
    """Printed 0.05 (80 kVp) and 0.17 (100 kVp), external validation, Agatston score."""
    low = paired_t_from_moments(23, 157.77, 131.85, 248.8, 219.9, 0.908)
    high = paired_t_from_moments(85, 176.84, 199.75, 329.2, 478.0, 0.866)
    assert rounded(low.p_value, high.p_value) == [0.247, 0.407]


def test_paper_0_saved_cost_to_the_yen_but_for_the_misprinted_nuclear_part() -> None:
    saved = saved_cost(angiographies=747, with_flow_reserve=219, nuclear=248)
    assert (saved.angiography_jpy, saved.flow_reserve_jpy) == (105_600_000, 96_360_000)
    assert saved.nuclear_jpy == 23_669_368  # printed 23,629,368
    assert saved.total_jpy == 225_629_368


def test_more_flow_reserve_measurements_than_angiographies_are_refused() -> None:
    with pytest.raises(ValueError, match="no more than"):
        saved_cost(angiographies=1, with_flow_reserve=2, nuclear=0)
