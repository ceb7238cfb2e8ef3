"""Calcium removed from contrast CT: by a network that sees it, or by the inpainting of Yan 2018 ("paper 2").

"Paper 2" is Yan et al., "Calcium removal from cardiac CT images using deep convolutional neural network", ISBI 2018:
the patches, the four networks, experiment 1. The family's entry is :class:`CalciumInpainting`; the paper's way is kept
as its method ``hidden``.
"""

from __future__ import annotations

from coronary.calcium_inpainting import predict
from coronary.calcium_inpainting.predict import Method
from coronary.contract import CalciumFindings, ContrastFindings, DerivedFindings, ModelSessions, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.deriving_family import DerivingFamily


class CalciumInpainting(DerivingFamily):
    """The family as the contract wants it."""

    name = "calcium-inpainting"
    package = "coronary.calcium_inpainting"

    def __init__(self, method: Method = "seen") -> None:
        self.method = method
        self.networks = ("removal",) if method == "seen" else ("dense_unet",)

    def derive(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        basis: CalciumFindings,
        contrast: ContrastFindings,
        on_progress: ProgressCallback,
    ) -> DerivedFindings:
        """Remove the calcium of a scored volume and read its segments."""
        return predict.predict(self.method, sessions, volume, basis, contrast, on_progress)
