"""The study of paper 0 from its counts, and the erased stenoses that it does not report."""

from dataclasses import replace

import pytest

from coronary.evaluation.stenosis_markdown import to_stenosis_markdown, to_stenosis_summary
from coronary.evaluation.stenosis_study import (
    SegmentRecord,
    compare_groups,
    original_fidelity,
    series_fidelity,
    trusted_fidelity,
)


def records(count, *, true, original, derived, unreadable=False):
    return [SegmentRecord("case", 6, true, original, unreadable, {"DL-LEM": derived}) for _ in range(count)]


@pytest.fixture(scope="module")
def paper():
    """Paper 0, table 2: 891 segments, 228 of them unreadable. There one readable stenosis moves too; here none can."""
    unreadable = [
        *records(81, true=90, original=100, derived=90, unreadable=True),
        *records(131, true=25, original=100, derived=75, unreadable=True),
        *records(16, true=25, original=100, derived=25, unreadable=True),
    ]
    readable = [
        *records(43, true=75, original=90, derived=90),
        *records(48, true=75, original=50, derived=50),
        *records(32, true=50, original=75, derived=75),
        *records(540, true=0, original=0, derived=0),
    ]
    return [*unreadable, *readable]


def test_evaluation_2_to_the_printed_digit(paper):
    text = to_stenosis_markdown(paper, ["DL-LEM"], data_name="paper 0")
    second = text[text.index("Evaluation 2") :]
    for printed in (
        "228 segments",
        "| 81, 0 | 81, 0 |",
        "| 147, 0 | 131, 16 |",
        "10.9 % (6.4–17.1)",
        "38.2 % (31.6–45.1)",
        "42.5 % (36.0–49.2)",
        "N/A (0.0–100.0)",
        "0.500 (0.500–0.500)",
        "accuracy < 0.001 (McNemar)",
        "specificity < 0.001 (Fisher)",
    ):
        assert printed in second


def test_the_summary_has_what_both_evaluations_come_to_in_one_line(paper):
    text = to_stenosis_summary(paper, ["DL-LEM"], data_name="paper 0")
    assert "891 segments, 228 of them unreadable on the scan" in text
    scan, derived = (line for line in text.splitlines() if line.startswith(("| scan", "| DL-LEM")))
    assert "| 124 of 172 |" in scan
    assert "35.5 % (29.3–42.1) | 81 of 81 | 0.500 (0.500–0.500)" in scan
    assert "42.5 % (36.0–49.2) | 81 of 81 |" in derived


def test_the_summary_of_a_study_without_segments_or_without_stenoses():
    with pytest.raises(ValueError, match="without segments"):
        to_stenosis_summary([], ["DL-LEM"], data_name="none")
    text = to_stenosis_summary(records(5, true=0, original=0, derived=0), ["DL-LEM"], data_name="five")
    assert "| DL-LEM | N/A | N/A | N/A | N/A | N/A | N/A | 0 of 0" in text


def test_evaluation_1_to_the_printed_digit(paper):
    found = compare_groups(paper, "DL-LEM")
    original, derived = found.original, found.derived
    assert (original.sensitivity.successes, original.sensitivity.n) == (124, 172)
    assert (original.specificity.successes, original.specificity.n) == (540, 719)
    assert derived.specificity.successes == 556
    text = to_stenosis_markdown(paper, ["DL-LEM"], data_name="paper 0")
    for printed in ("72.1 % (64.8–78.7)", "75.1 % (71.8–78.2)", "77.3 % (74.1–80.3)", "40.9 % (35.3–46.7)"):
        assert printed in text


def test_a_readable_segment_is_not_read_on_the_derived_series():
    (record,) = records(1, true=0, original=75, derived=0)
    assert record.derived_rating("DL-LEM") == record.original_rating == 0.75


def test_an_unreadable_segment_counts_as_significant_on_the_original():
    (record,) = records(1, true=0, original=0, derived=25, unreadable=True)
    assert (record.original_rating, record.derived_rating("DL-LEM")) == (1.0, 0.25)


