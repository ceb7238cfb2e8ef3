"""Which families take a routed series; each says itself what it does not accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agatha.dicom.ct_series import AssembledSeries
from agatha.route.decision import RouteDecision
from coronary.contract import Family, Refusal


@dataclass(frozen=True, slots=True)
class AnalysisDecision:
    """One analysis of a series: to be run (no refusal), or refused with a reason."""

    analysis: str
    refusal: Refusal | None


def decide_analyses(
    decision: RouteDecision, assembled: AssembledSeries, families: Sequence[Family]
) -> tuple[AnalysisDecision, ...]:
    """Ask every family that is for this kind of series.

    Left out are one that needs a refused analysis, and a second opinion that is refused with the score it is for: both
    would only say the same again.
    """
    refusals: dict[str, Refusal | None] = {}
    for family in families:
        if family.series_kind == decision.kind and refusals.get(family.needs or "") is None:
            refusals[family.name] = family.check_eligibility(assembled.facts, assembled.volume)
    repeated = {family.second_opinion for family in families if refusals.get(family.name) is not None}
    return tuple(
        AnalysisDecision(name, refusal) for name, refusal in refusals.items() if refusal is None or name not in repeated
    )
