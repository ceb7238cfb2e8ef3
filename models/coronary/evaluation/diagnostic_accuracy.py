"""Diagnostic accuracy of a yes/no finding, and of a calcium score of zero.

Decides denominators; every proportion comes with its counts and a Clopper–Pearson interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coronary.evaluation.estimates import CONFIDENCE, Proportion, clopper_pearson


@dataclass(frozen=True, slots=True)
class DiagnosticAccuracy:
    """Sensitivity, specificity, predictive values and accuracy of one two-by-two table."""

    sensitivity: Proportion
    specificity: Proportion
    positive_predictive_value: Proportion
    negative_predictive_value: Proportion
    accuracy: Proportion


def diagnostic_accuracy(
    *,
    true_positives: int,
    false_positives: int,
    false_negatives: int,
    true_negatives: int,
    confidence: float = CONFIDENCE,
) -> DiagnosticAccuracy:
    """Accuracy of a two-by-two table, each proportion with its Clopper–Pearson interval.

    A proportion without cases (no negative call: no negative predictive value) has the value None and the interval
    0 to 1. ValueError on a negative count.
    """
    counts = (true_positives, false_positives, false_negatives, true_negatives)
    if min(counts) < 0:
        raise ValueError(f"counts are {counts}, expected none below 0")

    def proportion(hits: int, others: int) -> Proportion:
        return clopper_pearson(hits, hits + others, confidence)

    return DiagnosticAccuracy(
        sensitivity=proportion(true_positives, false_negatives),
        specificity=proportion(true_negatives, false_positives),
        positive_predictive_value=proportion(true_positives, false_positives),
        negative_predictive_value=proportion(true_negatives, false_negatives),
        accuracy=proportion(true_positives + true_negatives, false_positives + false_negatives),
    )


@dataclass(frozen=True, slots=True)
class ZeroScoreAccuracy:
    """How far a score of zero can be trusted; the numbers kappa and ICC hide.

    Parameters
    ----------
    specificity_at_zero
        Of the cases without calcium, those scored exactly 0.
    false_zero_rate
        Of the cases with calcium, those scored exactly 0.
    zero_predictive_value
        Of the cases scored 0, those without calcium.
    """

    specificity_at_zero: Proportion
    false_zero_rate: Proportion
    zero_predictive_value: Proportion


def zero_score_accuracy(
    true_scores: Sequence[float], predicted_scores: Sequence[float], confidence: float = CONFIDENCE
) -> ZeroScoreAccuracy:
    """Compare zero with zero; any score above 0 counts as calcium, however small.

    ValueError if lengths differ or a score is negative or not a number.
    """
    if len(true_scores) != len(predicted_scores):
        raise ValueError(f"{len(true_scores)} true and {len(predicted_scores)} predicted scores, expected as many")
    if not all(score >= 0 for score in (*true_scores, *predicted_scores)):
        raise ValueError("a score is negative or not a number")
    pairs = [(truth == 0, guess == 0) for truth, guess in zip(true_scores, predicted_scores, strict=True)]
    zero_as_zero = pairs.count((True, True))
    calcium_as_zero = pairs.count((False, True))
    n_zero = sum(is_zero for is_zero, _ in pairs)
    return ZeroScoreAccuracy(
        specificity_at_zero=clopper_pearson(zero_as_zero, n_zero, confidence),
        false_zero_rate=clopper_pearson(calcium_as_zero, len(pairs) - n_zero, confidence),
        zero_predictive_value=clopper_pearson(zero_as_zero, zero_as_zero + calcium_as_zero, confidence),
    )
