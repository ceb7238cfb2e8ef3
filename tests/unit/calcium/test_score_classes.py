"""Risk category, CAC-DRS and density weight at and between their printed boundaries."""

from __future__ import annotations

import numpy as np
import pytest

from coronary.calcium import RISK_CATEGORIES, cac_drs, density_weight, risk_category


@pytest.mark.parametrize(
    ("agatston", "category"),
    [
        (0, "0"), (1e-9, "1-10"), (0.9, "1-10"), (1, "1-10"), (10, "1-10"), (10.01, "11-100"), (10.9, "11-100"),
        (100, "11-100"), (100.5, "101-400"), (400, "101-400"), (400.0001, ">400"), (5000, ">400"),
    ],
)  # fmt: skip
def test_a_real_valued_score_falls_into_the_first_class_it_does_not_exceed(agatston: float, category: str) -> None:
    assert risk_category(agatston) == category


def test_categories_are_listed_in_ascending_order() -> None:
    assert tuple(risk_category(score) for score in (0, 5, 50, 200, 900)) == RISK_CATEGORIES


@pytest.mark.parametrize(
    ("agatston", "n_vessels", "expected"),
    [
        (0, 0, "A0/N0"), (0.4, 1, "A1/N1"), (99.9, 2, "A1/N2"), (100, 3, "A2/N3"), (299.9, 4, "A2/N4"),
        (300, 1, "A3/N1"),
    ],
)  # fmt: skip
def test_cac_drs(agatston: float, n_vessels: int, expected: str) -> None:
    assert cac_drs(agatston, n_vessels) == expected


@pytest.mark.parametrize(("agatston", "n_vessels"), [(0, 1), (5, 0), (5, 5), (-1, 0), (float("nan"), 0)])
def test_cac_drs_refuses_what_contradicts_itself(agatston: float, n_vessels: int) -> None:
    with pytest.raises(ValueError, match=r"expected|contradicts"):
        cac_drs(agatston, n_vessels)


@pytest.mark.parametrize("agatston", [-0.1, float("nan"), float("inf")])
def test_a_score_that_is_no_score_has_no_risk_category(agatston: float) -> None:
    with pytest.raises(ValueError, match="Agatston score"):
        risk_category(agatston)


def test_density_weight_of_an_array() -> None:
    peaks = np.array([-1000.0, 129.9, 130.0, 199.9, 200.0, 299.9, 300.0, 399.9, 400.0])
    assert density_weight(peaks).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
