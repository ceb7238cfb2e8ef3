"""Two readings of the same cases by one reference: who is right more often, and who moves cases to the right side.

Decides which test belongs to which figure: McNemar for accuracy (the same cases), Fisher for the other proportions of
paper 0, table 3, which it tests as if the groups were independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from coronary.evaluation.estimates import CONFIDENCE, Estimate, normal_quantile


def mcnemar_p(only_first_right: int, only_second_right: int) -> float:
    """Two-sided exact p of McNemar's test from the discordant cases; 1 where there are none.

    Raises
    ------
    ValueError
        On a negative count.
    """
    if min(only_first_right, only_second_right) < 0:
        raise ValueError(f"counts are {only_first_right} and {only_second_right}, expected none below 0")
    discordant = only_first_right + only_second_right
    if discordant == 0:
        return 1.0
    return float(stats.binomtest(only_first_right, discordant, 0.5).pvalue)


def fisher_p(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Two-sided exact p of Fisher's test of two proportions, each given as (hits, others)."""
    return float(stats.fisher_exact(np.array([first, second])).pvalue)


@dataclass(frozen=True, slots=True)
class Reclassification:
    """How a second rating moves cases against a first.

    Parameters
    ----------
    net_improvement
        Net reclassification improvement (Pencina et al., Stat Med 2008;27:157-172), −2 to 2.
    integrated_improvement
        Integrated discrimination improvement (there): gain in the mean probability of the positive cases minus that of
        the negative ones.
    """

    net_improvement: Estimate
    integrated_improvement: Estimate


def reclassification(
    is_positive: Sequence[bool],
    first: Sequence[float],
    second: Sequence[float],
    thresholds: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Reclassification:
    """Reclassification by `second` over `first`, both as probabilities of being positive, 0 to 1.

    Parameters
    ----------
    thresholds
        Borders of the classes, ascending; a rating on a border belongs to the class above.

    Raises
    ------
    ValueError
        If lengths differ, a rating is no probability, or there are no positive or no negative cases.
    """
    truth = np.asarray(is_positive, dtype=np.bool_)
    before, after = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(truth) == len(before) == len(after):
        raise ValueError(f"{len(truth)} cases, {len(before)} first and {len(after)} second ratings, expected as many")
    if not all(((rated >= 0.0) & (rated <= 1.0)).all() for rated in (before, after)):
        raise ValueError("a rating is no probability between 0 and 1")
    if truth.all() or not truth.any():
        raise ValueError("reclassification needs positive and negative cases")
    moved = np.sign(np.digitize(after, thresholds) - np.digitize(before, thresholds)).astype(np.float64)
    return Reclassification(
        net_improvement=_difference(moved, truth, "Pencina", confidence),
        integrated_improvement=_difference(after - before, truth, "Pencina", confidence),
    )


def _difference(gain: NDArray[np.float64], truth: NDArray[np.bool_], method: str, confidence: float) -> Estimate:
    """Mean gain of the positive cases minus that of the negative ones, with a normal interval."""
    of_positives, of_negatives = gain[truth], gain[~truth]
    value = float(of_positives.mean() - of_negatives.mean())
    variance = float(of_positives.var() / len(of_positives) + of_negatives.var() / len(of_negatives))
    reach = normal_quantile(confidence) * float(np.sqrt(variance))
    return Estimate(value, value - reach, value + reach, len(gain), method, confidence)
