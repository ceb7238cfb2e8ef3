"""ROC areas and paired tests against hand-computed cases, and against what paper 0 prints."""

import itertools

import numpy as np
import pytest

from coronary.evaluation.paired_accuracy import fisher_p, mcnemar_p, reclassification
from coronary.evaluation.roc import compare_roc_areas, roc_area, roc_curve


def pairs_area(truth, rating):
    """The definition: the share of pairs in which the positive case is rated higher, ties half."""
    positives = [r for t, r in zip(truth, rating, strict=True) if t]
    negatives = [r for t, r in zip(truth, rating, strict=True) if not t]
    return np.mean([(p > n) + 0.5 * (p == n) for p, n in itertools.product(positives, negatives)])


@pytest.mark.parametrize("seed", range(4))
def test_the_area_is_the_share_of_pairs_in_the_right_order(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(size=40) < 0.4
    grades = rng.choice([0, 25, 50, 75, 90, 100], size=40)
    assert roc_area(truth, grades).value == pytest.approx(pairs_area(truth, grades))


def test_the_interval_holds_the_true_area_as_often_as_it_says():
    rng = np.random.default_rng(5)
    truth = np.repeat([True, False], [60, 90])
    true_area = 0.760250  # of two normal ratings one SD apart
    hits = 0
    for _ in range(400):
        found = roc_area(truth, rng.normal(truth * 1.0))
        hits += found.low <= true_area <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_an_area_needs_positive_and_negative_cases():
    assert roc_area([True, True], [1.0, 2.0]).value is None
    one = roc_area([True, False, False], [2.0, 1.0, 0.0])
    assert (one.value, one.low, one.high) == (1.0, None, None)


def test_a_reading_that_calls_everything_positive_has_an_area_of_one_half():
    """Paper 0, evaluation 2: the CCTA group, AUC 0.500 (0.500–0.500)."""
    area = roc_area([True] * 81 + [False] * 147, [1.0] * 228)
    assert (area.value, area.low, area.high) == (0.5, 0.5, 0.5)


def test_two_areas_of_the_same_rating_do_not_differ():
    truth, rating = [True, False, True, False, False], [3.0, 1.0, 2.0, 2.5, 0.0]
    same = compare_roc_areas(truth, rating, rating)
    assert (same.difference.value, same.p_value) == (0.0, None)


def test_the_test_of_two_areas_has_its_level():
    rng = np.random.default_rng(6)
    truth = np.repeat([True, False], [50, 70])
    p_values = []
    for _ in range(300):
        shared = truth + rng.normal(size=120)
        first, second = (shared + 0.5 * rng.normal(size=120) for _ in range(2))
        p_values.append(compare_roc_areas(truth, first, second).p_value)
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09


@pytest.mark.parametrize(
    ("truth", "rating", "message"),
    [([True, False], [1.0], "2 cases"), ([True, False], [1.0, float("nan")], "not a number")],
)
def test_an_area_of_bad_ratings_is_refused(truth, rating, message):
    with pytest.raises(ValueError, match=message):
        roc_area(truth, rating)


def test_paper_0_accuracy_differs_by_mcnemar():
    """Tables 2 and 3: 16 false positives and one false negative were put right, none was lost: p < 0.001."""
    assert mcnemar_p(0, 17) == pytest.approx(2 * 0.5**17)
    assert mcnemar_p(0, 17) < 0.001
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(5, 5) == 1.0


def test_paper_0_specificity_of_evaluation_2_differs_by_fisher_and_of_evaluation_1_does_not():
    assert fisher_p((0, 147), (16, 131)) < 0.001
    assert fisher_p((540, 179), (556, 163)) > 0.05


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="none below 0"):
        mcnemar_p(-1, 3)


def test_reclassification_of_two_classes_is_the_change_of_sensitivity_and_specificity():
    """Paper 0, table 2, evaluation 2: no significant stenosis lost, 16 of 147 others put right."""
    truth = [True] * 81 + [False] * 147
    found = reclassification(truth, [1.0] * 228, [1.0] * 212 + [0.0] * 16, [0.5])
    assert found.net_improvement.value == pytest.approx(16 / 147)
    assert found.integrated_improvement.value == pytest.approx(16 / 147)
    assert found.net_improvement.low > 0.0


def test_reclassification_counts_the_direction_and_not_the_distance():
    found = reclassification([True, True, False, False], [0.1, 0.6, 0.6, 0.2], [0.9, 0.6, 0.3, 0.4], [0.25, 0.5, 0.75])
    assert found.net_improvement.value == pytest.approx(0.5 - 0.0)
    assert found.integrated_improvement.value == pytest.approx(0.4 - (-0.05))


@pytest.mark.parametrize(
    ("truth", "first", "message"),
    [
        ([True, False], [0.5, 1.5], "no probability"),
        ([True, True], [0.5, 0.5], "positive and negative"),
        ([True, False, False], [0.5, 0.5], "expected as many"),
    ],
)
def test_reclassification_of_bad_ratings_is_refused(truth, first, message):
    with pytest.raises(ValueError, match=message):
        reclassification(truth, first, first, [0.5])


def test_the_area_below_the_curve_is_the_area_reported():
    rng = np.random.default_rng(11)
    truth = rng.uniform(size=60) < 0.4
    rating = np.round(rng.normal(truth * 0.8), 1)
    false_positive, true_positive = roc_curve(truth.tolist(), rating.tolist())
    assert (false_positive[0], true_positive[0], false_positive[-1], true_positive[-1]) == (0.0, 0.0, 1.0, 1.0)
    area = np.trapezoid(true_positive, false_positive)
    assert area == pytest.approx(roc_area(truth.tolist(), rating.tolist()).value)
    with pytest.raises(ValueError, match="negative"):
        roc_curve([True, True], [0.0, 1.0])
