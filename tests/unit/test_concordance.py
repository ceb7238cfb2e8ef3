"""Two scores of one study agree, or are flagged, by the limits that were measured for the model."""

import pytest

from coronary.calcium import VesselValues
from coronary.concordance import LimitsOfAgreement, compare_scores

LIMITS = LimitsOfAgreement(-3.0, 2.0, "virtual patients, n = 1")


def values(total):
    return VesselValues(total=total, LM=0.0, LAD=total, LCX=0.0, RCA=0.0)


@pytest.mark.parametrize(
    ("csct", "ccta", "is_discordant"),
    [
        (100.0, 144.0, False),  # root 10 + 2
        (100.0, 145.0, True),
        (100.0, 49.0, False),  # root 10 - 3
        (100.0, 48.0, True),
        (0.0, 4.0, False),
        (0.0, 5.0, True),
        (4.0, 0.0, False),  # limits below zero cannot be left
        (10.0, 0.0, True),
    ],
)
def test_limits_hold_on_the_scale_of_square_roots(csct, ccta, is_discordant):
    assert compare_scores(values(csct), values(ccta), LIMITS).is_discordant is is_discordant


def test_the_sentence_names_both_scores_the_limits_and_the_verdict():
    text = compare_scores(values(100.0), values(400.0), LIMITS).text
    assert text == (
        "The contrast scan gives 400, the calcium-scoring CT 100: outside the limits of agreement (49 to 144)."
    )


def test_a_score_that_is_not_zero_does_not_read_as_zero():
    assert "gives 0.3, the calcium-scoring CT < 0.1:" in compare_scores(values(0.04), values(0.33), LIMITS).text
    assert "gives 0, the calcium-scoring CT 0:" in compare_scores(values(0.0), values(0.0), LIMITS).text


def test_the_document_holds_everything_behind_the_verdict():
    document = compare_scores(values(100.0), values(400.0), LIMITS).as_dict()
    assert document["difference"] == 300.0
    assert document["categories"] == {"csct": "11-100", "ccta": "101-400"}
    assert document["expected_ccta"] == [49.0, 144.0]
    assert document["data"] == LIMITS.data


def test_limits_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="lower < upper"):
        LimitsOfAgreement(2.0, -3.0, "x")
