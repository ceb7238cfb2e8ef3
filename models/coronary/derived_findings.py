"""What a family that makes new CT series of a contrast scan hands out: the series, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coronary.coronary_tree import CoronaryTree
from coronary.reasons import QualityNote
from coronary.stenosis import CadRads, SegmentStenosis

#: What a derived series shows.
DerivedContent = Literal["calcium-removed", "non-contrast", "lumen"]


@dataclass(frozen=True, slots=True, eq=False)
class DerivedVolume:
    """One derived series.

    Parameters
    ----------
    voxels_hu
        Shape of the source volume, HU.
    is_altered
        Shape of the source volume: every other voxel is that of the source. None: all of them were computed.
    """

    content: DerivedContent
    voxels_hu: NDArray[np.int16]
    is_altered: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class SegmentReading:
    """Diameter stenosis of one segment of one artery, on the source and on the derived series.

    Parameters
    ----------
    original
        Calcium taken for no lumen, as a reader would who trusts only what is scanned.
    derived
        On the derived series.
    distrust
        Why the derived series must not be read here, one sentence; empty where it may.
    """

    original: SegmentStenosis
    derived: SegmentStenosis
    distrust: str = ""

    def __post_init__(self) -> None:
        if (self.original.artery, self.original.segment) != (self.derived.artery, self.derived.segment):
            raise ValueError(f"readings of two segments: {self.original}, {self.derived}")

    @property
    def is_trusted(self) -> bool:
        """Whether the derived series may be read here."""
        return not self.distrust


@dataclass(frozen=True, slots=True, eq=False)
class DerivedFindings:
    """What was made of one contrast scan.

    Parameters
    ----------
    volumes
        The derived series; the first is the one that is read. None where there was nothing to change.
    readings
        Of every segment that could be measured.
    cad_rads
        CAD-RADS 2.0 category of the readings on the derived series; distrusted segments count as not read.
    tree
        The coronary arteries along which it was measured.
    quality, parameters
        As in :class:`coronary.contract.CalciumFindings`.
    """

    volumes: tuple[DerivedVolume, ...]
    readings: tuple[SegmentReading, ...]
    cad_rads: CadRads
    tree: CoronaryTree
    quality: tuple[QualityNote, ...]
    parameters: Mapping[str, str]
