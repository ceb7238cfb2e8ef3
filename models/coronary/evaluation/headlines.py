"""The headline figures of a cohort in plain words, for a radiologist or a physicist.

Decides which figures are headlines, their order (a wrong zero is the worst error, so it comes first) and when one is
marked as a warning. Every sentence says of how many cases it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coronary.evaluation.cohort import AgreementReport
from coronary.evaluation.estimates import Proportion
from coronary.evaluation.figure_text import interval_text, number_text


@dataclass(frozen=True, slots=True)
class Headline:
    """One figure (short, to be set large), what it is, and what it means."""

    name: str
    figure: str
    meaning: str
    is_warning: bool = False


def headlines(report: AgreementReport) -> list[Headline]:
    """Return the headlines of a report, the most important first."""
    return [
        _wrong_zeros(report),
        _right_zeros(report),
        _categories(report),
        _difference(report),
        _agreement(report),
        _refusals(report),
    ]


def _wrong_zeros(report: AgreementReport) -> Headline:
    rate = report.total.zero.false_zero_rate
    figure = f"{rate.successes} of {rate.n}"
    if rate.n == 0:
        text = "No case has calcium in the reference: these data say nothing about wrong zeros."
        return Headline("Wrong zeros", figure, text, is_warning=True)
    if rate.successes == 0:
        text = (
            f"No case with calcium in the reference was scored 0. With {rate.n} such cases a true rate of up to "
            f"{100 * rate.high:.1f} % cannot be ruled out."
        )
        return Headline("Wrong zeros", figure, text)
    flagged = len(report.false_zero_ids_flagged)
    text = (
        f"Cases with calcium in the reference that were scored 0: {_percent(rate)}. Handed over as “needs reading”: "
        f"{flagged} of them; passed unmarked: {rate.successes - flagged}."
    )
    return Headline("Wrong zeros", figure, text, is_warning=True)


def _right_zeros(report: AgreementReport) -> Headline:
    zero = report.total.zero
    specificity, predictive = zero.specificity_at_zero, zero.zero_predictive_value
    figure = f"{specificity.successes} of {specificity.n}"
    if specificity.n == 0:
        return Headline("Zeros found", figure, "No case without calcium in the reference.")
    text = f"Cases without calcium in the reference that were scored exactly 0: {_percent(specificity)}."
    if predictive.n:
        text += f" A score of 0 was right in {predictive.successes} of {predictive.n}."
    return Headline("Zeros found", figure, text)


def _categories(report: AgreementReport) -> Headline:
    classes = report.risk_classes
    rows, columns = np.indices(classes.counts.shape)
    far = int(classes.counts[np.abs(rows - columns) > 1].sum())
    same = classes.accuracy
    text = f"Cases in the same of the five risk categories: {_percent(same)}. One category away: "
    text += f"{same.n - same.successes - far}; further: {far}."
    return Headline("Same category", f"{same.successes} of {same.n}", text)


def _difference(report: AgreementReport) -> Headline:
    plot = report.total.bland_altman
    mean, low, high = (each.value or 0.0 for each in (plot.mean_difference, plot.lower_limit, plot.upper_limit))
    text = (
        f"Mean difference of the total, Agatha minus reference {interval_text(plot.mean_difference, 1)}, n = {plot.n}. "
        f"In 95 % of cases the difference is expected between {number_text(low, 0)} and {number_text(high, 0)} points."
    )
    return Headline("Bias", ("+" if round(mean, 1) > 0 else "") + number_text(mean, 1), text)


def _agreement(report: AgreementReport) -> Headline:
    icc = report.total.icc
    if icc.value is None:
        return Headline("Agreement (ICC)", "undefined", "The scores do not vary.")
    text = (
        f"Intraclass correlation of the total {interval_text(icc, 3)}, n = {icc.n}; 1 would be the same score in every "
        "case. High scores weigh most in it: read it beside the differences."
    )
    return Headline("Agreement (ICC)", number_text(icc.value, 3), text)


def _refusals(report: AgreementReport) -> Headline:
    refused = report.n_cases - report.n_scored
    text = "Cases without a score. A refusal is not a score of zero; such a case is in no other figure."
    if report.n_flagged:
        text += f" Of the {report.n_scored} scored, {report.n_flagged} came back as “needs reading”."
    return Headline("Refused", f"{refused} of {report.n_cases}", text)


def _percent(proportion: Proportion) -> str:
    value = 100 * (proportion.value or 0.0)
    return f"{value:.1f} % [{100 * proportion.low:.1f}, {100 * proportion.high:.1f}], n = {proportion.n}"
