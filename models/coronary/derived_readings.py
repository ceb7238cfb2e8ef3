"""Diameter stenosis of every segment on a contrast scan and on what was made of it, and where the second is no proof.

Decides what makes a segment unreadable. How a lumen is measured is decided in :mod:`coronary.stenosis`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.contract import CalciumFindings, ContrastFindings
from coronary.coronary_tree import Centerline
from coronary.ct_volume import CtVolume
from coronary.derived_findings import SegmentReading
from coronary.stenosis import (
    CadRads,
    LumenProfile,
    SegmentStenosis,
    cad_rads_category,
    measure_profile,
    segment_stenoses,
)

#: What the scoring notes where calcium may be the wires of a stent.
STENT_NOTE: Final = "STENT_SUSPECTED"

#: From this share of a healthy cross-section covered by calcium, too little lumen was scanned to measure the rest by.
COVERED_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class LumenBounds:
    """The derived volume with as much and with as little lumen as what made it thinks possible."""

    wide: CtVolume
    narrow: CtVolume


def read_segments(
    scan: CtVolume,
    derived: CtVolume,
    basis: CalciumFindings,
    contrast: ContrastFindings,
    bounds: LumenBounds | None = None,
) -> tuple[SegmentReading, ...]:
    """Measure every segment of every artery on the scan, its calcium taken for no lumen, and on the derived volume.

    Parameters
    ----------
    derived, bounds
        On the grid of `scan`, with blood as bright as there.
    basis, contrast
        Findings of the scan, and what of them only a contrast scan has.
    """
    calcium = CtVolume((basis.vessel_labels > 0).astype(np.int16), scan.affine_lps)
    blood_hu = contrast.calibration_factor_hu
    has_stent = any(note.code == STENT_NOTE for note in basis.quality)
    readings: list[SegmentReading] = []
    for line in contrast.tree.centerlines:
        before = segment_stenoses([measure_profile(scan, line, blood_hu, left_out=calcium)])
        profile = measure_profile(derived, line, blood_hu)
        after = segment_stenoses([profile])
        limits = [None] * len(after) if bounds is None else _bounds(bounds, line, blood_hu, profile)
        for original, made, between in zip(before, after, limits, strict=True):
            distrust = _distrust(original, line, between, has_stent=has_stent)
            readings.append(SegmentReading(original, made, distrust, between))
    return tuple(readings)


def _bounds(
    bounds: LumenBounds, line: Centerline, blood_hu: float, expected: LumenProfile
) -> list[tuple[float, float]]:
    """Lowest and highest stenosis of each segment, against the healthy diameters of what is expected."""
    low, high = (
        segment_stenoses([replace(measure_profile(volume, line, blood_hu), healthy_mm=expected.healthy_mm)])
        for volume in (bounds.wide, bounds.narrow)
    )
    return [
        (widest.percent, max(widest.percent, narrowest.percent)) for widest, narrowest in zip(low, high, strict=True)
    ]


def cad_rads_of(readings: Sequence[SegmentReading], *, has_plaque: bool) -> CadRads:
    """CAD-RADS 2.0 category of the readings on the derived volume; distrusted segments count as not read."""
    return cad_rads_category(
        [each.derived for each in readings if each.is_trusted],
        [each.derived.segment for each in readings if not each.is_trusted],
        has_plaque=has_plaque,
    )


def _distrust(
    original: SegmentStenosis, line: Centerline, bounds: tuple[float, float] | None, *, has_stent: bool
) -> str:
    """Why the derived series must not be read in this segment; empty where it may."""
    if original.covered_share >= COVERED_SHARE:
        return f"Calcium covers {100 * original.covered_share:.0f} % of the artery."
    if has_stent and original.covered_share > 0.0:
        return "A stent is suspected; its wires are not calcium."
    if _is_bridged(line, original.segment):
        return "The course of the artery is a guess here."
    return ""


def _is_bridged(line: Centerline, segment: int) -> bool:
    here: NDArray[np.bool_] = line.is_bridged[line.segment == segment]
    return bool(here.any())
