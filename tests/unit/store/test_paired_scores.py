"""Which results of a study stand side by side."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agatha.store.paired_scores import current_score, paired_scores
from agatha.store.records import ResultRecord

CSCT, CCTA = "csct-scoring", "ccta-scoring"
LIMITS = {"lower_root": -2.5, "upper_root": 3.0, "data": "virtual patients"}


def result(number, analysis, total, *, series=None, version=1, state="completed", limits=LIMITS):
    scored = {"total": total, "LM": 0.0, "LAD": total, "LCX": 0.0, "RCA": 0.0}
    document = {
        "calcium": {"agatston": scored} if state == "completed" else None,
        "contrast": {"limits_of_agreement": limits} if analysis == CCTA else None,
    }
    series = series or {CSCT: 1, CCTA: 2}[analysis]
    return ResultRecord(
        id=number, job_id=number, study_id=1, study_instance_uid="1.2", series_id=series,
        series_instance_uid=f"1.2.{series}", analysis=analysis, version=version, state=state, provisional=False,
        document=document, created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_one_score_of_each_kind_is_a_pair():
    pair = paired_scores([result(1, CSCT, 100.0), result(2, CCTA, 400.0)])
    assert pair is not None
    assert (pair.csct.id, pair.ccta.id, pair.concordance.is_discordant) == (1, 2, True)
    assert pair.concordance.difference == 300.0
    assert [pair.holds(result(number, CSCT, 0.0)) for number in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    "results",
    [
        [],
        [result(1, CSCT, 100.0)],
        [result(2, CCTA, 100.0)],
        [result(1, CSCT, 100.0), result(2, CCTA, 0.0, state="refused")],
        [result(1, CSCT, 100.0, state="failed"), result(2, CCTA, 0.0)],
        [result(1, CSCT, 100.0), result(2, CCTA, 100.0, limits=None)],
        [result(1, CSCT, 100.0), result(2, CSCT, 100.0, series=3)],
    ],
    ids=["none", "calcium scan", "contrast scan", "refused", "failed", "no limits", "two calcium scans"],
)
def test_anything_else_is_none(results):
    assert paired_scores(results) is None


def test_a_result_stored_before_contrast_scans_were_scored_has_no_such_keys():
    old = replace(result(1, CSCT, 100.0), document={"calcium": {"agatston": {"total": 1.0}}})
    assert paired_scores([old]) is None
    assert paired_scores([replace(result(2, CCTA, 1.0), document=old.document), old]) is None


def test_of_several_series_the_score_that_came_last_counts():
    results = [result(1, CSCT, 10.0), result(5, CSCT, 50.0, series=3), result(4, CSCT, 40.0, series=4)]
    assert current_score(results, CSCT).id == 5


def test_a_refusal_takes_away_the_score_of_an_earlier_version():
    earlier, later = result(1, CSCT, 10.0), result(2, CSCT, 10.0, version=2, state="refused")
    assert current_score([earlier], CSCT).id == 1
    assert current_score([later, earlier], CSCT) is None
    elsewhere = result(3, CSCT, 30.0, series=7)
    assert current_score([later, earlier, elsewhere], CSCT).id == 3