def test_a_stenosis_shown_as_none_was_erased():
    studied = [
        *records(1, true=50, original=60, derived=24.9),
        *records(1, true=50, original=60, derived=25),
        *records(1, true=80, original=90, derived=70),
        *records(7, true=49.9, original=30, derived=0),
    ]
    erased = series_fidelity(studied, "DL-LEM").erased
    assert (erased.successes, erased.n) == (1, 3)
    assert original_fidelity(studied).erased.successes == 0


def test_a_stenosis_erased_where_the_series_warns_counts_apart():
    (erased,) = records(1, true=60, original=60, derived=10)
    studied = [replace(erased, distrusted=("DL-LEM",)), *records(3, true=60, original=60, derived=60)]
    assert series_fidelity(studied, "DL-LEM").erased.successes == 1
    trusted = trusted_fidelity(studied, "DL-LEM")
    assert (trusted.erased.successes, trusted.erased.n, trusted.n, trusted.mean_difference) == (0, 3, 3, 0.0)
    assert series_fidelity(studied, "DL-LEM").erased_unwarned.successes == 0
    assert series_fidelity([*studied, erased], "DL-LEM").erased_unwarned.successes == 1
    text = to_stenosis_markdown(studied, ["DL-LEM"], data_name="four")
    assert "| DL-LEM | 4 | 1 of 4, 25.0 % (0.6–80.6) | 0 of 4, 0.0 % (0.0–60.2) | 0 of 4," in text
    assert "| DL-LEM, where it may be read | 3 | 0 of 3" in text


def test_a_stenosis_shown_beyond_the_border_of_its_segment_is_seen():
    (left_main,) = records(1, true=79, original=20, derived=21)
    (beyond,) = records(1, true=10, original=84, derived=84)
    left_main = replace(left_main, segment=5)
    elsewhere = replace(beyond, case_id="another")
    for beside, unseen in ((beyond, 0), (elsewhere, 1), (replace(beyond, segment=7), 1)):
        found = series_fidelity([left_main, beside], "DL-LEM")
        assert (found.erased_unwarned.successes, found.erased_unseen.successes) == (1, unseen)
    assert original_fidelity([left_main, beyond]).erased_unseen.successes == 0
    assert original_fidelity([left_main]).erased_unseen.successes == 1
    # What shows it counts although the series warns of reading it there.
    warned = replace(beyond, distrusted=("DL-LEM",))
    assert trusted_fidelity([left_main, warned], "DL-LEM").erased_unseen.successes == 0


def test_heeded_a_warning_leaves_the_segment_significant():
    (warned,) = records(1, true=90, original=100, derived=25, unreadable=True)
    warned = replace(warned, distrusted=("DL-LEM",))
    assert warned.derived_rating("DL-LEM") == 0.25
    assert warned.derived_rating("DL-LEM", is_guarded=True) == 0.75
    assert replace(warned, derived_percent={"DL-LEM": 92.0}).derived_rating("DL-LEM", is_guarded=True) == 0.9
    readable = replace(warned, is_unreadable=False)
    assert readable.derived_rating("DL-LEM", is_guarded=True) == readable.original_rating
    studied = [warned, *records(1, true=0, original=100, derived=0, unreadable=True)]
    assert compare_groups(studied, "DL-LEM").derived.sensitivity.successes == 0
    guarded = compare_groups(studied, "DL-LEM", is_guarded=True).derived
    assert (guarded.sensitivity.successes, guarded.specificity.successes) == (1, 1)
    text = to_stenosis_markdown(studied, ["DL-LEM"], data_name="two")
    assert text.count("its warnings heeded") == 2


def test_the_difference_is_read_minus_true():
    studied = [*records(2, true=40, original=60, derived=41), *records(2, true=20, original=40, derived=17)]
    assert original_fidelity(studied).mean_difference == pytest.approx(20.0)
    assert series_fidelity(studied, "DL-LEM").mean_difference == pytest.approx(-1.0)


def test_an_evaluation_without_both_kinds_of_segments_says_so():
    text = to_stenosis_markdown(records(5, true=0, original=0, derived=0), ["DL-LEM"], data_name="five")
    assert text.count("not reported") == 2
    assert "0 of 0, N/A" in text


def test_a_study_without_segments_is_refused():
    with pytest.raises(ValueError, match="without segments"):
        to_stenosis_markdown([], ["DL-LEM"], data_name="none")
