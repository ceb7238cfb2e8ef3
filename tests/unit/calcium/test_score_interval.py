"""Interval of a score: limits around it, probabilities that add up, and what doubt does to both."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coronary.calcium import (
    RISK_CATEGORIES,
    IntervalCalibration,
    ScoreInterval,
    ScoreRange,
    risk_category,
    score_interval,
)

CALIBRATION = IntervalCalibration(
    lower_offset=0.5,
    lower_share=1.25,
    upper_offset=0.75,
    upper_share=0.5,
    missed_share=0.02,
    missed_share_doubtful=0.2,
    data="patients of the test",
)

SCORES = st.floats(0, 5000)
SHARES = st.floats(0, 1)


def interval_of(score: float, below: float = 0.0, above: float = 0.0, calibration=CALIBRATION) -> ScoreInterval:
    """Interval of a score with `below` its own share of it doubtful, and `above` more points possible."""
    return score_interval(score, ScoreRange(score * (1 - below), score + above), calibration)


@settings(deadline=None, max_examples=300)
@given(SCORES, SHARES, st.floats(0, 2000))
def test_limits_contain_the_score_and_probabilities_add_up_to_one(score: float, below: float, above: float) -> None:
    interval = interval_of(score, below, above)
    assert 0 <= interval.low <= score <= interval.high
    assert tuple(interval.class_probability) == RISK_CATEGORIES
    assert all(share >= 0 for share in interval.class_probability.values())
    assert sum(interval.class_probability.values()) == pytest.approx(1, abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(SCORES, SHARES, SHARES, st.floats(0, 2000), st.floats(0, 2000))
def test_more_doubt_never_makes_the_interval_narrower(
    score: float, below: float, more_below: float, above: float, more_above: float
) -> None:
    narrow = interval_of(score, min(below, more_below), min(above, more_above))
    wide = interval_of(score, max(below, more_below), max(above, more_above))
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@settings(deadline=None, max_examples=200)
@given(st.floats(0.001, 400), st.floats(0, 2000), st.floats(0, 2000))
def test_what_may_have_been_left_out_never_makes_a_high_score_less_likely(
    score: float, above: float, more: float
) -> None:
    shares = [interval_of(score, above=each).class_probability[">400"] for each in sorted((above, more))]
    assert shares[0] <= shares[1]


@settings(deadline=None, max_examples=200)
@given(st.floats(0.001, 5000), st.floats(0.001, 5000))
def test_limits_and_the_probability_of_a_high_score_grow_with_the_score(one: float, other: float) -> None:
    lower, higher = (interval_of(score) for score in sorted((one, other)))
    assert lower.low <= higher.low
    assert lower.high <= higher.high
    assert lower.class_probability[">400"] <= higher.class_probability[">400"]
    assert lower.class_probability["0"] >= higher.class_probability["0"]


def test_doubt_widens_the_interval_on_its_own_side() -> None:
    sure, left_out, counted = interval_of(200), interval_of(200, above=50), interval_of(200, below=0.2)
    assert (left_out.low, counted.high) == (sure.low, sure.high)
    assert left_out.high > sure.high
    assert counted.low < sure.low


def test_limits_by_hand() -> None:
    # Roots: 12 for the score, 10 and 14 around it.
    interval = score_interval(144, ScoreRange(100, 196), CALIBRATION)
    assert interval.low == pytest.approx((12 - 0.5 - 1.25 * 2) ** 2)
    assert interval.high == pytest.approx((12 + 0.75 + 0.5 * 2) ** 2)


def test_beyond_each_limit_lies_one_patient_in_twenty() -> None:
    limits_at_the_borders = replace(CALIBRATION, lower_offset=2.0, upper_offset=8.0)
    interval = score_interval(144, ScoreRange(144, 144), limits_at_the_borders)
    assert (interval.low, interval.high) == pytest.approx((100, 400))
    share = interval.class_probability
    assert share["0"] + share["1-10"] + share["11-100"] == pytest.approx(0.05)
    assert share["101-400"] == pytest.approx(0.9)
    assert share[">400"] == pytest.approx(0.05)


@pytest.mark.parametrize("score", [4, 45, 220, 900])
def test_the_reported_category_is_the_likeliest_away_from_the_borders(score: float) -> None:
    shares = interval_of(score, below=0.05, above=0.05 * score).class_probability
    assert max(shares, key=lambda name: shares[name]) == risk_category(score)


@pytest.mark.parametrize(("highest", "missed"), [(0.0, 0.02), (7.5, 0.2)])
def test_a_zero_is_right_as_often_as_zeros_were(highest: float, missed: float) -> None:
    interval = score_interval(0.0, ScoreRange(0.0, highest), CALIBRATION)
    assert interval.low == 0
    assert interval.high > 0
    assert interval.class_probability["0"] == pytest.approx(1 - missed)
    assert sum(interval.class_probability.values()) == pytest.approx(1)


@pytest.mark.parametrize(("lowest", "highest"), [(11.0, 20.0), (0.0, 9.0), (-1.0, 20.0)])
def test_a_score_outside_its_range_is_refused(lowest: float, highest: float) -> None:
    with pytest.raises(ValueError, match=f"score 10 lies outside {lowest} to {highest}"):
        score_interval(10, ScoreRange(lowest, highest), CALIBRATION)


def test_the_document_is_the_interval() -> None:
    interval = interval_of(150, 0.1, 20)
    document = json.loads(json.dumps(interval.as_dict(), allow_nan=False))
    assert document == {
        "confidence": 0.9,
        "low": interval.low,
        "high": interval.high,
        "class_probability": interval.class_probability,
        "data": "patients of the test",
    }
