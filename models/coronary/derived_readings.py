"""Diameter stenosis of every segment on a contrast scan and on what was made of it, and where the second is no proof.

Decides what makes a segment unreadable. How a lumen is measured is decided in :mod:`coronary.stenosis`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.contract import CalciumFindings, ContrastFindings
from coronary.coronary_tree import Centerline, CoronaryTree
from coronary.ct_volume import CtVolume
from coronary.derived_findings import SegmentReading
from coronary.reasons import QualityNote
from coronary.stenosis import (
    SIGNIFICANT_PERCENT,
    CadRads,
    LumenProfile,
    SegmentStenosis,
    cad_rads_category,
    measure_profiles,
    segment_stenoses,
)

#: What the scoring notes where calcium may be the wires of a stent. It does so in nearly every patient with severe
#: calcium, which surrounds a lumen as well: a reason to warn of the series, not to withhold its readings.
STENT_NOTE: Final = "STENT_SUSPECTED"
STENT_UNREADABLE: Final = QualityNote(
    "STENT_UNREADABLE", "Where a stent lies the new series must not be read: its wires are taken for calcium."
)

#: From this share of a healthy cross-section covered by calcium, a reading depends on what was made of the calcium.
COVERED_SHARE: Final = 0.3

#: Trunks that every heart has, and the segment each begins with. A left main can be missing: LAD and LCX then leave the
#: aorta side by side.
FIRST_SEGMENTS: Final[Mapping[str, int]] = {"RCA": 1, "LAD": 6, "LCX": 11}

#: On the calcium-removed series covered segments read with a standard deviation of 17 points about the true stenosis:
#: 15 virtual patients with severe calcium (943002-943055), 78 such segments. Of these 14 had a stenosis of at least
#: SIGNIFICANT_PERCENT; all but one read at least this, percent. Below it such a stenosis is taken for excluded, from it
#: to SIGNIFICANT_PERCENT it is not.
DOUBTFUL_FROM_PERCENT: Final = 42.0

#: Where the left main divides a cross-section holds what both its branches begin with, mm from its end: stenoses of 70
#: and 59 % there read 23 and 34 % even on the calcium-free scan (virtual patients 945035 and 945053).
DIVISION_MM: Final = 4.0

DOUBT_RULE: Final = (
    f"segments with much calcium that read {DOUBTFUL_FROM_PERCENT:g} to {SIGNIFICANT_PERCENT:g} %; a left main with "
    f"much calcium in its last {DIVISION_MM:g} mm; the end of an artery that was followed for less than is usual"
)


def read_segments(
    scan: CtVolume, derived: CtVolume, basis: CalciumFindings, contrast: ContrastFindings
) -> tuple[SegmentReading, ...]:
    """Measure every segment of every artery on the scan, its calcium taken for no lumen, and on the derived volume.

    Parameters
    ----------
    derived
        On the grid of `scan`, with blood as bright as there.
    basis, contrast
        Findings of the scan, and what of them only a contrast scan has.
    """
    calcium = CtVolume((basis.vessel_labels > 0).astype(np.int16), scan.affine_lps)
    blood_hu = contrast.calibration_factor_hu
    lines = contrast.tree.centerlines
    profiles = measure_profiles(scan, lines, blood_hu, left_out=calcium)
    before = segment_stenoses(profiles)
    after = segment_stenoses(measure_profiles(derived, lines, blood_hu))
    unseen = _unseen_stenoses(contrast.tree, {profile.name: profile for profile in profiles})
    by_name = {line.name: line for line in lines}
    return tuple(
        SegmentReading(original, made, _distrust(original, made, by_name[original.artery], unseen))
        for original, made in zip(before, after, strict=True)
    )


def notes_of_series(basis: CalciumFindings) -> tuple[QualityNote, ...]:
    """What a reader of a series made of a scored scan must know: the notes of the score, and what follows from them."""
    has_stent = any(note.code == STENT_NOTE for note in basis.quality)
    return (*((STENT_UNREADABLE,) if has_stent else ()), *basis.quality)


def cad_rads_of(readings: Sequence[SegmentReading], *, has_plaque: bool) -> CadRads:
    """CAD-RADS 2.0 category of the readings on the derived volume.

    Distrusted segments count as not read, and so does a trunk without any reading: what was not found is not healthy.
    """
    found = {each.derived.artery for each in readings}
    missing = [segment for trunk, segment in FIRST_SEGMENTS.items() if trunk not in found]
    return cad_rads_category(
        [each.derived for each in readings if each.is_trusted],
        [*missing, *(each.derived.segment for each in readings if not each.is_trusted)],
        has_plaque=has_plaque,
    )


def _unseen_stenoses(tree: CoronaryTree, profiles: Mapping[str, LumenProfile]) -> dict[tuple[str, int], str]:
    """Segments, by artery and id, in which a stenosis may lie that no cross-section shows, and why."""
    found: dict[tuple[str, int], str] = {}
    for name, length_mm in tree.short_trunks().items():
        end = int(profiles[name].segment[-1])
        found[name, end] = f"The {name} was followed for {length_mm:.0f} mm only; what lies beyond was not read."
    if (left_main := profiles.get("LM")) is not None:
        at_division = left_main.arc_length_mm >= left_main.arc_length_mm[-1] - DIVISION_MM
        if left_main.covered_share[at_division].max() >= COVERED_SHARE:
            reason = "Calcium lies where the left main divides: there a stenosis is not seen in cross-sections."
            found["LM", int(left_main.segment[-1])] = reason
    return found


def _distrust(
    original: SegmentStenosis, made: SegmentStenosis, line: Centerline, unseen: Mapping[tuple[str, int], str]
) -> str:
    """Why the derived series must not be read in this segment; empty where it may."""
    if _is_bridged(line, original.segment):
        return "The course of the artery is a guess here."
    if made.percent >= SIGNIFICANT_PERCENT:
        return ""
    if original.covered_share >= COVERED_SHARE and made.percent >= DOUBTFUL_FROM_PERCENT:
        return "A significant stenosis is not excluded."
    return unseen.get((original.artery, original.segment), "")


def _is_bridged(line: Centerline, segment: int) -> bool:
    here: NDArray[np.bool_] = line.is_bridged[line.segment == segment]
    return bool(here.any())
