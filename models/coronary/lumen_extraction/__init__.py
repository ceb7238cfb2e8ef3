"""Lumen extraction by DL-LEM (Yamazaki 2023, "paper 0"): contrast agent turned off slice by slice, and the difference.

The family's entry is :class:`LumenExtraction`; it is not in the registry yet and has no weights, so no service runs it.
"""

from __future__ import annotations

from coronary.contract import CalciumFindings, ContrastFindings, DerivedFindings, ModelSessions, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.deriving_family import DerivingFamily
from coronary.lumen_extraction import predict


class LumenExtraction(DerivingFamily):
    """The family as the contract wants it."""

    name = "lumen-extraction"
    package = "coronary.lumen_extraction"

    def derive(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        basis: CalciumFindings,
        contrast: ContrastFindings,
        on_progress: ProgressCallback,
    ) -> DerivedFindings:
        """Turn the contrast agent of a scored volume off and read its segments on the difference."""
        return predict.predict(sessions["non_contrast"], volume, basis, contrast, on_progress)
