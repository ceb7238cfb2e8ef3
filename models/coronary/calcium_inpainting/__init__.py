"""Calcium removed from contrast CT (Yan 2018, "paper 2"): by what the scoring network says it adds, or by inpainting.

"Paper 2" is Yan et al., "Calcium removal from cardiac CT images using deep convolutional neural network", ISBI 2018:
the patches, the four networks, experiment 1. The family's entry is :class:`CalciumInpainting`; it is not in the
registry yet, so no service runs it.
"""

from __future__ import annotations

from coronary.calcium_inpainting import predict
from coronary.contract import (
    AcquisitionFacts,
    CalciumFindings,
    DerivedFindings,
    ModelSessions,
    ProgressCallback,
    Refusal,
    SeriesKind,
)
from coronary.ct_volume import CtVolume


class CalciumInpainting:
    """The family as the contract wants it."""

    name = "calcium-inpainting"
    package = "coronary.calcium_inpainting"
    series_kind: SeriesKind = "ccta"
    needs = "ccta-scoring"

    def check_eligibility(self, _facts: AcquisitionFacts, _volume: CtVolume) -> Refusal | None:
        """None: what can be scored can be read; the scoring says itself what it refuses."""
        return None

    def predict(
        self,
        _sessions: ModelSessions,
        volume: CtVolume,
        _facts: AcquisitionFacts,
        on_progress: ProgressCallback,
        basis: CalciumFindings | None = None,
    ) -> DerivedFindings:
        """Remove the calcium of a scored volume and read its segments.

        Raises
        ------
        ValueError
            Without the findings of a scored contrast scan.
        """
        if basis is None:
            raise ValueError(f"{self.name} begins with the findings of {self.needs}")
        return predict.predict(volume, basis, on_progress)
