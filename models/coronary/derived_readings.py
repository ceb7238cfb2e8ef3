"""Diameter stenosis of every segment on a contrast scan and on what was made of it, and where the second is no proof.

Decides what makes a segment unreadable. How a lumen is measured is decided in :mod:`coronary.stenosis`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.contract import CalciumFindings, ContrastFindings
from coronary.coronary_tree import Centerline
from coronary.ct_volume import CtVolume
from coronary.derived_findings import SegmentReading
from coronary.stenosis import CadRads, SegmentStenosis, cad_rads_category, measure_profile, segment_stenoses

#: What the scoring notes where calcium may be the wires of a stent.
STENT_NOTE: Final = "STENT_SUSPECTED"

#: From this share of a healthy cross-section covered by calcium, too little lumen was scanned to measure the rest by.
COVERED_SHARE: Final = 0.5


def read_segments(
    scan: CtVolume,
    derived: CtVolume,
    is_calcified: NDArray[np.bool_],
    basis: CalciumFindings,
    contrast: ContrastFindings,
) -> tuple[SegmentReading, ...]:
    """Measure every segment of every artery on the scan, calcium taken for no lumen, and on the derived volume.

    Parameters
    ----------
    derived
        On the grid of `scan`, with blood as bright as there.
    is_calcified
        Shape of the scan: calcium with its border.
    basis, contrast
        Findings of the scan, and what of them only a contrast scan has.
    """
    calcium = CtVolume(is_calcified.astype(np.int16), scan.affine_lps)
    blood_hu = contrast.calibration_factor_hu
    has_stent = any(note.code == STENT_NOTE for note in basis.quality)
    readings: list[SegmentReading] = []
    for line in contrast.tree.centerlines:
        before = segment_stenoses([measure_profile(scan, line, blood_hu, left_out=calcium)])
        after = segment_stenoses([measure_profile(derived, line, blood_hu)])
        for original, made in zip(before, after, strict=True):
            readings.append(SegmentReading(original, made, _distrust(original, line, has_stent=has_stent)))
    return tuple(readings)


def cad_rads_of(readings: Sequence[SegmentReading], *, has_plaque: bool) -> CadRads:
    """CAD-RADS 2.0 category of the readings on the derived volume; distrusted segments count as not read."""
    return cad_rads_category(
        [each.derived for each in readings if each.is_trusted],
        [each.derived.segment for each in readings if not each.is_trusted],
        has_plaque=has_plaque,
    )


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
