"""The files of an evaluation: the page, the tables for a model card, all figures, all cases.

Decides their names and contents' order; statistics are ``coronary.evaluation``, the page is `evaluation_page`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agatha.processes.evaluation_page import Pictures, draw_pictures, plain_warnings, render_page
from agatha.processes.evaluation_tables import (
    CASE_ID,
    NEEDS_READING,
    PREDICTED,
    REFUSAL,
    TRUE,
    LeftOut,
)
from agatha.processes.settings import ConfigurationError
from coronary.calcium import risk_category
from coronary.evaluation.cohort import AgreementReport, CaseRecord, agreement_report
from coronary.evaluation.cohort_json import to_plain
from coronary.evaluation.cohort_markdown import to_markdown
from coronary.evaluation.paired_markdown import to_paired_markdown

#: Columns of the case table that are computed from the others.
DIFFERENCE, TRUE_CATEGORY, PREDICTED_CATEGORY = "difference", "true_category", "predicted_category"
DERIVED_COLUMNS = (DIFFERENCE, TRUE_CATEGORY, PREDICTED_CATEGORY)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is reported: the cases, what they are, what was left out, and where both sides come from."""

    cases: Sequence[CaseRecord]
    data_name: str
    stem: str
    strata: Sequence[str] = ()
    left_out: Sequence[LeftOut] = ()
    sources: dict[str, str] = field(default_factory=dict)


def write_report(evaluation: Evaluation, out: Path, *, version: str) -> tuple[AgreementReport, str, list[Path]]:
    """Write `<stem>.html`, `.md`, `.json` and `-cases.csv` (and pictures where matplotlib is); return what was written.

    Raises
    ------
    ConfigurationError
        If these cases allow no report, or none of them has a column that it is to be split by.
    """
    _require_columns(evaluation)
    try:
        report = agreement_report(evaluation.cases, data_name=evaluation.data_name, strata=tuple(evaluation.strata))
    except ValueError as exc:
        raise ConfigurationError(_why_not(evaluation, str(exc))) from exc
    text = to_markdown(report)
    if any(case.predicted_volume_mm3 is not None for case in evaluation.cases):
        text += "\n" + to_paired_markdown(evaluation.cases, data_name=evaluation.data_name)
    out.mkdir(parents=True, exist_ok=True)
    stem = out / evaluation.stem
    pictures = draw_pictures(evaluation.cases, report)
    page = render_page(
        report,
        evaluation.cases,
        pictures=pictures,
        left_out=evaluation.left_out,
        sources=evaluation.sources,
        stem=evaluation.stem,
        version=version,
    )
    figures = to_plain(report) | {
        "software": f"agatha {version}",
        "sources": evaluation.sources,
        "left_out": [{"case_id": one.case_id, "why": one.why} for one in evaluation.left_out],
    }
    html, markdown, numbers, cases = (
        stem.with_name(stem.name + ending) for ending in (".html", ".md", ".json", "-cases.csv")
    )
    html.write_text(page, encoding="utf-8")
    markdown.write_text(text, encoding="utf-8")
    numbers.write_text(json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    write_cases(evaluation.cases, cases)
    return report, text, [html, markdown, numbers, cases, *_save_pictures(pictures, stem)]


def write_cases(cases: Sequence[CaseRecord], path: Path) -> None:
    """Write one line a case, in the columns that `agatha evaluate table` reads; with vessels where `true` has them."""
    covariates = list(dict.fromkeys(name for case in cases for name in case.covariates if name not in DERIVED_COLUMNS))
    scores = [f"{side}{name}" for side in (TRUE, PREDICTED) for name in cases[0].true.as_dict()]
    columns = [CASE_ID, *scores, REFUSAL, NEEDS_READING, *DERIVED_COLUMNS, *covariates]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(_case_row(case) for case in cases)


def _case_row(case: CaseRecord) -> dict[str, Any]:
    row: dict[str, Any] = {name: value for name, value in case.covariates.items() if name not in DERIVED_COLUMNS}
    row |= {CASE_ID: case.case_id, REFUSAL: case.refusal, TRUE_CATEGORY: risk_category(case.true.total)}
    row |= {TRUE + name: value for name, value in case.true.as_dict().items()}
    if case.predicted is not None:
        predicted = case.predicted.as_dict()
        row |= {PREDICTED + name: predicted[name] for name in case.true.as_dict()}
        row |= {
            NEEDS_READING: "yes" if case.is_flagged else "no",
            DIFFERENCE: case.predicted.total - case.true.total,
            PREDICTED_CATEGORY: risk_category(case.predicted.total),
        }
    return row


def _save_pictures(pictures: Pictures, stem: Path) -> list[Path]:
    written = []
    for name, figure in pictures.files.items():
        path = stem.with_name(f"{stem.name}{name}.png")
        with plain_warnings():
            figure.savefig(path, dpi=110)
        written.append(path)
    return written


def _require_columns(evaluation: Evaluation) -> None:
    """Refuse a misspelt stratum: all cases would be in one that is called "not given"."""
    known = sorted({name for case in evaluation.cases for name in case.covariates})
    unknown = [name for name in evaluation.strata if name not in known]
    if unknown:
        raise ConfigurationError(f"no case has a column {unknown[0]}; there are: {', '.join(known) or 'none'}")


def _why_not(evaluation: Evaluation, reason: str) -> str:
    """The reason, and of the cases left out as many as fit into one sentence."""
    if not evaluation.left_out:
        return reason
    named = "; ".join(f"{one.case_id}: {one.why}" for one in evaluation.left_out[:5])
    more = len(evaluation.left_out) - 5
    return f"{reason}. Left out: {named}" + (f"; and {more} more" if more > 0 else "")
