"""Stenosis read on a scan and on what was made from it, against the truth: the study of paper 0, and what it lacks.

Decides what counts as positive in each of its two evaluations, and when a stenosis was erased. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from coronary.evaluation.diagnostic_accuracy import DiagnosticAccuracy, diagnostic_accuracy
from coronary.evaluation.estimates import Proportion, clopper_pearson
from coronary.evaluation.paired_accuracy import Reclassification, fisher_p, mcnemar_p, reclassification
from coronary.evaluation.roc import AreaComparison, compare_roc_areas
from coronary.stenosis import READER_GRADES, reader_grade

#: Segments of the main trunks that paper 0 reads in every case.
STUDY_SEGMENTS: Final = (1, 2, 3, 5, 6, 7, 8, 11, 13)

#: Segments that begin or end where one of the study does, on the same side of the heart.
NEIGHBOURS: Final[Mapping[int, Sequence[int]]] = {
    1: (2,),
    2: (1, 3),
    3: (2,),
    5: (6, 11),
    6: (5, 7, 11),
    7: (6, 8),
    8: (7,),
    11: (5, 6, 13),
    13: (11,),
}

#: Grade from which a stenosis is significant (paper 0, "Stenosis evaluation").
SIGNIFICANT_GRADE: Final = 75

#: A stenosis of at least the first, shown as less than the second, was erased; percent of the diameter.
ERASED_FROM_PERCENT: Final = 50.0
ERASED_BELOW_PERCENT: Final = 25.0


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """One segment of one case.

    Parameters
    ----------
    case_id, segment
        Of the case, and the SCCT segment id.
    true_percent, original_percent
        Diameter stenosis, 0 to 100: the truth, and as read on the original scan.
    is_unreadable
        Calcium keeps the original from being read; paper 0 takes such a segment for significantly narrowed.
    derived_percent
        As read on each derived series, by its name.
    distrusted
        Names of the derived series that say of themselves that they must not be read here.
    """

    case_id: str
    segment: int
    true_percent: float
    original_percent: float
    is_unreadable: bool
    derived_percent: Mapping[str, float]
    distrusted: Sequence[str] = ()

    @property
    def is_significant(self) -> bool:
        """Whether the true stenosis is significant."""
        return reader_grade(self.true_percent) >= SIGNIFICANT_GRADE

    @property
    def original_rating(self) -> float:
        """Reading of the original as a probability: its grade, 1 where it is unreadable."""
        return 1.0 if self.is_unreadable else reader_grade(self.original_percent) / 100.0

    def derived_rating(self, series: str, *, is_guarded: bool = False) -> float:
        """The same with the derived series, which is read only where the original cannot be (paper 0, figure 3).

        Guarded, a segment of which the series itself says that it must not be read stays significant, as the paper
        takes what is unreadable: at the lowest significant grade, or a higher one that is read.
        """
        if not self.is_unreadable:
            return self.original_rating
        grade = reader_grade(self.derived_percent[series])
        is_warned = is_guarded and series in self.distrusted
        return max(grade, SIGNIFICANT_GRADE if is_warned else 0) / 100.0


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """Original and derived series on the same segments; p values of derived against original (paper 0, table 3)."""

    original: DiagnosticAccuracy
    derived: DiagnosticAccuracy
    accuracy_p: float
    sensitivity_p: float
    specificity_p: float
    areas: AreaComparison
    reclassified: Reclassification


@dataclass(frozen=True, slots=True)
class SeriesFidelity:
    """How far readings of one series stray from the truth, whether the original was readable or not.

    Parameters
    ----------
    erased
        Of the segments with a stenosis of at least ERASED_FROM_PERCENT, those shown with less than
        ERASED_BELOW_PERCENT.
    erased_unwarned
        Of the same segments, those shown so where the series does not say that it must not be read.
    erased_unseen
        Of these, those where no neighbouring segment is shown with ERASED_FROM_PERCENT either: the stenosis was not
        given to the wrong side of a border, a reader sees none.
    mean_difference, sd_difference
        Read minus true, points of percent, over all segments.
    """

    erased: Proportion
    erased_unwarned: Proportion
    erased_unseen: Proportion
    mean_difference: float
    sd_difference: float
    n: int


def compare_groups(records: Sequence[SegmentRecord], series: str, *, is_guarded: bool = False) -> GroupComparison:
    """Compare the original with one derived series on these segments.

    All segments give evaluation 1 of paper 0, the unreadable ones evaluation 2. Guarded, the warnings of the series are
    heeded (:meth:`SegmentRecord.derived_rating`).

    Raises
    ------
    ValueError
        Without significantly narrowed or without other segments.
    """
    truth = [record.is_significant for record in records]
    first = [record.original_rating for record in records]
    second = [record.derived_rating(series, is_guarded=is_guarded) for record in records]
    limit = SIGNIFICANT_GRADE / 100.0
    calls = [(rating >= limit, other >= limit) for rating, other in zip(first, second, strict=True)]
    right = [(a == is_true, b == is_true) for (a, b), is_true in zip(calls, truth, strict=True)]
    original, derived = (_accuracy(truth, [call[k] for call in calls]) for k in (0, 1))
    return GroupComparison(
        original=original,
        derived=derived,
        accuracy_p=mcnemar_p(right.count((True, False)), right.count((False, True))),
        sensitivity_p=_fisher(original.sensitivity, derived.sensitivity),
        specificity_p=_fisher(original.specificity, derived.specificity),
        areas=compare_roc_areas(truth, first, second),
        reclassified=reclassification(truth, first, second, [grade / 100.0 for grade in READER_GRADES[1:]]),
    )


def original_fidelity(records: Sequence[SegmentRecord]) -> SeriesFidelity:
    """How far readings of the original stray from the truth."""
    return _fidelity(_shown(records, [each.original_percent for each in records]))


def series_fidelity(records: Sequence[SegmentRecord], series: str) -> SeriesFidelity:
    """How far readings of a derived series stray from the truth."""
    return _fidelity(_shown(records, [each.derived_percent[series] for each in records], series))


def trusted_fidelity(records: Sequence[SegmentRecord], series: str) -> SeriesFidelity:
    """The same in the segments in which the series may be read."""
    shown = _shown(records, [each.derived_percent[series] for each in records], series)
    return _fidelity([each for each in shown if not each.is_warned])


@dataclass(frozen=True, slots=True)
class _Shown:
    """What one series shows of a segment, and the most it shows in a neighbouring one."""

    record: SegmentRecord
    percent: float
    is_warned: bool
    beside_percent: float

    @property
    def is_erased(self) -> bool:
        return self.record.true_percent >= ERASED_FROM_PERCENT and self.percent < ERASED_BELOW_PERCENT


def _shown(records: Sequence[SegmentRecord], percents: Sequence[float], series: str = "") -> list[_Shown]:
    by_place = {(each.case_id, each.segment): percent for each, percent in zip(records, percents, strict=True)}
    return [
        _Shown(
            each,
            percent,
            series in each.distrusted,
            max(by_place.get((each.case_id, beside), 0.0) for beside in NEIGHBOURS[each.segment]),
        )
        for each, percent in zip(records, percents, strict=True)
    ]


def _fidelity(shown: Sequence[_Shown]) -> SeriesFidelity:
    stenosed = sum(each.record.true_percent >= ERASED_FROM_PERCENT for each in shown)
    erased = [each for each in shown if each.is_erased]
    unwarned = [each for each in erased if not each.is_warned]
    unseen = [each for each in unwarned if each.beside_percent < ERASED_FROM_PERCENT]
    differences = np.array([each.percent - each.record.true_percent for each in shown])
    return SeriesFidelity(
        erased=clopper_pearson(len(erased), stenosed),
        erased_unwarned=clopper_pearson(len(unwarned), stenosed),
        erased_unseen=clopper_pearson(len(unseen), stenosed),
        mean_difference=float(differences.mean()) if len(differences) else 0.0,
        sd_difference=float(differences.std(ddof=1)) if len(differences) > 1 else 0.0,
        n=len(shown),
    )


def _accuracy(truth: Sequence[bool], calls: Sequence[bool]) -> DiagnosticAccuracy:
    pairs = list(zip(truth, calls, strict=True))
    return diagnostic_accuracy(
        true_positives=pairs.count((True, True)),
        false_negatives=pairs.count((True, False)),
        false_positives=pairs.count((False, True)),
        true_negatives=pairs.count((False, False)),
    )


def _fisher(first: Proportion, second: Proportion) -> float:
    return fisher_p((first.successes, first.n - first.successes), (second.successes, second.n - second.successes))
