"""Figures as text: digits, intervals, proportions, p values.

Decides rounding and signs for every report; a figure that these data do not define is "undefined", never 0.
"""

from __future__ import annotations

from coronary.evaluation.estimates import Estimate, Proportion


def number_text(value: float, digits: int) -> str:
    """Fixed digits with a real minus sign and no minus on a rounded zero."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def interval_text(estimate: Estimate, digits: int) -> str:
    """The interval in brackets."""
    if estimate.low is None or estimate.high is None:
        return "[no interval]"
    return f"[{number_text(estimate.low, digits)}, {number_text(estimate.high, digits)}]"


def estimate_text(estimate: Estimate | None, digits: int) -> str:
    """Value and interval."""
    if estimate is None or estimate.value is None:
        return "undefined"
    return f"{number_text(estimate.value, digits)} {interval_text(estimate, digits)}"


def proportion_text(proportion: Proportion) -> str:
    """Counts, percentage and interval."""
    counts = f"{proportion.successes}/{proportion.n}"
    interval = f"[{100 * proportion.low:.1f}, {100 * proportion.high:.1f}]"
    return (
        f"{counts}, undefined" if proportion.value is None else f"{counts}, {100 * proportion.value:.1f} % {interval}"
    )


def p_text(p: float) -> str:
    """A p value in two or three digits, "<0.001" below that."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.01 else f"{p:.2f}"
