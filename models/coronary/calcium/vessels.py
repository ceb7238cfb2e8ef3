"""The four vessels a calcium score is reported for, and one number per vessel.

Decides the label values used in arrays and segments and the order in which vessels are listed. Says nothing about how
a voxel gets its label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Vessel(IntEnum):
    """Coronary vessel; the value is the voxel label and the SEG segment number. 0 is "no vessel"."""

    LM = 1
    LAD = 2
    LCX = 3
    RCA = 4


@dataclass(frozen=True, slots=True)
class VesselValues:
    """One quantity for the whole coronary tree and for each vessel, all in the same unit.

    ``total`` is computed on its own from whole counts, not by adding the four rounded vessel values; the two agree to
    the last bits of a float.
    """

    total: float
    LM: float
    LAD: float
    LCX: float
    RCA: float

    @classmethod
    def from_vessels(cls, by_vessel: Mapping[Vessel, float], total: float) -> VesselValues:
        """Build from a value per vessel; a vessel that is not named has the value 0."""
        return cls(total=total, **{vessel.name: by_vessel.get(vessel, 0.0) for vessel in Vessel})

    def of(self, vessel: Vessel) -> float:
        """Value of one vessel."""
        return float(getattr(self, vessel.name))

    def as_dict(self) -> dict[str, float]:
        """Keys ``total, LM, LAD, LCX, RCA`` in this order."""
        return {"total": self.total, **{vessel.name: self.of(vessel) for vessel in Vessel}}
