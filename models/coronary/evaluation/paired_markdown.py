"""Tables of a contrast score against the calcium-scoring CT, laid out as in Lee 2023, tables 2 to 4, and of its tree.

Decides layout and rounding. Refused cases are in no table and are counted beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from coronary.calcium import RISK_CATEGORIES, VesselValues, risk_category
from coronary.evaluation.categorical_agreement import cohen_kappa, confusion_matrix, observed_agreement
from coronary.evaluation.cohort import PAPER_SCORE, CaseRecord
from coronary.evaluation.continuous_agreement import concordance_correlation, pearson_correlation
from coronary.evaluation.estimates import Estimate, clopper_pearson
from coronary.evaluation.figure_text import p_text
from coronary.evaluation.tree_agreement import overlap

#: Fewer pairs than this give no statistics.
LEAST_PAIRS = 3

#: Parts of the tree as in table 2 of the paper.
PARTS: Mapping[str, Callable[[VesselValues], float]] = {
    "Overall": lambda values: values.total,
    "LCA": lambda values: values.LM + values.LAD + values.LCX,
    "RCA": lambda values: values.RCA,
}

_COLUMNS = ("Parameters", "CSCT *", "Contrast CT *", "p value", "r", "p value", "CCC", "95 % CI")


def to_paired_markdown(cases: Sequence[CaseRecord], *, data_name: str) -> str:
    """Tables 2 to 4 of the paper for cases with vessels, and the table of tree, aorta and calibration."""
    scored = [case for case in cases if case.predicted is not None]
    blocks = [
        _failures(cases, data_name),
        _table(f"By part of the coronary tree ({data_name}; layout of Lee 2023, table 2)", _by_part(scored)),
        _table(f"By tube voltage ({data_name}; layout of Lee 2023, table 3)", _by_voltage(scored)),
        "\\* mean ± SD; paired t test; r: Pearson; CCC: Lin, with its 95 % confidence interval. Volumes are mm³ as a "
        "calcium-scoring CT would show them.",
        _categories(scored, data_name),
        _structures(scored, data_name),
    ]
    return "\n\n".join(blocks) + "\n"


def root_differences(cases: Sequence[CaseRecord]) -> NDArray[np.float64]:
    """``sqrt(contrast) - sqrt(calcium scan)`` of the totals of the scored cases: what limits of agreement rest on."""
    return np.array(
        [np.sqrt(case.predicted.total) - np.sqrt(case.true.total) for case in cases if case.predicted is not None]
    )


def _failures(cases: Sequence[CaseRecord], data_name: str) -> str:
    codes = [case.refusal for case in cases if case.predicted is None]
    named = ", ".join(f"{code} {codes.count(code)}" for code in sorted(set(codes)))
    rate = clopper_pearson(len(codes), len(cases))
    text = f"Failures ({data_name}): {len(codes)} of {len(cases)}, {100 * len(codes) / len(cases):.1f} % "
    return text + f"[{100 * rate.low:.1f}, {100 * rate.high:.1f}]" + (f" ({named})." if named else ".")


def _by_part(scored: Sequence[CaseRecord]) -> list[list[str]]:
    rows = []
    for part, value in PARTS.items():
        rows.append([f"**{part}**", *[""] * (len(_COLUMNS) - 1)])
        rows += _quantities(scored, value)
        by_paper = _paper_pairs(scored)
        if part == "Overall" and len(by_paper):
            rows.append(_agreement("Agatston score, thresholds of the paper", by_paper))
    return rows


def _paper_pairs(scored: Sequence[CaseRecord]) -> NDArray[np.float64]:
    """True score and that of the family's paper, shape (n, 2), where it was recorded."""
    pairs = [(case.true.total, case.measures[PAPER_SCORE]) for case in scored if PAPER_SCORE in case.measures]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def _by_voltage(scored: Sequence[CaseRecord]) -> list[list[str]]:
    rows = []
    for kvp in sorted({str(case.covariates["kvp"]) for case in scored}, key=float):
        chosen = [case for case in scored if str(case.covariates["kvp"]) == kvp]
        rows.append([f"**{kvp} kVp (n = {len(chosen)})**", *[""] * (len(_COLUMNS) - 1)])
        rows += _quantities(chosen, PARTS["Overall"])
    return rows


def _quantities(scored: Sequence[CaseRecord], value: Callable[[VesselValues], float]) -> list[list[str]]:
    volumes = [
        (case.true_volume_mm3, case.predicted_volume_mm3)
        for case in scored
        if case.true_volume_mm3 is not None and case.predicted_volume_mm3 is not None
    ]
    scores = [
        (case.true, case.predicted)
        for case in scored
        if isinstance(case.true, VesselValues) and isinstance(case.predicted, VesselValues)
    ]
    return [
        _agreement(name, np.array([[value(true), value(found)] for true, found in pairs]))
        for name, pairs in (("Volume score", volumes), ("Agatston score", scores))
    ]


