"""The agreement report of a cohort as Markdown for a model card.

Decides rounding and layout only; every table names its data and every figure its interval and number of cases.
"""

from __future__ import annotations

from coronary.calcium import RISK_CATEGORIES
from coronary.evaluation.cohort import AgreementReport, QuantityAgreement, StratumAgreement
from coronary.evaluation.estimates import Estimate, Proportion


def to_markdown(report: AgreementReport) -> str:
    """Render a report; the text ends with a newline and uses no heading above the third level."""
    blocks = [
        f"### {report.quantity}: {report.data_name}",
        _cases(report),
        _agreement_table(report),
        _risk_classes(report),
        _zero_table(report),
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
    return (
        text + f", {report.n_flagged} of the scored handed over as needs reading. Refused cases are in no figure below."
    )


def _agreement_table(report: AgreementReport) -> str:
    rows = [
        _row("", "n", "ICC(A,1)", "CCC", "Pearson r", "Mean difference", "Limits of agreement"),
        _row(*["---"] * 7),
    ]
    rows += [_agreement_row(quantity) for quantity in (report.total, *report.vessels.values())]
    return "\n".join(rows)


def _agreement_row(quantity: QuantityAgreement) -> str:
    plot = quantity.bland_altman
    limits = f"{_estimate(plot.lower_limit, 1)} to {_estimate(plot.upper_limit, 1)}"
    return _row(
        quantity.name,
        str(plot.n),
        _estimate(quantity.icc, 3),
        _estimate(quantity.ccc, 3),
        _estimate(quantity.pearson, 3),
        _estimate(plot.mean_difference, 1),
        limits,
    )


def _risk_classes(report: AgreementReport) -> str:
    agreement = report.risk_classes
    rows = [
        f"Five risk classes ({report.data_name}; truth in rows, predicted in columns): "
        f"unweighted kappa {_estimate(agreement.kappa, 3)}, "
        f"bootstrap interval {_interval(agreement.kappa_bootstrap, 3)}, "
        f"linear-weighted kappa {_estimate(agreement.kappa_linear, 3)}, "
        f"same class {_proportion(agreement.accuracy)}.",
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
                _proportion(zero.specificity_at_zero),
                _proportion(zero.false_zero_rate),
                _proportion(zero.zero_predictive_value),
            )
        )
    flagged = len(report.false_zero_ids_flagged)
    rows += [
        "",
        f"False zeros of the total: {len(report.false_zero_ids)}, of these handed over as needs reading: {flagged}.",
    ]
    return "\n".join(rows)


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
        _estimate(stratum.icc, 3),
        _estimate(stratum.mean_difference, 1),
        _proportion(stratum.risk_class_accuracy),
        _proportion(stratum.zero.specificity_at_zero),
        _proportion(stratum.zero.false_zero_rate),
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


def _estimate(estimate: Estimate | None, digits: int) -> str:
    if estimate is None or estimate.value is None:
        return "undefined"
    return f"{_number(estimate.value, digits)} {_interval(estimate, digits)}"


def _interval(estimate: Estimate, digits: int) -> str:
    if estimate.low is None or estimate.high is None:
        return "[no interval]"
    return f"[{_number(estimate.low, digits)}, {_number(estimate.high, digits)}]"


def _number(value: float, digits: int) -> str:
    """Fixed digits with a real minus sign and no minus on a rounded zero."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _proportion(proportion: Proportion) -> str:
    counts = f"{proportion.successes}/{proportion.n}"
    interval = f"[{100 * proportion.low:.1f}, {100 * proportion.high:.1f}]"
    return (
        f"{counts}, undefined" if proportion.value is None else f"{counts}, {100 * proportion.value:.1f} % {interval}"
    )
