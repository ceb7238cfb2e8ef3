"""The report of a cohort: who is in it, what is counted, and what is printed."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from coronary.calcium import Vessel, VesselValues
from coronary.evaluation import (
    AgreementReport,
    CaseRecord,
    TotalOnly,
    agreement_report,
    bland_altman,
    intraclass_correlation,
    to_markdown,
    to_plain,
)

DATA_NAME = "virtual patients, n=40, seeds 900–939"


def values(lm: float, lad: float, lcx: float, rca: float) -> VesselValues:
    return VesselValues(lm + lad + lcx + rca, lm, lad, lcx, rca)


def cohort() -> list[CaseRecord]:
    """40 cases: 20 without calcium (one called positive), 20 with (one called zero and flagged), and 2 refused."""
    rng = np.random.default_rng(4)
    cases = []
    for number in range(20):
        guess = values(0, 3.5, 0, 0) if number == 0 else values(0, 0, 0, 0)
        cases.append(CaseRecord(f"zero-{number}", values(0, 0, 0, 0), guess, covariates={"kvp": 120}))
    for number in range(20):
        truth = values(*rng.gamma(0.6, 120, size=4).tolist())
        scale = 1 + 0.05 * rng.normal()
        guess = values(truth.LM * scale, truth.LAD * scale, truth.LCX * scale, truth.RCA * scale)
        if number == 0:
            guess = values(0, 0, 0, 0)
        cases.append(
            CaseRecord(
                f"calcium-{number}",
                truth,
                guess,
                is_flagged=number == 0,
                covariates={"kvp": 100 if number % 2 else 120},
            )
        )
    cases.append(CaseRecord("refused-1", values(0, 50, 0, 0), None, refusal="GAP_BETWEEN_SLICES"))
    cases.append(CaseRecord("refused-2", values(0, 0, 0, 0), None, refusal="GAP_BETWEEN_SLICES"))
    return cases


@pytest.fixture
def report() -> AgreementReport:
    return agreement_report(cohort(), data_name=DATA_NAME, strata=["kvp"])


def test_a_refused_case_is_counted_and_is_never_a_zero(report: AgreementReport) -> None:
    assert (report.n_cases, report.n_scored) == (42, 40)
    assert dict(report.refusals) == {"GAP_BETWEEN_SLICES": 2}
    assert report.total.zero.specificity_at_zero.n == 20
    assert report.total.icc.n == report.risk_classes.kappa.n == 40


def test_zero_class_and_false_zeros_are_named(report: AgreementReport) -> None:
    zero = report.total.zero
    assert (zero.specificity_at_zero.successes, zero.specificity_at_zero.n) == (19, 20)
    assert (zero.false_zero_rate.successes, zero.false_zero_rate.n) == (1, 20)
    assert report.false_zero_ids == report.false_zero_ids_flagged == ("calcium-0",)
    assert report.n_flagged == 1


def test_total_and_vessels_are_the_statistics_of_their_own_numbers(report: AgreementReport) -> None:
    scored = [case for case in cohort() if case.predicted is not None]
    for key, quantity in [("total", report.total), *((v.name, report.vessels[v]) for v in Vessel)]:
        true = [case.true.as_dict()[key] for case in scored]
        guess = [case.predicted.as_dict()[key] for case in scored if case.predicted is not None]
        assert quantity.icc == intraclass_correlation(np.column_stack([true, guess]))
        assert quantity.bland_altman == bland_altman(true, guess)


def test_risk_classes_have_the_truth_in_rows(report: AgreementReport) -> None:
    counts = report.risk_classes.counts
    assert counts.sum() == 40
    assert counts[0].tolist() == [19, 1, 0, 0, 0]
    assert counts[1:, 0].sum() == 1


def test_strata_split_the_cohort(report: AgreementReport) -> None:
    assert [(row.covariate, row.level, row.n) for row in report.strata] == [("kvp", "100", 10), ("kvp", "120", 30)]
    assert report.strata[0].zero.specificity_at_zero.n == 0


def test_a_stratum_of_one_case_has_no_icc() -> None:
    cases = [*cohort()[18:24], CaseRecord("odd", values(0, 9, 0, 0), values(0, 9, 0, 0), covariates={"kvp": 80})]
    rows = agreement_report(cases, data_name=DATA_NAME, strata=["kvp"]).strata
    assert [(row.level, row.icc is None) for row in rows] == [("80", True), ("100", False), ("120", False)]


@pytest.mark.parametrize(
    ("levels", "ordered"),
    [
        ((100, 120, 80, 90), ["80", "90", "100", "120"]),
        (("2,5", "10", "0,625", "1"), ["0,625", "1", "2,5", "10"]),
        (("soft", "10", "9", "sharp", "nan"), ["9", "10", "nan", "sharp", "soft"]),
        ((True, False), ["False", "True"]),
    ],
)
def test_strata_that_are_numbers_are_in_the_order_of_their_value(
    levels: tuple[str | float | bool, ...], ordered: list[str]
) -> None:
    cases = [
        CaseRecord(f"{level}-{n}", values(0, n, 0, 0), values(0, n, 0, 0), covariates={"level": level})
        for level in levels
        for n in range(2)
    ]
    assert [row.level for row in agreement_report(cases, data_name=DATA_NAME, strata=["level"]).strata] == ordered


def test_a_case_without_the_covariate_is_in_the_last_stratum() -> None:
    cases = [CaseRecord("no kvp", values(0, 9, 0, 0), values(0, 9, 0, 0)), *cohort()]
    rows = agreement_report(cases, data_name=DATA_NAME, strata=["kvp"]).strata
    assert [(row.level, row.n) for row in rows] == [("100", 10), ("120", 30), ("not given", 1)]


def totals_only(case: CaseRecord) -> CaseRecord:
    """The same case as a hospital has it that keeps no vessels; those of the predicted score stay."""
    return replace(case, true=TotalOnly(case.true.total))


def test_a_reference_with_totals_alone_gives_every_figure_but_those_of_vessels(report: AgreementReport) -> None:
    alone = agreement_report([totals_only(case) for case in cohort()], data_name=DATA_NAME, strata=["kvp"])
    without, full = to_plain(alone), to_plain(report)
    assert without.pop("vessels") == {}
    assert set(full.pop("vessels")) == {"LM", "LAD", "LCX", "RCA"}
    assert without == full


def test_markdown_of_totals_alone_says_once_why_it_has_no_vessels(report: AgreementReport) -> None:
    alone = to_markdown(agreement_report([totals_only(case) for case in cohort()], data_name=DATA_NAME, strata=["kvp"]))
    why = " The reference gives a total alone, without LM, LAD, LCX and RCA: nothing is compared per vessel."
    without_vessels = [
        line for line in to_markdown(report).splitlines() if not line.startswith(("| LM", "| LAD", "| LCX", "| RCA"))
    ]
    assert alone.count(why) == 1
    assert alone.replace(why, "").splitlines() == without_vessels


def test_references_with_and_without_vessels_do_not_mix() -> None:
    cases = cohort()
    with pytest.raises(ValueError, match="of some cases has vessels, that of others a total alone"):
        agreement_report([totals_only(cases[0]), *cases[1:]], data_name=DATA_NAME)
    with pytest.raises(ValueError, match="case 1: the reference has vessels, the predicted score a total alone"):
        CaseRecord("1", values(0, 9, 0, 0), TotalOnly(9.0))


def test_markdown_names_the_data_with_every_table_and_prints_intervals(report: AgreementReport) -> None:
    text = to_markdown(report)
    n_tables = len(re.findall(r"^\| ---", text, flags=re.MULTILINE))
    assert n_tables == 4
    assert text.count(DATA_NAME) >= n_tables
    assert "GAP_BETWEEN_SLICES 2" in text
    assert "19/20, 95.0 % [75.1, 99.9]" in text
    assert "1/20, 5.0 % [0.1, 24.9]" in text
    icc = report.total.icc
    assert f"{icc.value:.3f} [{icc.low:.3f}, {icc.high:.3f}]" in text
    assert "0/0, undefined" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") in {5, 7, 8}


def test_markdown_says_undefined_instead_of_zero() -> None:
    no_left_main = [
        CaseRecord(str(n), values(0, 10 * n, 0, n), values(0, 11 * n, 0, n), covariates={}) for n in range(5)
    ]
    text = to_markdown(agreement_report(no_left_main, data_name=DATA_NAME))
    left_main = next(line for line in text.splitlines() if line.startswith("| LM"))
    assert left_main.startswith("| LM | 5 | undefined | undefined | undefined | 0.0 [0.0, 0.0] |")


def test_the_report_is_the_same_twice(report: AgreementReport) -> None:
    assert to_markdown(agreement_report(cohort(), data_name=DATA_NAME, strata=["kvp"])) == to_markdown(report)


def test_a_report_without_data_name_or_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="must name its data"):
        agreement_report(cohort(), data_name=" ")
    with pytest.raises(ValueError, match="occurs twice"):
        agreement_report(cohort() + cohort()[:1], data_name=DATA_NAME)
    with pytest.raises(ValueError, match="2 scored cases of 4"):
        agreement_report(cohort()[-4:], data_name=DATA_NAME)


def test_a_case_has_either_a_score_or_a_refusal() -> None:
    with pytest.raises(ValueError, match="either a predicted score or a refusal"):
        CaseRecord("1", values(0, 0, 0, 0), None)
    with pytest.raises(ValueError, match="either a predicted score or a refusal"):
        CaseRecord("1", values(0, 0, 0, 0), values(0, 0, 0, 0), refusal="GAP_BETWEEN_SLICES")
