"""Agreement and accuracy statistics, each with its interval, its source and its number of cases.

``agreement_report`` puts them together for a cohort of scored cases; ``to_markdown`` writes that for a model card.
"""

from coronary.evaluation.categorical_agreement import (
    KappaWeights,
    cohen_kappa,
    cohen_kappa_bootstrap,
    confusion_matrix,
    observed_agreement,
)
from coronary.evaluation.cohort import (
    AgreementReport,
    CaseRecord,
    QuantityAgreement,
    RiskClassAgreement,
    StratumAgreement,
    agreement_report,
)
from coronary.evaluation.cohort_markdown import to_markdown
from coronary.evaluation.continuous_agreement import (
    BlandAltman,
    bland_altman,
    concordance_correlation,
    concordance_from_moments,
    intraclass_correlation,
    pearson_correlation,
)
from coronary.evaluation.diagnostic_accuracy import (
    DiagnosticAccuracy,
    ZeroScoreAccuracy,
    diagnostic_accuracy,
    zero_score_accuracy,
)
from coronary.evaluation.estimates import CONFIDENCE, Estimate, Proportion, clopper_pearson
from coronary.evaluation.mask_overlap import MaskOverlap, label_overlaps, mask_overlap

__all__ = [
    "CONFIDENCE",
    "AgreementReport",
    "BlandAltman",
    "CaseRecord",
    "DiagnosticAccuracy",
    "Estimate",
    "KappaWeights",
    "MaskOverlap",
    "Proportion",
    "QuantityAgreement",
    "RiskClassAgreement",
    "StratumAgreement",
    "ZeroScoreAccuracy",
    "agreement_report",
    "bland_altman",
    "clopper_pearson",
    "cohen_kappa",
    "cohen_kappa_bootstrap",
    "concordance_correlation",
    "concordance_from_moments",
    "confusion_matrix",
    "diagnostic_accuracy",
    "intraclass_correlation",
    "label_overlaps",
    "mask_overlap",
    "observed_agreement",
    "pearson_correlation",
    "to_markdown",
    "zero_score_accuracy",
]
