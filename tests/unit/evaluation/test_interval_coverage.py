"""How often an interval holds the true score, and the calibration that makes it so."""

import math

import numpy as np
import pytest

from coronary.calcium import ScoreRange, VesselValues, score_interval
from coronary.evaluation.cohort import CaseRecord, agreement_report
from coronary.evaluation.cohort_markdown import to_markdown
from coronary.evaluation.interval_coverage import (
    HIGHEST_SCORE,
    INTERVAL_HIGH,
    INTERVAL_LOW,
    LOWEST_SCORE,
    NOISE_FREE_SCORE,
    cross_validated,
    fit_calibration,
    interval_coverage,
)


def total(value):
    return VesselValues(total=value, LM=0.0, LAD=value, LCX=0.0, RCA=0.0)


def case(name, true, reported, low=0.0, high=0.0, lowest=0.0, highest=0.0):
    measures = {
        NOISE_FREE_SCORE: true,
        LOWEST_SCORE: lowest,
        HIGHEST_SCORE: highest,
        INTERVAL_LOW: low,
        INTERVAL_HIGH: high,
    }
    return CaseRecord(str(name), total(true), total(reported), measures=measures)


def drawn_cases(count, seed, calibration=None):
    """Patients whose root strays by what is doubtful in them; a third has no calcium, three of these a false one."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        if number % 3 == 0:
            reported = 4.0 if number % 99 == 0 else 0.0
            cases.append(drawn_case(number, 0.0, reported, 0.0, reported + 1.0, calibration))
            continue
        root, doubt = rng.uniform(3, 25), rng.uniform(0.3, 3.0)
        true = max(0.1, root + doubt * rng.normal())
        cases.append(drawn_case(number, true**2, root**2, (root - doubt) ** 2, (root + doubt) ** 2, calibration))
    return cases


def drawn_case(name, true, reported, lowest, highest, calibration):
    low = high = 0.0
    if calibration is not None:
        found = score_interval(reported, ScoreRange(lowest, highest), calibration)
        low, high = found.low, found.high
    return case(name, true, reported, low, high, lowest, highest)


def test_coverage_by_hand():
    cases = [
        case("right zero", 0, 0, 0, 2),
        case("covered", 100, 110, 90, 130),
        case("above", 100, 50, 30, 70),
        case("missed", 9, 0, 0, 4),
        case("false positive", 0, 12, 0, 20),
        CaseRecord("refused", total(5), None, refusal="KVP_NOT_120"),
        CaseRecord("without", total(5), total(5)),
    ]
    found = interval_coverage(cases)
    assert (found.overall.successes, found.overall.n) == (3, 5)
    assert (found.with_calcium.successes, found.with_calcium.n) == (2, 4)
    assert found.median_width == np.median([40, 40, 4, 20])


def test_without_a_noise_free_score_the_reference_is_the_truth():
    held = CaseRecord("a", total(100), total(90), measures={INTERVAL_LOW: 80.0, INTERVAL_HIGH: 120.0})
    missed = CaseRecord("b", total(100), total(90), measures={INTERVAL_LOW: 80.0, INTERVAL_HIGH: 99.0})
    assert interval_coverage([held, missed]).overall.successes == 1


def test_scores_without_interval_have_no_coverage():
    cases = [CaseRecord(str(n), total(5), total(6 + n)) for n in range(4)]
    assert interval_coverage(cases) is None
    report = agreement_report(cases, data_name="four")
    assert report.interval is None
    assert "interval of the score" not in to_markdown(report)


def test_a_fitted_calibration_covers_other_patients_as_often_as_it_says():
    calibration = fit_calibration(drawn_cases(900, seed=1), "drawn, n = 900")
    assert calibration.data == "drawn, n = 900"
    found = interval_coverage(drawn_cases(3000, seed=2, calibration=calibration))
    assert found.with_calcium.value == pytest.approx(0.90, abs=0.025)
    assert found.overall.value >= found.with_calcium.value


def test_patients_left_out_are_covered_as_often_as_others():
    cases = drawn_cases(900, seed=1)
    found = cross_validated([*cases, CaseRecord("refused", total(5), None, refusal="KVP_NOT_120")])
    assert len(found) == 901
    assert {each.case_id for each in found} == {each.case_id for each in cases} | {"refused"}
    assert interval_coverage(found).with_calcium.value == pytest.approx(0.90, abs=0.03)


def test_doubt_that_foretells_the_error_is_used_and_doubt_that_does_not_is_left_out():
    calibration = fit_calibration(drawn_cases(900, seed=1), "drawn")
    assert min(calibration.lower_share, calibration.upper_share) > 0.8
    rng = np.random.default_rng(4)
    noise = [
        case(
            n,
            (10 + rng.normal()) ** 2,
            100.0,
            lowest=(10 - rng.uniform(0, 5)) ** 2,
            highest=(10 + rng.uniform(0, 5)) ** 2,
        )
        for n in range(600)
    ]
    assert fit_calibration(noise, "noise").lower_share < 0.2


def test_zeros_that_were_never_wrong_are_not_called_impossible():
    zeros = [case(n, 0, 0) for n in range(8)]
    doubtful = [case(100 + n, 30 if n == 0 else 0, 0, highest=12) for n in range(8)]
    calcified = [case(200 + n, 100, 100, lowest=90, highest=110) for n in range(10)]
    found = fit_calibration([*zeros, *doubtful, *calcified], "drawn")
    assert math.isclose(found.missed_share, 1 / 10)
    assert math.isclose(found.missed_share_doubtful, 2 / 10)


def test_a_report_names_the_share_of_cases_whose_interval_holds():
    cases = [case(n, 100 + n, 110, 90, 130) for n in range(9)] + [case(9, 300, 110, 90, 130)]
    text = to_markdown(agreement_report(cases, data_name="ten"))
    assert "The 90 % interval of the score (ten) holds the true one in 9/10, 90.0 %" in text