def _agreement(name: str, pairs: NDArray[np.float64]) -> list[str]:
    if len(pairs) < LEAST_PAIRS:
        return [name, *["–"] * (len(_COLUMNS) - 1)]
    true, found = pairs.T
    moments = [f"{values.mean():.2f} ± {values.std(ddof=1):.1f}" for values in (true, found)]
    ccc, r = concordance_correlation(true, found), pearson_correlation(true, found)
    differs = "–" if np.allclose(true, found) else p_text(float(stats.ttest_rel(true, found).pvalue))
    if r.value is None or ccc.value is None or ccc.low is None or ccc.high is None:
        return [name, *moments, differs, "–", "–", "–", "–"]
    correlation_p = p_text(float(stats.pearsonr(true, found).pvalue))
    return [
        name,
        *moments,
        differs,
        f"{r.value:.3f}",
        correlation_p,
        f"{ccc.value:.3f}",
        f"{ccc.low:.3f}, {ccc.high:.3f}",
    ]


def _categories(scored: Sequence[CaseRecord], data_name: str) -> str:
    """Table 4: classes of the contrast score in rows, of the calcium-scoring CT in columns."""
    true = [risk_category(case.true.total) for case in scored]
    found = [risk_category(case.predicted.total) for case in scored if case.predicted is not None]
    counts = confusion_matrix(found, true, RISK_CATEGORIES)
    same, total = observed_agreement(counts)
    kappa = cohen_kappa(counts, "linear")
    lower = int(np.tril(counts.T, -1).sum())
    rows = [[category, *(str(n) for n in row)] for category, row in zip(RISK_CATEGORIES, counts.tolist(), strict=True)]
    table = _table(
        f"Classes of the contrast score (rows) and of the calcium-scoring CT (columns) ({data_name}; layout of Lee "
        "2023, table 4)",
        rows,
        ("contrast CT \\ CSCT", *RISK_CATEGORIES),
    )
    text = (
        f"{table}\n\nAccuracy {100 * same / total:.1f} % ({same}/{total}), linear-weighted kappa {_interval(kappa)}; "
        f"{total - same} in another class, {lower} of them in a lower one."
    )
    by_paper = [[risk_category(value) for value in pair] for pair in _paper_pairs(scored).tolist()]
    if not by_paper:
        return text
    counts = confusion_matrix([found for _, found in by_paper], [true for true, _ in by_paper], RISK_CATEGORIES)
    same, total = observed_agreement(counts)
    return text + (
        f" With the thresholds of the paper: accuracy {100 * same / total:.1f} % ({same}/{total}), kappa "
        f"{_interval(cohen_kappa(counts, 'linear'))}."
    )


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "undefined"
    ends = "" if estimate.low is None or estimate.high is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value:.3f}{ends}"


def _structures(scored: Sequence[CaseRecord], data_name: str) -> str:
    measured = [case.measures for case in scored if case.measures]
    if not measured:
        return ""
    totals = {name: sum(each.get(name, 0.0) for each in measured) for name in measured[0]}
    error = np.array([each["calibration_factor_hu"] / each["true_calibration_factor_hu"] - 1.0 for each in measured])
    found = max(totals["trunk_found"], 1.0)
    rows = [
        ["Coronary tree, Dice", *_spread([each["tree_dice"] for each in measured])],
        ["Ascending aorta, Dice", *_spread([each["aorta_dice"] for each in measured])],
        ["Centreline overlap (arteries ≥ 1.5 mm)", *_spread([overlap(each) for each in measured])],
        ["Main trunks, share of length found", f"{totals['trunk_found'] / max(totals['trunk_points'], 1.0):.3f}", ""],
        ["Main trunks found, right vessel", f"{totals['trunk_right_vessel'] / found:.3f}", ""],
        ["Main trunks found, right SCCT segment", f"{totals['trunk_right_segment'] / found:.3f}", ""],
        ["Calibration factor, error", f"{100 * error.mean():+.1f} %", f"SD {100 * error.std():.1f} %"],
    ]
    return _table(
        f"Tree, aorta, calibration ({data_name}; scored cases, n = {len(measured)})", rows, ("", "mean", "lowest")
    )


def _spread(values: Sequence[float]) -> tuple[str, str]:
    return f"{np.mean(values):.3f}", f"{np.min(values):.3f}"


def _table(title: str, rows: Sequence[Sequence[str]], columns: Sequence[str] = _COLUMNS) -> str:
    lines = [" | ".join(columns), " | ".join(["---"] * len(columns)), *(" | ".join(row) for row in rows)]
    return f"{title}:\n\n" + "\n".join(f"| {line} |" for line in lines)
