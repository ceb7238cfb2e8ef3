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
    Scores,
    StratumAgreement,
    TotalOnly,
    agreement_report,
)
from coronary.evaluation.cohort_json import to_plain
from coronary.evaluation.cohort_markdown import to_markdown
from coronary.evaluation.continuous_agreement import (
    BlandAltman,
    PairedTTest,
    bland_altman,
    concordance_correlation,
    concordance_from_moments,
    intraclass_correlation,
    paired_t_from_moments,
    paired_t_test,
    pearson_correlation,
)
from coronary.evaluation.diagnostic_accuracy import (
    DiagnosticAccuracy,
    ZeroScoreAccuracy,
    diagnostic_accuracy,
    zero_score_accuracy,
)
from coronary.evaluation.disagreements import Disagreement, worst_disagreements
from coronary.evaluation.estimates import CONFIDENCE, Estimate, Proportion, clopper_pearson
from coronary.evaluation.headlines import Headline, headlines
from coronary.evaluation.mask_overlap import MaskOverlap, mask_overlap
from coronary.evaluation.saved_cost import SavedCost, saved_cost

__all__ = [
    "CONFIDENCE",
    "AgreementReport",
    "BlandAltman",
    "CaseRecord",
    "DiagnosticAccuracy",
    "Disagreement",
    "Estimate",
    "Headline",
    "KappaWeights",
    "MaskOverlap",
    "PairedTTest",
    "Proportion",
    "QuantityAgreement",
    "RiskClassAgreement",
    "SavedCost",
    "Scores",
    "StratumAgreement",
    "TotalOnly",
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
    "headlines",
    "intraclass_correlation",
    "mask_overlap",
    "observed_agreement",
    "paired_t_from_moments",
    "paired_t_test",
    "pearson_correlation",
    "saved_cost",
    "to_markdown",
    "to_plain",
    "worst_disagreements",
    "zero_score_accuracy",
]
