"""The headline figures, and the cases that disagree most."""

from __future__ import annotations

import pytest

from coronary.calcium import VesselValues
from coronary.evaluation import CaseRecord, agreement_report, headlines, worst_disagreements

NAME = "five made-up cases"


def case(case_id: str, true: float, predicted: float | None, *, is_flagged: bool = False) -> CaseRecord:
    return CaseRecord(
        case_id,
        VesselValues(true, 0.0, true, 0.0, 0.0),
        None if predicted is None else VesselValues(predicted, 0.0, predicted, 0.0, 0.0),
        refusal="KVP_NOT_120" if predicted is None else "",
        is_flagged=is_flagged,
    )


CASES = [
    case("none", 0, 0),
    case("invented", 0, 3),
    case("missed", 12, 0, is_flagged=True),
    case("missed too", 5, 0),
    case("far", 50, 900),
    case("near", 1000, 800),
    case("right", 200, 200),
    case("refused", 40, None),
]


def test_wrong_zeros_come_first_and_are_a_warning() -> None:
    first = headlines(agreement_report(CASES, data_name=NAME))[0]
    assert (first.name, first.figure, first.is_warning) == ("Wrong zeros", "2 of 5", True)
    assert "40.0 % [5.3, 85.3], n = 5" in first.meaning
    assert "“needs reading”: 1 of them; passed unmarked: 1." in first.meaning


def test_no_wrong_zero_says_how_many_could_still_be_there() -> None:
    cases = [each for each in CASES if not each.case_id.startswith("missed")]
    first = headlines(agreement_report(cases, data_name=NAME))[0]
    assert (first.figure, first.is_warning) == ("0 of 3", False)
    assert "up to 70.8 % cannot be ruled out" in first.meaning  # Clopper–Pearson, 0 of 3


def test_without_calcium_nothing_is_said_of_wrong_zeros() -> None:
    first = headlines(agreement_report([case(str(n), 0, 0) for n in range(3)], data_name=NAME))[0]
    assert first.is_warning
    assert "say nothing about wrong zeros" in first.meaning


def test_every_other_headline_has_its_counts() -> None:
    found = {each.name: each for each in headlines(agreement_report(CASES, data_name=NAME))}
    assert found["Zeros found"].figure == "1 of 2"
    assert "right in 1 of 3" in found["Zeros found"].meaning
    assert found["Same category"].figure == "3 of 7"
    assert "One category away: 2; further: 2." in found["Same category"].meaning
    assert found["Bias"].figure == "+90.9"  # (3 − 12 − 5 + 850 − 200) / 7
    assert found["Refused"].figure == "1 of 8"
    assert "not a score of zero" in found["Refused"].meaning


def test_worst_disagreements_begin_with_every_wrong_zero() -> None:
    worst = worst_disagreements(CASES, 3)
    assert [each.case_id for each in worst] == ["missed", "missed too", "far"]
    assert [each.category_steps for each in worst] == [-2, -1, 2]
    assert [each.case_id for each in worst_disagreements(CASES, 1)] == ["missed", "missed too"]
    assert [each.case_id for each in worst_disagreements(CASES, 99)][3:] == ["invented", "near"]


def test_area_of_detection_is_that_of_the_score() -> None:
    detection = agreement_report(CASES, data_name=NAME).detection
    # Pairs of (with, without calcium), ties half: 0 against 0 and 3 twice, 900, 800 and 200 above both.
    assert detection.value == pytest.approx((2 * (0.5 + 0) + 3 * 2) / 10)
    assert detection.n == 7
