"""Tables of contrast scores: the paper's own counts give its printed figures, and every table names its data."""

from dataclasses import replace

import numpy as np
import pytest

from coronary.calcium import VesselValues
from coronary.evaluation.cohort import PAPER_SCORE, CaseRecord
from coronary.evaluation.paired_markdown import root_differences, to_paired_markdown

#: What else a case is measured by.
MEASURES = dict.fromkeys(
    (
        "trunk_found",
        "trunk_points",
        "trunk_right_vessel",
        "trunk_right_segment",
        "tree_dice",
        "aorta_dice",
        "true_found",
        "traced_right",
        "true_points",
        "traced_points",
        "calibration_factor_hu",
        "true_calibration_factor_hu",
    ),
    1.0,
)

#: Lee 2023, table 4, internal validation: classes by contrast CT in rows, by calcium-scoring CT in columns.
TABLE_4 = [[46, 5, 0, 0, 0], [0, 15, 6, 0, 0], [0, 1, 60, 3, 0], [0, 0, 0, 39, 0], [0, 0, 0, 1, 22]]
SCORE_OF_CLASS = (0.0, 5.0, 50.0, 200.0, 800.0)


def values(total, rca=0.0):
    return VesselValues(total=total, LM=0.0, LAD=total - rca, LCX=0.0, RCA=rca)


def case(number, true, found, kvp=100, refusal=""):
    predicted = None if refusal else values(found)
    return CaseRecord(
        case_id=str(number),
        true=values(true),
        predicted=predicted,
        refusal=refusal,
        covariates={"kvp": kvp},
        true_volume_mm3=values(true),
        predicted_volume_mm3=predicted,
    )


@pytest.fixture(scope="module")
def of_the_paper():
    pairs = [
        (SCORE_OF_CLASS[true], SCORE_OF_CLASS[found])
        for found, row in enumerate(TABLE_4)
        for true, count in enumerate(row)
        for _ in range(count)
    ]
    return [case(number, *pair) for number, pair in enumerate(pairs)]


def test_counts_of_table_4_give_its_printed_kappa_and_accuracy(of_the_paper):
    text = to_paired_markdown(of_the_paper, data_name="Lee 2023, internal")
    assert "Accuracy 91.9 % (182/198), linear-weighted kappa 0.945" in text
    assert "16 in another class, 14 of them in a lower one" in text
    assert "| 1-10 | 0 | 15 | 6 | 0 | 0 |" in text


def test_every_table_names_its_data(of_the_paper):
    text = to_paired_markdown(of_the_paper, data_name="NAME-OF-DATA")
    titles = [line for line in text.splitlines() if line.endswith(":")]
    assert len(titles) == 3
    assert all("NAME-OF-DATA" in title for title in titles)


def test_refused_cases_are_counted_and_in_no_table(of_the_paper):
    refused = [case(9000, 500.0, 0.0, refusal="MOTION"), case(9001, 0.0, 0.0, refusal="NOISY")]
    text = to_paired_markdown([*of_the_paper, *refused], data_name="d")
    assert "2 of 200, 1.0 %" in text
    assert "(MOTION 1, NOISY 1)" in text
    assert "(182/198)" in text
    assert len(root_differences([*of_the_paper, *refused])) == 198


def test_the_score_by_the_thresholds_of_the_paper_stands_beside(of_the_paper):
    text = to_paired_markdown(of_the_paper, data_name="d")
    assert "of the paper" not in text
    halved = [replace(each, measures={**MEASURES, PAPER_SCORE: each.true.total / 2}) for each in of_the_paper]
    text = to_paired_markdown(halved, data_name="d")
    (row,) = [line for line in text.splitlines() if line.startswith("| Agatston score, thresholds of the paper")]
    assert row.split(" | ")[4] == "1.000"
    # Halves of 5 and 50 stay in their class; 200 and 800 become 100 and 400, one class lower.
    assert "With the thresholds of the paper: accuracy 67.2 % (133/198)" in text


def test_voltages_are_reported_apart():
    rng = np.random.default_rng(3)
    cases = [
        case(k, score, score * (1.0 if k % 2 else 1.5), kvp=(80, 120)[k % 2])
        for k, score in enumerate(rng.uniform(5, 900, 40))
    ]
    rows = to_paired_markdown(cases, data_name="d").splitlines()
    at = rows.index(next(row for row in rows if row.startswith("| **120 kVp (n = 20)**")))
    assert rows[at + 2].startswith("| Agatston score")
    assert "| 1.000 |" in rows[at + 2]
    at = rows.index(next(row for row in rows if row.startswith("| **80 kVp (n = 20)**")))
    assert "<0.001" in rows[at + 2].split("|")[4]


def test_root_differences_are_of_totals():
    assert root_differences([case(1, 100.0, 144.0), case(2, 0.0, 0.0)]).tolist() == [2.0, 0.0]
