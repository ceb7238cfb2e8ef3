"""The cases of a cohort that disagree most, one by one.

Decides the order: a wrong zero before everything else, then the distance of the risk categories, then of the scores.
Cases that agree to the last digit are in no list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coronary.calcium import RISK_CATEGORIES, RiskCategory, risk_category
from coronary.evaluation.cohort import CaseRecord, Scores


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One scored case; ``difference`` is predicted − true of the total."""

    case_id: str
    true: Scores
    predicted: Scores
    is_flagged: bool

    @property
    def difference(self) -> float:
        """Predicted − true total."""
        return self.predicted.total - self.true.total

    @property
    def categories(self) -> tuple[RiskCategory, RiskCategory]:
        """True and predicted risk category."""
        return risk_category(self.true.total), risk_category(self.predicted.total)

    @property
    def category_steps(self) -> int:
        """How many categories apart, negative when the predicted one is lower."""
        true, predicted = (RISK_CATEGORIES.index(category) for category in self.categories)
        return predicted - true

    @property
    def is_false_zero(self) -> bool:
        """Calcium in truth, 0 predicted."""
        return self.true.total > 0 and self.predicted.total == 0

    @property
    def is_false_calcium(self) -> bool:
        """No calcium in truth, a score predicted."""
        return self.true.total == 0 and self.predicted.total > 0


def worst_disagreements(cases: Sequence[CaseRecord], at_most: int) -> list[Disagreement]:
    """Return the scored cases that disagree most, worst first; every wrong zero, even beyond ``at_most``."""
    scored = [
        Disagreement(case.case_id, case.true, case.predicted, case.is_flagged)
        for case in cases
        if case.predicted is not None and case.predicted.total != case.true.total
    ]
    scored.sort(key=lambda each: (not each.is_false_zero, -abs(each.category_steps), -abs(each.difference)))
    return scored[: max(at_most, sum(each.is_false_zero for each in scored))]
