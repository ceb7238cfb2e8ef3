"""How each analysis is called, and what its refusal means, in words and in codes.

Decides these words for every place that shows them: SR, summary page and study page. A new analysis adds a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydicom.sr.coding import Code

from agatha.dicom import codes


@dataclass(frozen=True, slots=True)
class AnalysisTerms:
    """The terms of one analysis.

    Parameters
    ----------
    title
        Of a page of its result.
    procedure
        What was done to the patient (TID 1500, "Procedure reported").
    reason
        Name of the evaluation that says why something was not done.
    not_done, not_meant
        What a refusal means, and what it does not mean; the latter a sentence.
    """

    title: str
    procedure: Code
    reason: Code
    not_done: str
    not_meant: str

    @property
    def refusal(self) -> str:
        """What a refusal means, in two sentences."""
        return f"{self.not_done}. {self.not_meant}"


NO_ZERO: Final = "This is not a score of zero."
_NOT_SCORED: Final = (codes.REASON_NOT_SCORED, "No score was computed", NO_ZERO)
_NO_SERIES: Final = (
    codes.REASON_NO_SERIES,
    "No series was made",
    "This says nothing about calcium or stenosis.",
)
_NOT_DETECTED: Final = (
    codes.REASON_NOT_DETECTED,
    "Calcium was not looked for",
    "This does not mean that there is none.",
)

ANALYSIS_TERMS: Final[Mapping[str, AnalysisTerms]] = {
    "csct-scoring": AnalysisTerms("Coronary artery calcium score", codes.CALCIUM_SCORING_CT, *_NOT_SCORED),
    "ccta-scoring": AnalysisTerms("Coronary calcium, estimated from contrast CT", codes.CT_ANGIOGRAPHY, *_NOT_SCORED),
    "calcium-inpainting": AnalysisTerms("Coronary arteries without calcium", codes.CT_ANGIOGRAPHY, *_NO_SERIES),
    "lumen-extraction": AnalysisTerms("Coronary lumen", codes.CT_ANGIOGRAPHY, *_NO_SERIES),
    "calcium-detection": AnalysisTerms("Presence of coronary calcium", codes.CALCIUM_SCORING_CT, *_NOT_DETECTED),
}
