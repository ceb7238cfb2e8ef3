"""Calcium removed from contrast CT (Yan 2018, "paper 2"): by what the scoring network says it adds, or by inpainting.

"Paper 2" is Yan et al., "Calcium removal from cardiac CT images using deep convolutional neural network", ISBI 2018:
the patches, the four networks, experiment 1. The family's entry is :class:`CalciumInpainting`; it is not in the
registry yet, so no service runs it.
"""

from __future__ import annotations

from coronary.calcium_inpainting import predict
from coronary.contract import CalciumFindings, ContrastFindings, DerivedFindings, ModelSessions, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.deriving_family import DerivingFamily


class CalciumInpainting(DerivingFamily):
    """The family as the contract wants it."""

    name = "calcium-inpainting"
    package = "coronary.calcium_inpainting"

    def derive(
        self,
        _sessions: ModelSessions,
        volume: CtVolume,
        basis: CalciumFindings,
        contrast: ContrastFindings,
        on_progress: ProgressCallback,
    ) -> DerivedFindings:
        """Remove the calcium of a scored volume and read its segments."""
        return predict.predict(volume, basis, contrast, on_progress)
