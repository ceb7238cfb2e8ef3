"""Whether the score of a contrast scan agrees with the calcium-scoring CT of the same study.

Decides what counts as discordant: a difference outside the limits of agreement that were measured for the model and
stand in its card. Scores spread more the larger they are, so limits hold on the scale of their square roots (Sevrukov
et al., AJR 2005;185:1546-1553).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from coronary.calcium import RiskCategory, VesselValues, risk_category, score_text


@dataclass(frozen=True, slots=True)
class LimitsOfAgreement:
    """Measured agreement of a contrast score with the calcium-scoring CT of the same patient.

    Parameters
    ----------
    lower_root, upper_root
        95 % limits of ``sqrt(contrast) - sqrt(calcium scan)`` of the total (Bland and Altman 1986).
    data
        What they were measured on, e.g. ``virtual patients, n = 60, seeds ...``.
    """

    lower_root: float
    upper_root: float
    data: str

    def __post_init__(self) -> None:
        if not self.lower_root < self.upper_root:
            raise ValueError(f"limits of agreement are {self.lower_root} to {self.upper_root}, expected lower < upper")

    def expected_contrast_score(self, calcium_scan_score: float) -> tuple[float, float]:
        """Lowest and highest contrast score that agree with a score of the calcium-scoring CT, Agatston units."""
        root = math.sqrt(calcium_scan_score)
        low, high = (max(0.0, root + limit) ** 2 for limit in (self.lower_root, self.upper_root))
        return low, high


@dataclass(frozen=True, slots=True)
class Concordance:
    """Comparison of the two scores of one study.

    Parameters
    ----------
    csct, ccta
        Agatston score of the calcium-scoring CT, and its estimate from the contrast scan.
    limits
        What the comparison rests on.
    expected_ccta
        Lowest and highest total of ``ccta`` that agree with ``csct``.
    is_discordant
        Whether the total of ``ccta`` lies outside.
    """

    csct: VesselValues
    ccta: VesselValues
    limits: LimitsOfAgreement
    expected_ccta: tuple[float, float]
    is_discordant: bool

    @property
    def difference(self) -> float:
        """Contrast scan minus calcium-scoring CT, total."""
        return self.ccta.total - self.csct.total

    @property
    def categories(self) -> tuple[RiskCategory, RiskCategory]:
        """Risk categories of the calcium-scoring CT and of the contrast scan."""
        return risk_category(self.csct.total), risk_category(self.ccta.total)

    @property
    def text(self) -> str:
        """One sentence for a reader."""
        ccta, csct, low, high = (
            score_text(value, 0) for value in (self.ccta.total, self.csct.total, *self.expected_ccta)
        )
        verdict = "outside" if self.is_discordant else "within"
        return (
            f"The contrast scan gives {ccta}, the calcium-scoring CT {csct}: {verdict} the limits of agreement "
            f"({low} to {high})."
        )

    def as_dict(self) -> dict[str, object]:
        """As in a result document: values that JSON keeps."""
        csct_category, ccta_category = self.categories
        return {
            "is_discordant": self.is_discordant,
            "csct": self.csct.as_dict(),
            "ccta": self.ccta.as_dict(),
            "difference": self.difference,
            "expected_ccta": list(self.expected_ccta),
            "categories": {"csct": csct_category, "ccta": ccta_category},
            "text": self.text,
            "data": self.limits.data,
        }


def compare_scores(csct: VesselValues, ccta: VesselValues, limits: LimitsOfAgreement) -> Concordance:
    """Compare the score of a calcium-scoring CT with its estimate from a contrast scan of the same patient."""
    low, high = limits.expected_contrast_score(csct.total)
    return Concordance(csct, ccta, limits, (low, high), is_discordant=not low <= ccta.total <= high)
