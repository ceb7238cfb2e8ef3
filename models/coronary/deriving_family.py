"""What families that make new CT series of a scored contrast scan have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from coronary.contract import (
    AcquisitionFacts,
    CalciumFindings,
    ContrastFindings,
    DerivedFindings,
    ModelSessions,
    ProgressCallback,
    Refusal,
    SeriesKind,
)
from coronary.ct_volume import CtVolume


class DerivingFamily(ABC):
    """A family that begins with the findings of ccta-scoring; the rest is its names, its networks and ``derive``."""

    name: str
    package: str
    networks: tuple[str, ...]
    series_kind: SeriesKind = "ccta"
    needs = "ccta-scoring"
    second_opinion = None

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
        """Make the series of a scored volume and read its segments.

        Raises
        ------
        ValueError
            Without the findings of a scored contrast scan.
        """
        if basis is None or basis.contrast is None:
            raise ValueError(f"{self.name} begins with the findings of {self.needs} in a contrast scan")
        return self.derive(sessions, volume, basis, basis.contrast, on_progress)

    @abstractmethod
    def derive(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        basis: CalciumFindings,
        contrast: ContrastFindings,
        on_progress: ProgressCallback,
    ) -> DerivedFindings:
        """Make the series; `contrast` is that of `basis`."""
