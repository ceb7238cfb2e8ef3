"""Which volumes the CCTA scoring family accepts, judged before a network runs."""

from __future__ import annotations

from coronary.ccta_scoring.calibration import TUBE_VOLTAGES_KVP
from coronary.ccta_scoring.scan_quality import ScanAssessment, check_slices, check_steps
from coronary.contract import AcquisitionFacts, QualityNote, Refusal
from coronary.ct_volume import CtVolume

#: Tube voltages the family was measured at, kVp (paper 1, table 1).
MEASURED_KVP = (80.0, 90.0, 100.0, 120.0)

#: Room for headers that round.
KVP_TOLERANCE = 1.0


def check_eligibility(facts: AcquisitionFacts, volume: CtVolume) -> Refusal | None:
    """Say why `volume` must not be scored, or None.

    Refused: unknown tube voltage or one outside the table of calcium attenuation, slices too far apart or with gaps,
    slabs that do not fit together.
    """
    low, high = TUBE_VOLTAGES_KVP[0], TUBE_VOLTAGES_KVP[-1]
    if facts.kvp is None:
        return Refusal("KVP_UNKNOWN", "KVP (0018,0060) is missing; the attenuation of calcium depends on it.")
    if not low <= facts.kvp <= high:
        text = f"Tube voltage {facts.kvp:g} kV; contrast scans are scored from {low:g} to {high:g} kV."
        return Refusal("KVP_OUT_OF_RANGE", text, {"kvp": facts.kvp})
    return ScanAssessment.of(check_slices(volume, facts.slice_thickness_mm), check_steps(volume)).refusal


def acquisition_notes(facts: AcquisitionFacts, volume: CtVolume) -> tuple[QualityNote, ...]:
    """What a reader must know about the acquisition of an eligible volume."""
    notes = ScanAssessment.of(check_slices(volume, facts.slice_thickness_mm), check_steps(volume)).notes
    if facts.kvp is not None and min(abs(facts.kvp - kvp) for kvp in MEASURED_KVP) > KVP_TOLERANCE:
        text = (
            f"Tube voltage {facts.kvp:g} kV; the scoring was measured at {', '.join(f'{k:g}' for k in MEASURED_KVP)}."
        )
        notes = (QualityNote("NON_STANDARD_KVP", text), *notes)
    return notes
