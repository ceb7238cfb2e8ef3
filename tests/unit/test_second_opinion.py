"""The vote on a zero."""

import numpy as np
import pytest

from builders.findings import calcified_volume, findings_of
from coronary.contract import QualityNote, Refusal
from coronary.detection_findings import DetectionFindings
from coronary.reasons import NEEDS_READING, NOT_COMPARABLE, ZERO_UNCERTAIN
from coronary.second_opinion import with_opinion_on_zero

OTHER = QualityNote(NOT_COMPARABLE, "Not comparable.")
DOUBT = QualityNote(ZERO_UNCERTAIN, "Only just left out.")


def opinion(probability):
    presence = "none" if probability < 0.5 else "low"
    return lambda: DetectionFindings(presence, probability, np.array([np.nan, probability, 0.1 * probability]), (), {})


@pytest.fixture
def zero():
    """`zero(*notes)`: a score of zero with these notes."""
    volume, vessels = calcified_volume()
    return lambda *notes: findings_of(volume, np.zeros_like(vessels), quality=notes)


@pytest.fixture(scope="module")
def positive():
    return findings_of(*calcified_volume())


def codes(findings):
    return [note.code for note in findings.quality]


def test_a_confirmed_zero_carries_no_new_note(zero):
    found = with_opinion_on_zero(zero(OTHER), opinion(0.02))
    assert found.quality == (OTHER,)
    assert (found.second_opinion.verdict.code, found.second_opinion.probability) == ("ZERO_CONFIRMED", 0.02)


def test_a_contradicted_zero_says_how_likely_and_where(zero):
    found = with_opinion_on_zero(zero(OTHER), opinion(0.9))
    assert codes(found) == ["ZERO_CONTRADICTED", NOT_COMPARABLE]
    note = found.quality[0]
    assert note == found.second_opinion.verdict
    assert "0.90" in note.text
    assert "slice 2" in note.text
    assert "needs reading" in note.text


def test_a_doubt_of_the_score_is_settled_by_a_clear_answer_only(zero):
    settled = with_opinion_on_zero(zero(DOUBT, OTHER), opinion(0.05))
    assert settled.quality == (OTHER,)
    assert "only just left out" in settled.second_opinion.verdict.text
    unsettled = with_opinion_on_zero(zero(DOUBT), opinion(0.4))
    assert codes(unsettled) == ["ZERO_CONTRADICTED", ZERO_UNCERTAIN]
    assert "does not exclude" in unsettled.quality[0].text
    assert codes(with_opinion_on_zero(zero(), opinion(0.4))) == [], "without a doubt 0.4 confirms"


def test_a_zero_without_a_second_opinion_needs_reading_too(zero):
    found = with_opinion_on_zero(zero(), lambda: Refusal("HEART_NOT_FOUND", "No heart was seen between two lungs."))
    (note,) = found.quality
    assert note.code == "ZERO_NOT_CONFIRMED"
    assert note.code in NEEDS_READING
    assert "No heart was seen between two lungs." in note.text
    assert found.second_opinion.probability is None


def test_a_score_above_zero_is_not_voted_on(positive):
    assert positive.score.agatston.total > 0
    assert with_opinion_on_zero(positive, lambda: pytest.fail("asked")) is positive
