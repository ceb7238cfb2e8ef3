"""Presence of coronary calcium in calcium-scoring CT: an independent second opinion on the score (Lee 2021, "paper 3").

"Paper 3" is Lee et al., "Deep-learning-based coronary artery calcium detection from CT image", Sensors 2021;21:7059:
the heart region without a network, three data layouts, three networks. The model card is README.md beside this file.
"""

from __future__ import annotations

from coronary.calcium_detection import predict
from coronary.calcium_scan_eligibility import check_eligibility
from coronary.contract import AcquisitionFacts, CalciumFindings, ModelSessions, ProgressCallback, Refusal, SeriesKind
from coronary.ct_volume import CtVolume
from coronary.detection_findings import DetectionFindings


class CalciumDetection:
    """The family as the contract wants it."""

    name = "calcium-detection"
    package = "coronary.calcium_detection"
    networks = ("presence",)
    series_kind: SeriesKind = "csct"
    needs = None
    second_opinion = None

    def check_eligibility(self, facts: AcquisitionFacts, volume: CtVolume) -> Refusal | None:
        """Say why calcium must not be looked for in this volume, or None: the same as for a score."""
        return check_eligibility(facts, volume)

    def predict(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        facts: AcquisitionFacts,
        on_progress: ProgressCallback,
        _basis: CalciumFindings | None = None,
    ) -> DetectionFindings | Refusal:
        """Look for calcium in an eligible volume."""
        return predict.predict(sessions["presence"], volume, facts, on_progress)
