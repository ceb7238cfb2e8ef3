"""The agreement report of a cohort as Markdown for a model card.

Decides rounding and layout only; every table names its data and every figure its interval and number of cases.
"""

from __future__ import annotations

from coronary.calcium import INTERVAL_CONFIDENCE, RISK_CATEGORIES
from coronary.evaluation.cohort import NO_VESSELS, AgreementReport, QuantityAgreement, StratumAgreement
from coronary.evaluation.estimates import clopper_pearson
from coronary.evaluation.figure_text import estimate_text, interval_text, proportion_text


def to_markdown(report: AgreementReport) -> str:
    """Render a report; the text ends with a newline and uses no heading above the third level."""
    blocks = [
        f"### {report.quantity}: {report.data_name}",
        _cases(report),
        _agreement_table(report),
        _risk_classes(report),
        _zero_table(report),
        *_interval(report),
    ]
    if report.strata:
        blocks.append(_strata_table(report))
    blocks.append(_methods(report))
    return "\n\n".join(blocks) + "\n"


def _cases(report: AgreementReport) -> str:
    refused = report.n_cases - report.n_scored
    codes = ", ".join(f"{code} {count}" for code, count in report.refusals.items())
    text = f"Data: {report.data_name}. {report.n_cases} cases, {report.n_scored} scored, {refused} refused"
    text += f" ({codes})" if codes else ""
    text += f", {report.n_flagged} of the scored handed over as needs reading. Refused cases are in no figure below."
    return text if report.vessels else f"{text} {NO_VESSELS}"


def _agreement_table(report: AgreementReport) -> str:
    rows = [
        _row("", "n", "ICC(A,1)", "CCC", "Pearson r", "Mean difference", "Limits of agreement"),
        _row(*["---"] * 7),
    ]
    rows += [_agreement_row(quantity) for quantity in (report.total, *report.vessels.values())]
    return "\n".join(rows)


def _agreement_row(quantity: QuantityAgreement) -> str:
    plot = quantity.bland_altman
    limits = f"{estimate_text(plot.lower_limit, 1)} to {estimate_text(plot.upper_limit, 1)}"
    return _row(
        quantity.name,
        str(plot.n),
        estimate_text(quantity.icc, 3),
        estimate_text(quantity.ccc, 3),
        estimate_text(quantity.pearson, 3),
        estimate_text(plot.mean_difference, 1),
        limits,
    )


def _risk_classes(report: AgreementReport) -> str:
    agreement = report.risk_classes
    rows = [
        f"Five risk classes ({report.data_name}; truth in rows, predicted in columns): "
        f"unweighted kappa {estimate_text(agreement.kappa, 3)}, "
        f"bootstrap interval {interval_text(agreement.kappa_bootstrap, 3)}, "
        f"linear-weighted kappa {estimate_text(agreement.kappa_linear, 3)}, "
        f"same class {proportion_text(agreement.accuracy)}.",
        "",
        _row("truth", *RISK_CATEGORIES),
        _row(*["---"] * (len(RISK_CATEGORIES) + 1)),
    ]
    for category, counts in zip(RISK_CATEGORIES, agreement.counts.tolist(), strict=True):
        rows.append(_row(category, *[str(count) for count in counts]))
    return "\n".join(rows)


def _zero_table(report: AgreementReport) -> str:
    rows = [
        f"Zero ({report.data_name}):",
        "",
        _row("", "Specificity at zero", "False-zero rate", "Zero that is right"),
        _row(*["---"] * 4),
    ]
    for quantity in (report.total, *report.vessels.values()):
        zero = quantity.zero
        rows.append(
            _row(
                quantity.name,
                proportion_text(zero.specificity_at_zero),
                proportion_text(zero.false_zero_rate),
                proportion_text(zero.zero_predictive_value),
            )
        )
    flagged = len(report.false_zero_ids_flagged)
    handed_over = proportion_text(clopper_pearson(report.n_flagged, report.n_scored, report.confidence))
    codes = ", ".join(f"{code} {count}" for code, count in report.needs_reading.items())
    rows += [
        "",
        f"False zeros of the total: {len(report.false_zero_ids)}, of these handed over as needs reading: {flagged}. "
        f"Handed over of all that were scored: {handed_over}{f' ({codes})' if codes else ''}.",
    ]
    return "\n".join(rows)


def _interval(report: AgreementReport) -> list[str]:
    found = report.interval
    if found is None:
        return []
    return [
        f"The {100 * INTERVAL_CONFIDENCE:.0f} % interval of the score ({report.data_name}) holds the true one in "
        f"{proportion_text(found.with_calcium)} of the cases with a true or reported score above 0 (median width "
        f"{found.median_width:.0f}), and in {proportion_text(found.overall)} of all."
    ]


def _strata_table(report: AgreementReport) -> str:
    rows = [
        f"Total by stratum ({report.data_name}):",
        "",
        _row("", "n", "ICC(A,1)", "Mean difference", "Same risk class", "Specificity at zero", "False-zero rate"),
        _row(*["---"] * 7),
    ]
    return "\n".join([*rows, *(_stratum_row(stratum) for stratum in report.strata)])


def _stratum_row(stratum: StratumAgreement) -> str:
    return _row(
        f"{stratum.covariate} = {stratum.level}",
        str(stratum.n),
        estimate_text(stratum.icc, 3),
        estimate_text(stratum.mean_difference, 1),
        proportion_text(stratum.risk_class_accuracy),
        proportion_text(stratum.zero.specificity_at_zero),
        proportion_text(stratum.zero.false_zero_rate),
    )


def _methods(report: AgreementReport) -> str:
    return (
        f"Intervals in brackets: {100 * report.confidence:g} %. {report.total.icc.method}. {report.total.ccc.method}. "
        "Differences are predicted − true; limits of agreement are mean ± 1.96 SD. "
        f"{report.risk_classes.kappa.method}; {report.risk_classes.kappa_bootstrap.method}. "
        "Proportions: Clopper–Pearson."
    )


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
