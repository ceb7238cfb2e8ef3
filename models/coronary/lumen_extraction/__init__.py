"""Lumen extraction by DL-LEM (Yamazaki 2023, "paper 0"): contrast agent turned off slice by slice, and the difference.

The family's entry is :class:`LumenExtraction`; it is not in the registry yet and has no weights, so no service runs it.
"""

from __future__ import annotations

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
from coronary.lumen_extraction import predict


class LumenExtraction:
    """The family as the contract wants it."""

    name = "lumen-extraction"
    package = "coronary.lumen_extraction"
    series_kind: SeriesKind = "ccta"
    needs = "ccta-scoring"

    def check_eligibility(self, _facts: AcquisitionFacts, _volume: CtVolume) -> Refusal | None:
        """None: what can be scored can be read; the scoring says itself what it refuses."""
        return None

    def predict(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        _facts: AcquisitionFacts,
        on_progress: ProgressCallback,
        basis: CalciumFindings | None = None,
    ) -> DerivedFindings:
        """Turn the contrast agent of a scored volume off and read its segments on the difference.

        Raises
        ------
        ValueError
            Without the findings of a scored contrast scan.
        """
        if basis is None:
            raise ValueError(f"{self.name} begins with the findings of {self.needs}")
        return predict.predict(sessions["non_contrast"], volume, basis, on_progress)
