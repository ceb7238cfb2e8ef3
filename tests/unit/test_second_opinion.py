"""The vote on a zero."""

import numpy as np
import pytest

from builders.findings import calcified_volume, findings_of
from coronary.contract import Refusal
from coronary.detection_findings import DetectionFindings
from coronary.second_opinion import vote_on_zero

NONE = DetectionFindings("none", 0.02, np.array([np.nan, 0.0, 0.02]), (), {})
SOME = DetectionFindings("low", 0.9, np.array([np.nan, 0.9, 0.1]), (), {})


@pytest.fixture(scope="module")
def zero():
    volume, vessels = calcified_volume()
    return findings_of(volume, np.zeros_like(vessels))


@pytest.fixture(scope="module")
def positive():
    return findings_of(*calcified_volume())


def test_a_confirmed_zero_carries_no_note(zero):
    assert zero.score.agatston.total == 0
    assert vote_on_zero(zero, NONE) == ()


def test_a_contradicted_zero_says_how_likely_and_where(zero):
    (note,) = vote_on_zero(zero, SOME)
    assert note.code == "ZERO_CONTRADICTED"
    assert "0.90" in note.text
    assert "slice 2" in note.text
    assert "needs reading" in note.text


def test_a_zero_without_a_second_opinion_needs_reading_too(zero):
    (note,) = vote_on_zero(zero, Refusal("HEART_NOT_FOUND", "No heart was seen between two lungs."))
    assert note.code == "ZERO_NOT_CONFIRMED"
    assert "No heart was seen between two lungs." in note.text


def test_a_score_above_zero_is_not_voted_on(positive):
    assert positive.score.agatston.total > 0
    assert vote_on_zero(positive, NONE) == vote_on_zero(positive, SOME) == ()
