"""Whether a score may be set beside published ones: how the acquisition differs from that of the Agatston score.

Reference classes, percentiles and outcomes were measured at 120 kV with ECG gating, contiguous slices of 2.5 to 3 mm,
smooth kernels and filtered back projection (Agatston 1990; Carr 2005, the protocol of MESA). Another tube voltage is
refused (:mod:`coronary.calcium_scan_eligibility`); the rest is decided here.
"""

from __future__ import annotations

from typing import Final

from coronary.contract import AcquisitionFacts, QualityNote
from coronary.ct_volume import CtVolume
from coronary.reasons import NOT_COMPARABLE

#: Slice thickness of the reference, mm.
THICKNESS_MM: Final = (2.5, 3.0)

#: Headers round, mm.
SAME_MM: Final = 0.05

#: Slices are contiguous when their spacing is their thickness within this share of it.
CONTIGUOUS_WITHIN: Final = 0.05


def comparability_notes(facts: AcquisitionFacts, volume: CtVolume) -> tuple[QualityNote, ...]:
    """Note ``NOT_COMPARABLE`` with all in which the acquisition differs from the reference; none if it agrees."""
    reasons = [*_slice_reasons(facts, volume.spacing_zyx_mm[0]), *_reconstruction_reasons(facts)]
    if not facts.is_gated:
        reasons.append("nothing in the headers says that the scan was gated")
    if not reasons:
        return ()
    text = f"Not comparable with reference Agatston scores and percentiles: {'; '.join(reasons)}."
    return (QualityNote(NOT_COMPARABLE, text),)


def _slice_reasons(facts: AcquisitionFacts, spacing_mm: float) -> list[str]:
    thickness = facts.slice_thickness_mm
    if thickness is None:
        return ["no slice thickness is given"]
    reasons = []
    if not THICKNESS_MM[0] - SAME_MM <= thickness <= THICKNESS_MM[1] + SAME_MM:
        reasons.append(f"slices of {thickness:g} mm instead of {THICKNESS_MM[0]:g} to {THICKNESS_MM[1]:g} mm")
    if abs(spacing_mm - thickness) > CONTIGUOUS_WITHIN * thickness:
        how = "overlapping" if spacing_mm < thickness else "with gaps"
        reasons.append(f"slices {how} ({thickness:g} mm thick, every {spacing_mm:.4g} mm)")
    return reasons


def _reconstruction_reasons(facts: AcquisitionFacts) -> list[str]:
    reasons = []
    if facts.is_soft_kernel is None:
        reasons.append("no reconstruction kernel is given")
    elif not facts.is_soft_kernel:
        reasons.append(f"the kernel {facts.convolution_kernel} is not known to be a smooth one")
    if facts.iterative_reconstruction:
        reasons.append(f"iterative reconstruction ({facts.iterative_reconstruction})")
    return reasons
