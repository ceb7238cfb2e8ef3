"""Which calcium-scoring CTs are scored and looked at: acquisitions on which an Agatston score has its meaning."""

from __future__ import annotations

from coronary.contract import AcquisitionFacts, Refusal
from coronary.ct_volume import CtVolume

#: The 130 HU threshold is defined at this tube voltage (Agatston 1990; McCollough 2007).
REFERENCE_KVP = 120.0

#: Thickest slice on which calcium at the threshold is still seen, mm.
MAXIMUM_THICKNESS_MM = 3.0

#: Room for headers that round, in mm and kV.
THICKNESS_TOLERANCE_MM = 0.1
KVP_TOLERANCE = 1.0

#: In-plane spacing above which a 1 mm² lesion is less than one pixel, mm.
MAXIMUM_PIXEL_MM = 1.0


def check_eligibility(facts: AcquisitionFacts, volume: CtVolume) -> Refusal | None:
    """Say why `volume` must not be analysed, or None.

    Refused: tube voltage other than 120 kV, slices thicker than 3 mm, pixels larger than 1 mm. A header without
    tube voltage is refused too: 130 HU means another amount of calcium at another voltage.
    """
    spacing, row, column = volume.spacing_zyx_mm
    thickness = facts.slice_thickness_mm if facts.slice_thickness_mm is not None else spacing
    if facts.kvp is None:
        return Refusal("KVP_UNKNOWN", "KVP (0018,0060) is missing; the 130 HU threshold is defined at 120 kV.")
    if abs(facts.kvp - REFERENCE_KVP) > KVP_TOLERANCE:
        return Refusal(
            "KVP_NOT_120",
            f"Tube voltage {facts.kvp:g} kV; the Agatston threshold of 130 HU is defined at 120 kV.",
            {"kvp": facts.kvp},
        )
    if max(thickness, spacing) > MAXIMUM_THICKNESS_MM + THICKNESS_TOLERANCE_MM:
        return Refusal(
            "SLICES_TOO_THICK",
            f"Slice thickness {thickness:g} mm, spacing {spacing:g} mm; at most {MAXIMUM_THICKNESS_MM:g} mm is scored.",
            {"slice_thickness_mm": thickness, "spacing_mm": spacing},
        )
    if max(row, column) > MAXIMUM_PIXEL_MM:
        return Refusal(
            "PIXELS_TOO_LARGE",
            f"Pixel spacing {max(row, column):g} mm; at most {MAXIMUM_PIXEL_MM:g} mm is scored.",
            {"pixel_spacing_mm": max(row, column)},
        )
    return None
