"""Agreement of calcium scores over a cohort: which figures are reported, and for which cases.

Decides the set of figures behind every claim about a scoring family. A refused case has no score: it is counted and
left out, never taken as zero. Runs no model and reads no file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import RISK_CATEGORIES, Vessel, VesselValues, risk_category
from coronary.evaluation.categorical_agreement import (
    cohen_kappa,
    cohen_kappa_bootstrap,
    confusion_matrix,
    observed_agreement,
)
from coronary.evaluation.continuous_agreement import (
    BlandAltman,
    PairedTTest,
    bland_altman,
    concordance_correlation,
    intraclass_correlation,
    paired_t_test,
    pearson_correlation,
)
from coronary.evaluation.diagnostic_accuracy import ZeroScoreAccuracy, zero_score_accuracy
from coronary.evaluation.estimates import CONFIDENCE, Estimate, Proportion, clopper_pearson
from coronary.evaluation.interval_coverage import IntervalCoverage, interval_coverage
from coronary.evaluation.roc import roc_area
from coronary.reasons import NEEDS_READING

#: Name of the score by the method of a family's paper among the measures of a case, where another one is reported.
PAPER_SCORE = "paper_agatston"

#: Why a report has no vessels, in one sentence.
NO_VESSELS: Final = "The reference gives a total alone, without LM, LAD, LCX and RCA: nothing is compared per vessel."


@dataclass(frozen=True, slots=True)
class TotalOnly:
    """One quantity for the whole coronary tree, where nothing is known per vessel."""

    total: float

    def as_dict(self) -> dict[str, float]:
        """The key ``total`` alone."""
        return {"total": self.total}


#: What a case is compared by: the total and each vessel, or the total alone.
Scores = VesselValues | TotalOnly


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case of a cohort.

    Parameters
    ----------
    case_id
        Unique in the cohort, e.g. the seed of a virtual patient; never a patient identifier.
    true, predicted
        Agatston score (or another quantity, both the same) in total and per vessel, or in total alone; ``predicted``
        is None when the case was refused, and has the vessels where ``true`` has them.
    refusal
        Code of the refusal; empty when there is a score.
    is_flagged
        The result was handed over as "needs reading".
    covariates
        What strata are made of: ``{"kvp": 100, "kernel": "soft"}``.
    true_volume_mm3, predicted_volume_mm3
        The same for the volume; None where it was not compared.
    notes
        Codes of the notes of the result.
    measures
        What else was measured in the case, by name: overlaps, counts, attenuations.
    """

    case_id: str
    true: Scores
    predicted: Scores | None
    refusal: str = ""
    is_flagged: bool = False
    covariates: Mapping[str, str | float | bool] = field(default_factory=dict)
    true_volume_mm3: VesselValues | None = None
    predicted_volume_mm3: VesselValues | None = None
    notes: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.predicted is None) != bool(self.refusal):
            raise ValueError(f"case {self.case_id}: expected either a predicted score or a refusal code")
        if self.predicted is not None and not self.true.as_dict().keys() <= self.predicted.as_dict().keys():
            raise ValueError(f"case {self.case_id}: the reference has vessels, the predicted score a total alone")


@dataclass(frozen=True, slots=True)
class QuantityAgreement:
    """Agreement of one number per case: the total or one vessel."""

    name: str
    icc: Estimate
    ccc: Estimate
    pearson: Estimate
    bland_altman: BlandAltman
    paired_t: PairedTTest
    zero: ZeroScoreAccuracy


@dataclass(frozen=True, slots=True, eq=False)
class RiskClassAgreement:
    """Five-class agreement of the total; ``counts`` has the truth in rows, classes in ``RISK_CATEGORIES`` order."""

    counts: NDArray[np.int64]
    kappa: Estimate
    kappa_bootstrap: Estimate
    kappa_linear: Estimate
    accuracy: Proportion


@dataclass(frozen=True, slots=True)
class StratumAgreement:
    """Agreement of the total inside one stratum, e.g. ``covariate="kvp", level="100"``."""

    covariate: str
    level: str
    n: int
    icc: Estimate | None
    mean_difference: Estimate | None
    risk_class_accuracy: Proportion
    zero: ZeroScoreAccuracy


@dataclass(frozen=True, slots=True, eq=False)
class AgreementReport:
    """Every figure of one cohort; ``data_name`` and the counts go wherever a figure is printed.

    ``vessels`` is empty where the reference has a total alone (`NO_VESSELS`). ``detection`` is the area under the ROC
    curve of the predicted total against "the true total is above 0". ``interval`` is None where no score has one.
    ``needs_reading`` counts the scored cases by what they were handed over for, where the notes of the cases are known.
    """

    data_name: str
    quantity: str
    n_cases: int
    n_scored: int
    refusals: Mapping[str, int]
    n_flagged: int
    needs_reading: Mapping[str, int]
    total: QuantityAgreement
    vessels: Mapping[Vessel, QuantityAgreement]
    risk_classes: RiskClassAgreement
    detection: Estimate
    false_zero_ids: tuple[str, ...]
    false_zero_ids_flagged: tuple[str, ...]
    strata: tuple[StratumAgreement, ...]
    confidence: float
    interval: IntervalCoverage | None


