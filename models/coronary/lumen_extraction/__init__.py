"""Lumen extraction by DL-LEM (Yamazaki 2023, "paper 0"): contrast agent turned off slice by slice, and the difference.

The family's entry is :class:`LumenExtraction`. The generator is the paper's; it is offered in two trainings.
"""

from __future__ import annotations

from typing import Literal

from coronary.contract import CalciumFindings, ContrastFindings, DerivedFindings, ModelSessions, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.deriving_family import DerivingFamily
from coronary.lumen_extraction import predict

#: How the generator was trained: unpaired as in the paper, or ours, against the slice without contrast agent.
Form = Literal["paper", "paired"]


class LumenExtraction(DerivingFamily):
    """The family as the contract wants it."""

    name = "lumen-extraction"
    package = "coronary.lumen_extraction"

    def __init__(self, form: Form = "paired") -> None:
        self.form = form
        self.networks = (form,)

    def derive(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        basis: CalciumFindings,
        contrast: ContrastFindings,
        on_progress: ProgressCallback,
    ) -> DerivedFindings:
        """Turn the contrast agent of a scored volume off and read its segments on the difference."""
        return predict.predict(sessions[self.form], volume, basis, contrast, on_progress)
