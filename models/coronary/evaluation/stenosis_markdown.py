"""Tables of a stenosis study in the layout of paper 0, tables 2 and 3, with its figure 4 in numbers.

Decides layout and rounding only.
"""

from __future__ import annotations

from collections.abc import Sequence

from coronary.evaluation.diagnostic_accuracy import DiagnosticAccuracy
from coronary.evaluation.estimates import Estimate, Proportion
from coronary.evaluation.stenosis_study import (
    ERASED_BELOW_PERCENT,
    ERASED_FROM_PERCENT,
    GroupComparison,
    SegmentRecord,
    SeriesFidelity,
    compare_groups,
    original_fidelity,
    series_fidelity,
    trusted_fidelity,
)

_FIGURES = (
    ("Sensitivity", "sensitivity"),
    ("Specificity", "specificity"),
    ("Positive predictive value", "positive_predictive_value"),
    ("Negative predictive value", "negative_predictive_value"),
    ("Accuracy", "accuracy"),
)


def to_stenosis_markdown(records: Sequence[SegmentRecord], series: Sequence[str], *, data_name: str) -> str:
    """All tables of a study; an evaluation without narrowed or without other segments is left out, and says so.

    Raises
    ------
    ValueError
        Without any record.
    """
    if not records:
        raise ValueError("a study without segments")
    unreadable = [record for record in records if record.is_unreadable]
    blocks = []
    for name in series:
        for title, group in (("1, all segments", records), ("2, unreadable segments", unreadable)):
            blocks.append(_evaluation(f"Evaluation {title}: {name}", group, name, data_name, is_guarded=False))
            if any(name in record.distrusted for record in group):
                heading = f"Evaluation {title}: {name}, its warnings heeded"
                blocks.append(_evaluation(heading, group, name, data_name, is_guarded=True))
    blocks.append(_fidelity_table(records, series, data_name))
    return "\n\n".join(blocks) + "\n"