def agreement_report(
    cases: Sequence[CaseRecord],
    *,
    data_name: str,
    quantity: str = "Agatston score",
    strata: Sequence[str] = (),
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> AgreementReport:
    """Compute every agreement figure of a cohort.

    Parameters
    ----------
    cases
        At least three of them scored; identifiers are unique.
    data_name
        What the cases are, printed with every figure: ``"virtual patients, n=150, seeds 900000–900149"``.
    quantity
        What was scored; the five risk classes are meant for the Agatston score.
    strata
        Covariates by whose levels the total is reported too; a case without one is in the level "not given".
    seed
        Of the bootstrap behind the second kappa interval.

    Raises
    ------
    ValueError
        Without a data name, with a repeated identifier, with fewer than three scored cases, or where the reference of
        some cases has vessels and that of others a total alone.
    """
    if not data_name.strip():
        raise ValueError("data_name is empty: a figure must name its data")
    if len({case.case_id for case in cases}) != len(cases):
        raise ValueError("a case identifier occurs twice")
    scored = [case for case in cases if case.predicted is not None]
    if len(scored) < 3:
        raise ValueError(f"{len(scored)} scored cases of {len(cases)}, expected at least 3")
    if len({type(case.true) for case in cases}) > 1:
        raise ValueError("the reference of some cases has vessels, that of others a total alone")
    codes = [case.refusal for case in cases if case.predicted is None]
    true_total, predicted_total = _paired(scored, "total")
    is_false_zero = (true_total > 0) & (predicted_total == 0)
    false_zeros = [case for case, is_false in zip(scored, is_false_zero, strict=True) if is_false]
    return AgreementReport(
        data_name=data_name,
        quantity=quantity,
        n_cases=len(cases),
        n_scored=len(scored),
        refusals={code: codes.count(code) for code in sorted(set(codes))},
        n_flagged=sum(case.is_flagged for case in scored),
        needs_reading=_reading_codes(scored),
        total=_quantity_agreement("total", scored, confidence),
        vessels={
            vessel: _quantity_agreement(vessel.name, scored, confidence)
            for vessel in Vessel
            if vessel.name in scored[0].true.as_dict()
        },
        risk_classes=_risk_class_agreement(true_total, predicted_total, confidence, seed),
        detection=roc_area((true_total > 0).tolist(), predicted_total.tolist(), confidence),
        false_zero_ids=tuple(case.case_id for case in false_zeros),
        false_zero_ids_flagged=tuple(case.case_id for case in false_zeros if case.is_flagged),
        strata=tuple(row for covariate in strata for row in _strata(covariate, scored, confidence)),
        confidence=confidence,
        interval=interval_coverage(scored),
    )


def _reading_codes(scored: Sequence[CaseRecord]) -> dict[str, int]:
    codes = [code for case in scored for code in set(case.notes) & NEEDS_READING]
    return {code: codes.count(code) for code in sorted(set(codes))}


def _paired(scored: Sequence[CaseRecord], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    true = [case.true.as_dict()[key] for case in scored]
    predicted = [case.predicted.as_dict()[key] for case in scored if case.predicted is not None]
    return np.array(true, dtype=np.float64), np.array(predicted, dtype=np.float64)


def _quantity_agreement(key: str, scored: Sequence[CaseRecord], confidence: float) -> QuantityAgreement:
    true, predicted = _paired(scored, key)
    return QuantityAgreement(
        name=key,
        icc=intraclass_correlation(np.column_stack([true, predicted]), confidence),
        ccc=concordance_correlation(true, predicted, confidence),
        pearson=pearson_correlation(true, predicted, confidence),
        bland_altman=bland_altman(true, predicted, confidence),
        paired_t=paired_t_test(true, predicted),
        zero=zero_score_accuracy(true.tolist(), predicted.tolist(), confidence),
    )


def _risk_class_counts(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.int64]:
    return confusion_matrix(
        [risk_category(score) for score in true.tolist()],
        [risk_category(score) for score in predicted.tolist()],
        RISK_CATEGORIES,
    )


def _risk_class_agreement(
    true: NDArray[np.float64], predicted: NDArray[np.float64], confidence: float, seed: int
) -> RiskClassAgreement:
    counts = _risk_class_counts(true, predicted)
    return RiskClassAgreement(
        counts=counts,
        kappa=cohen_kappa(counts, "unweighted", confidence),
        kappa_bootstrap=cohen_kappa_bootstrap(counts, "unweighted", confidence, seed=seed),
        kappa_linear=cohen_kappa(counts, "linear", confidence),
        accuracy=clopper_pearson(*observed_agreement(counts), confidence),
    )


def _strata(covariate: str, scored: Sequence[CaseRecord], confidence: float) -> list[StratumAgreement]:
    by_level: dict[str, list[CaseRecord]] = {}
    for case in scored:
        by_level.setdefault(str(case.covariates.get(covariate, "not given")), []).append(case)
    rows = []
    for level in sorted(by_level, key=_level_order):
        true, predicted = _paired(by_level[level], "total")
        has_pairs = len(true) >= 2
        rows.append(
            StratumAgreement(
                covariate=covariate,
                level=level,
                n=len(true),
                icc=intraclass_correlation(np.column_stack([true, predicted]), confidence) if has_pairs else None,
                mean_difference=bland_altman(true, predicted, confidence).mean_difference if has_pairs else None,
                risk_class_accuracy=clopper_pearson(
                    *observed_agreement(_risk_class_counts(true, predicted)), confidence
                ),
                zero=zero_score_accuracy(true.tolist(), predicted.tolist(), confidence),
            )
        )
    return rows


def _level_order(level: str) -> tuple[bool, float, str]:
    """Numbers by their value (80 before 100; a decimal comma too), then everything else by its letters."""
    try:
        value = float(level.replace(",", "."))
    except ValueError:
        value = math.nan
    return (False, value, level) if math.isfinite(value) else (True, 0.0, level)
