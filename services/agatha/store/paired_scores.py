"""The two scores of one study, side by side: which results they are, and whether they agree.

Decides which result of an analysis counts (of each series the newest version, of several series the one that came
last, and only a completed one) and which two analyses measure the same calcium. How far two scores may differ is
decided in `coronary.concordance`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agatha.store.records import ResultRecord
from coronary.calcium import VesselValues
from coronary.concordance import Concordance, LimitsOfAgreement, compare_scores

CSCT_ANALYSIS: Final = "csct-scoring"
CCTA_ANALYSIS: Final = "ccta-scoring"

#: Analysis -> the other one that measures the same calcium.
PARTNER_OF: Final[Mapping[str, str]] = {CSCT_ANALYSIS: CCTA_ANALYSIS, CCTA_ANALYSIS: CSCT_ANALYSIS}


@dataclass(frozen=True, slots=True)
class PairedScores:
    """The two results that are compared, and the comparison."""

    csct: ResultRecord
    ccta: ResultRecord
    concordance: Concordance

    def holds(self, result: ResultRecord) -> bool:
        """Whether `result` is one of the two."""
        return result.id in (self.csct.id, self.ccta.id)


def latest_results(results: Iterable[ResultRecord]) -> list[ResultRecord]:
    """Return the highest version per series and analysis, in the order given."""
    latest: dict[tuple[int, str], ResultRecord] = {}
    for result in results:
        key = (result.series_id, result.analysis)
        if key not in latest or result.version > latest[key].version:
            latest[key] = result
    return list(latest.values())


def current_score(results: Iterable[ResultRecord], analysis: str) -> ResultRecord | None:
    """Return the result whose score stands for the study, or None.

    A series whose newest result is a refusal or a failure has no score, whatever an older version said.
    """
    scored = [
        result
        for result in latest_results(results)
        if result.analysis == analysis and result.state == "completed" and result.document.get("calcium") is not None
    ]
    return max(scored, key=lambda result: result.id, default=None)


def paired_scores(results: Iterable[ResultRecord]) -> PairedScores | None:
    """Compare the two scores of a study; None unless it has both, and limits of agreement to compare them by."""
    results = list(results)
    csct, ccta = current_score(results, CSCT_ANALYSIS), current_score(results, CCTA_ANALYSIS)
    if csct is None or ccta is None:
        return None
    limits = limits_of(ccta.document)
    if limits is None:
        return None
    return PairedScores(csct, ccta, compare_scores(agatston_of(csct.document), agatston_of(ccta.document), limits))


def agatston_of(document: Mapping[str, Any]) -> VesselValues:
    """Return the Agatston score of the document of a scored result."""
    return VesselValues(**document["calcium"]["agatston"])


def limits_of(document: Mapping[str, Any]) -> LimitsOfAgreement | None:
    """Return the limits of agreement that a result of a contrast scan names, or None."""
    limits = (document.get("contrast") or {}).get("limits_of_agreement")
    return None if limits is None else LimitsOfAgreement(**limits)
