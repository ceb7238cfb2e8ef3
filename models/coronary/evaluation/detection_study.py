"""Presence of calcium per patient against the truth: the study of paper 3 per patient, and its tables.

Decides what a right detection is: calcium where the exact score is above 0. A refused case has no answer: it is counted
and left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coronary.detection_findings import HIGH_FROM, PRESENCES, CalciumPresence
from coronary.evaluation.categorical_agreement import confusion_matrix
from coronary.evaluation.diagnostic_accuracy import DiagnosticAccuracy, diagnostic_accuracy
from coronary.evaluation.estimates import Estimate, Proportion, clopper_pearson
from coronary.evaluation.figure_text import estimate_text, proportion_text
from coronary.evaluation.roc import roc_area


@dataclass(frozen=True, slots=True)
class DetectionRecord:
    """One case: exact score, probability and class that were found, None where the case was refused."""

    case_id: str
    true_agatston: float
    probability: float | None
    presence: CalciumPresence | None
    refusal: str = ""
    covariates: Mapping[str, str | float | bool] = field(default_factory=dict)

    @property
    def true_presence(self) -> CalciumPresence:
        """Class of the exact score."""
        if self.true_agatston == 0:
            return "none"
        return "high" if self.true_agatston >= HIGH_FROM else "low"


@dataclass(frozen=True, slots=True, eq=False)
class DetectionReport:
    """Every figure of one study; ``counts`` has the truth in rows, classes in the order of PRESENCES.

    ``false_alarms`` is, per look-alike of calcium, how many of the patients without calcium that have it were called
    positive; "" stands for those without any.
    """

    data_name: str
    n_cases: int
    refusals: Mapping[str, int]
    accuracy: DiagnosticAccuracy
    area: Estimate
    counts: NDArray[np.int64]
    false_alarms: Mapping[str, Proportion]
    missed_ids: tuple[str, ...]


def detection_report(records: Sequence[DetectionRecord], data_name: str) -> DetectionReport:
    """Compute every figure; ValueError where no case has an answer."""
    answered = [each for each in records if each.presence is not None]
    if not answered:
        raise ValueError("no case has an answer")
    codes = [each.refusal for each in records if each.presence is None]
    calls = [(each.true_agatston > 0, each.presence != "none") for each in answered]
    alarms: dict[str, list[bool]] = {}
    for each in answered:
        if each.true_agatston == 0:
            for kind in str(each.covariates.get("distractors", "")).split(", "):
                alarms.setdefault(kind, []).append(each.presence != "none")
    return DetectionReport(
        data_name=data_name,
        n_cases=len(records),
        refusals={code: codes.count(code) for code in sorted(set(codes))},
        accuracy=diagnostic_accuracy(
            true_positives=calls.count((True, True)),
            false_positives=calls.count((False, True)),
            false_negatives=calls.count((True, False)),
            true_negatives=calls.count((False, False)),
        ),
        area=roc_area([truth for truth, _ in calls], [each.probability or 0.0 for each in answered]),
        counts=confusion_matrix(
            [each.true_presence for each in answered], [str(each.presence) for each in answered], PRESENCES
        ),
        false_alarms={kind: clopper_pearson(sum(found), len(found)) for kind, found in sorted(alarms.items())},
        missed_ids=tuple(each.case_id for each in answered if each.true_agatston > 0 and each.presence == "none"),
    )


def to_detection_markdown(report: DetectionReport) -> str:
    """Render a report for a model card."""
    found = report.accuracy
    refused = ", ".join(f"{code} {count}" for code, count in report.refusals.items())
    lines = [
        f"### Calcium per patient: {report.data_name}",
        "",
        f"{report.n_cases} cases, {sum(report.refusals.values())} refused{f' ({refused})' if refused else ''}.",
        "Calcium is an exact Agatston score above 0.",
        "",
        "| | |",
        "|---|---|",
        f"| Sensitivity | {proportion_text(found.sensitivity)} |",
        f"| Specificity | {proportion_text(found.specificity)} |",
        f"| Negative predictive value | {proportion_text(found.negative_predictive_value)} |",
        f"| Accuracy | {proportion_text(found.accuracy)} |",
        f"| Area under the ROC curve (DeLong) | {estimate_text(report.area, 3)} |",
        "",
        f"None, low and high (from a score of {HIGH_FROM:g}; truth in rows):",
        "",
        f"| truth | {' | '.join(PRESENCES)} |",
        "|" + "---|" * (len(PRESENCES) + 1),
        *(
            f"| {name} | {' | '.join(map(str, counts))} |"
            for name, counts in zip(PRESENCES, report.counts.tolist(), strict=True)
        ),
        "",
        "Called positive without calcium, by look-alike in the patient:",
        "",
        "| look-alike | called positive |",
        "|---|---|",
        *(f"| {kind or 'none'} | {proportion_text(share)} |" for kind, share in report.false_alarms.items()),
    ]
    return "\n".join(lines) + "\n"