def to_stenosis_summary(records: Sequence[SegmentRecord], series: Sequence[str], *, data_name: str) -> str:
    """One line per series: what the tables of a study come to. ValueError without any record."""
    if not records:
        raise ValueError("a study without segments")
    unreadable = [record for record in records if record.is_unreadable]
    rows = [_summary_row("scan, calcium as no lumen", records, unreadable, None, is_guarded=False)]
    for name in series:
        rows.append(_summary_row(name, records, unreadable, name, is_guarded=False))
        if any(name in record.distrusted for record in records):
            rows.append(_summary_row(f"{name}, its warnings heeded", records, unreadable, name, is_guarded=True))
    of = f"{data_name}; {len(records)} segments, {len(unreadable)} of them unreadable on the scan"
    heads = (
        "read on",
        "accuracy",
        "significant ones called so",
        "AUC",
        "unreadable: accuracy",
        "unreadable: significant ones called so",
        "unreadable: AUC",
        f"true ≥ {ERASED_FROM_PERCENT:.0f} % shown as < {ERASED_BELOW_PERCENT:.0f} %",
        "read minus true, points (SD)",
    )
    lines = [
        f"**Stenosis of the main trunks** ({of})",
        "",
        f"| {' | '.join(heads)} |",
        "|" + "---|" * len(heads),
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _summary_row(
    label: str,
    records: Sequence[SegmentRecord],
    unreadable: Sequence[SegmentRecord],
    series: str | None,
    *,
    is_guarded: bool,
) -> str:
    cells = [label]
    for group in (records, unreadable):
        if len({record.is_significant for record in group}) < 2:
            cells += ["N/A"] * 3
            continue
        found = compare_groups(group, series or next(iter(group[0].derived_percent)), is_guarded=is_guarded)
        accuracy, area = (found.original, found.areas.first) if series is None else (found.derived, found.areas.second)
        called = accuracy.sensitivity
        cells += [_share(accuracy.accuracy), f"{called.successes} of {called.n}", _area(area)]
    fidelity = original_fidelity(records) if series is None else series_fidelity(records, series)
    erased = fidelity.erased_unwarned if is_guarded else fidelity.erased
    cells += [f"{erased.successes} of {erased.n}, {_share(erased)}", "" if is_guarded else _difference(fidelity)]
    return "| " + " | ".join(cells) + " |"


def _evaluation(title: str, records: Sequence[SegmentRecord], name: str, data_name: str, *, is_guarded: bool) -> str:
    heading = f"**{title}** ({data_name}, {len(records)} segments; layout of paper 0, tables 2 and 3)"
    if len({record.is_significant for record in records}) < 2:
        return f"{heading}: not reported, there are not both narrowed and other segments."
    found = compare_groups(records, name, is_guarded=is_guarded)
    rows = [f"| {label} | {_percent(*_pair(found, key))} |" for label, key in _FIGURES]
    areas, moved = found.areas, found.reclassified
    original, derived = _counts(found.original), _counts(found.derived)
    return "\n".join(
        [
            heading,
            "",
            f"| | CCTA group | {name} group |",
            "|---|---|---|",
            f"| significant (≥ 75 %) → called significant, not | {original[0]} | {derived[0]} |",
            f"| nonsignificant → called significant, not | {original[1]} | {derived[1]} |",
            *rows,
            f"| AUC | {_area(areas.first)} | {_area(areas.second)} |",
            "",
            f"p of {name} against CCTA: sensitivity {_p(found.sensitivity_p)}, specificity {_p(found.specificity_p)} "
            f"(Fisher), accuracy {_p(found.accuracy_p)} (McNemar), AUC {_p(areas.p_value)} (DeLong). "
            f"NRI {_signed(moved.net_improvement)}, IDI {_signed(moved.integrated_improvement)}.",
        ]
    )


def _fidelity_table(records: Sequence[SegmentRecord], series: Sequence[str], data_name: str) -> str:
    rows = [("CCTA", original_fidelity(records))]
    for name in series:
        rows.append((name, series_fidelity(records, name)))
        rows.append((f"{name}, where it may be read", trusted_fidelity(records, name)))
    return "\n".join(
        [
            f"**Read against true diameter stenosis** ({data_name}, {len(records)} segments)",
            "",
            f"| | segments | erased: true ≥ {ERASED_FROM_PERCENT:.0f} % shown as < {ERASED_BELOW_PERCENT:.0f} % | "
            "erased without a warning | and in no neighbouring segment either | mean difference, points (SD) |",
            "|---|---|---|---|---|---|",
            *(_fidelity_row(name, fidelity) for name, fidelity in rows),
        ]
    )


def _fidelity_row(name: str, fidelity: SeriesFidelity) -> str:
    shares = (fidelity.erased, fidelity.erased_unwarned, fidelity.erased_unseen)
    erased = " | ".join(f"{share.successes} of {share.n}, {_share(share)}" for share in shares)
    return f"| {name} | {fidelity.n} | {erased} | {_difference(fidelity)} |"


def _difference(fidelity: SeriesFidelity) -> str:
    return f"{fidelity.mean_difference:+.1f} ({fidelity.sd_difference:.1f})".replace("-", "−")


def _pair(found: GroupComparison, key: str) -> tuple[Proportion, Proportion]:
    return getattr(found.original, key), getattr(found.derived, key)


def _percent(first: Proportion, second: Proportion) -> str:
    return f"{_share(first)} | {_share(second)}"


def _share(share: Proportion) -> str:
    value = "N/A" if share.value is None else f"{100 * share.value:.1f} %"
    return f"{value} ({100 * share.low:.1f}–{100 * share.high:.1f})"


def _counts(accuracy: DiagnosticAccuracy) -> tuple[str, str]:
    hits, rejected = accuracy.sensitivity, accuracy.specificity
    return f"{hits.successes}, {hits.n - hits.successes}", f"{rejected.n - rejected.successes}, {rejected.successes}"


def _area(area: Estimate) -> str:
    if area.value is None or area.low is None or area.high is None:
        return "N/A"
    return f"{area.value:.3f} ({area.low:.3f}–{area.high:.3f})"


def _signed(found: Estimate) -> str:
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})".replace("-", "−")


def _p(value: float | None) -> str:
    if value is None:
        return "N/A"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
