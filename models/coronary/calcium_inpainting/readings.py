"""Diameter stenosis of every segment before and after calcium was removed, and where the second must not be trusted.

Decides what makes a segment unreadable. How a lumen is measured is decided in :mod:`coronary.stenosis`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium_inpainting.removal import CalciumRemoved
from coronary.coronary_tree import Centerline, CoronaryTree
from coronary.ct_volume import CtVolume
from coronary.derived_findings import SegmentReading
from coronary.stenosis import SegmentStenosis, measure_profile, segment_stenoses

#: From this share of a healthy cross-section covered by calcium, too little lumen was scanned to measure the rest by.
COVERED_SHARE: Final = 0.5


def read_segments(
    volume: CtVolume, removed: CalciumRemoved, tree: CoronaryTree, blood_hu: float, *, has_stent: bool
) -> tuple[SegmentReading, ...]:
    """Measure every segment of every artery on the scan, calcium taken for no lumen, and on the scan without calcium.

    Parameters
    ----------
    blood_hu
        Attenuation of the coronary lumen (the calibration factor).
    has_stent
        Whether what was taken for calcium may be the wires of a stent.
    """
    altered = CtVolume(removed.is_altered.astype(np.int16), volume.affine_lps)
    readings: list[SegmentReading] = []
    for line in tree.centerlines:
        before = segment_stenoses([measure_profile(volume, line, blood_hu, left_out=altered)])
        after = segment_stenoses([measure_profile(removed.volume, line, blood_hu)])
        for original, derived in zip(before, after, strict=True):
            readings.append(SegmentReading(original, derived, _distrust(original, line, has_stent=has_stent)))
    return tuple(readings)


def _distrust(original: SegmentStenosis, line: Centerline, *, has_stent: bool) -> str:
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
