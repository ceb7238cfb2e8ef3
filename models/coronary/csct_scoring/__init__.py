"""U-Net++ scoring of non-contrast calcium-scoring CT (Hong 2022); the model card is README.md beside this file."""

from __future__ import annotations

from coronary.calcium_scan_eligibility import check_eligibility
from coronary.contract import AcquisitionFacts, CalciumFindings, ModelSessions, ProgressCallback, Refusal, SeriesKind
from coronary.csct_scoring import predict
from coronary.ct_volume import CtVolume


class CsctScoring:
    """The family as the contract wants it."""

    name = "csct-scoring"
    package = "coronary.csct_scoring"
    networks = ("calcium",)
    series_kind: SeriesKind = "csct"
    needs = None
    # calcium-detection is to be asked about a zero once its own false alarms are few enough (its card).
    second_opinion = None

    def check_eligibility(self, facts: AcquisitionFacts, volume: CtVolume) -> Refusal | None:
        """Say why this volume must not be scored, or None."""
        return check_eligibility(facts, volume)

    def predict(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        facts: AcquisitionFacts,
        on_progress: ProgressCallback,
        _basis: CalciumFindings | None = None,
    ) -> CalciumFindings:
        """Score an eligible volume."""
        return predict.predict(sessions["calcium"], volume, facts, on_progress)
