"""Stenosis in virtual patients with severe calcium: who is in the study, and how one case is read against its truth.

Every trunk segment that paper 0 reads is read on the contrast scan, calcium taken for no lumen, and on every series
made of it. The truth is the drawn lumen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from coronary.contract import AcquisitionFacts, CalciumFindings, DerivedFindings, Family, ModelSessions, Refusal
from coronary.coronary_tree import MAIN_TRUNKS
from coronary.ct_volume import CtVolume
from coronary.derived_findings import SegmentReading
from coronary.derived_readings import read_segments
from coronary.evaluation.stenosis_study import STUDY_SEGMENTS, SegmentRecord
from coronary.evaluation.virtual_cohort import CONTRAST_FOV_MM, CONTRAST_KVP, CONTRAST_PIXEL_MM, acquisition_facts
from coronary.stenosis import SIGNIFICANT_PERCENT, SegmentStenosis
from coronary.virtual_patient import VirtualPatient, draw_acquisition, draw_patient, render
from coronary.virtual_patient.lumen import segment_truth

#: Hydroxyapatite in all coronary arteries from which calcium is severe, mg: an Agatston score of about 400.
SEVERE_MG: Final = 70.0

#: A segment of the scan counts as unreadable where calcium covers at least this share of a cross-section and it reads
#: significant when calcium is taken for no lumen: what the calcium hides decides. Of the segments of 15 development
#: patients that is 29 %; in paper 0 readers could not evaluate 26 %.
UNREADABLE_SHARE: Final = 0.3

#: Name of the series that a removal without any error would make: the scan of the patient without calcium.
CALCIUM_FREE: Final = "calcium-free scan"

#: What makes a series of a scored scan, and its networks; by the name of the series in the tables.
Derivers = Mapping[str, tuple[Family, ModelSessions]]


@dataclass(frozen=True, slots=True)
class StenosisCase:
    """What was read in one patient.

    Parameters
    ----------
    records
        One per segment of ``STUDY_SEGMENTS`` that the patient has and that was found.
    covered_shares
        For each of them, the largest share of a cross-section that calcium covers: what limits are chosen by.
    missing
        Segments the patient has and that could not be measured.
    refusal
        Code; empty when the case was read.
    """

    records: tuple[SegmentRecord, ...]
    covered_shares: tuple[float, ...]
    missing: tuple[int, ...]
    refusal: str = ""


def is_severe(seed: int) -> bool:
    """Whether the patient of this seed is in the study: severe drawn calcium, and no stent."""
    patient = draw_patient(seed, calcium="present")
    if any(distractor.kind == "stent" for distractor in patient.distractors):
        return False
    return sum(lesion.mass_mg for lesion in patient.lesions) >= SEVERE_MG


@dataclass(frozen=True, slots=True, eq=False)
class ScoredScan:
    """The contrast scan of one patient, and what the scoring found in it or why it refused.

    ``calcium_free`` is the same scan, noise included, of the patient without calcium.
    """

    volume: CtVolume
    calcium_free: CtVolume
    facts: AcquisitionFacts
    basis: CalciumFindings | Refusal


def score_scan(patient: VirtualPatient, scoring: Family, sessions: ModelSessions) -> ScoredScan:
    """Render the contrast scan of a patient and score it; most of the time of a case."""
    acquisition = draw_acquisition(patient.seed, "ccta", kvp=CONTRAST_KVP[patient.seed % len(CONTRAST_KVP)])
    matrix = round(CONTRAST_FOV_MM / CONTRAST_PIXEL_MM)
    scan = render(patient, acquisition, in_plane_fov_mm=CONTRAST_FOV_MM, matrix=matrix, with_twin=True)
    assert scan.calcium_free_hu is not None
    volume, facts = CtVolume(scan.voxels_hu, scan.affine_lps), acquisition_facts(acquisition)
    basis = scoring.check_eligibility(facts, volume) or scoring.predict(sessions, volume, facts, lambda _: None)
    assert isinstance(basis, CalciumFindings | Refusal), "the readings begin with a score"
    return ScoredScan(volume, CtVolume(scan.calcium_free_hu, scan.affine_lps), facts, basis)


def read_case(patient: VirtualPatient, scan: ScoredScan, derivers: Derivers) -> StenosisCase:
    """Make each series of a scored scan and set all readings beside the truth, first those of CALCIUM_FREE."""
    basis = scan.basis
    if isinstance(basis, Refusal):
        return StenosisCase((), (), tuple(_truth(patient)), basis.code)
    assert basis.contrast is not None, "a contrast scan was scored"
    readings: dict[str, Sequence[SegmentReading]] = {
        CALCIUM_FREE: read_segments(scan.volume, scan.calcium_free, basis, basis.contrast)
    }
    for series, (family, networks) in derivers.items():
        findings = family.predict(networks, scan.volume, scan.facts, lambda _: None, basis)
        if isinstance(findings, Refusal):
            return StenosisCase((), (), tuple(_truth(patient)), findings.code)
        assert isinstance(findings, DerivedFindings)
        readings[series] = findings.readings
    return compare_case(patient, readings)


def compare_case(patient: VirtualPatient, readings: Mapping[str, Sequence[SegmentReading]]) -> StenosisCase:
    """Set the readings of the main trunks, by the name of the series, beside the truth.

    All series are read in the same segments; the scan itself was read with each of them, the same every time.
    """
    truth = _truth(patient)
    by_segment = {
        series: {each.original.segment: each for each in found if each.original.artery in MAIN_TRUNKS}
        for series, found in readings.items()
    }
    originals = {segment: each.original for segment, each in next(iter(by_segment.values())).items()}
    records = tuple(
        SegmentRecord(
            case_id=str(patient.seed),
            segment=segment,
            true_percent=truth[segment],
            original_percent=originals[segment].percent,
            is_unreadable=_is_unreadable(originals[segment]),
            derived_percent={series: found[segment].derived.percent for series, found in by_segment.items()},
            distrusted=tuple(series for series, found in by_segment.items() if not found[segment].is_trusted),
        )
        for segment in truth
        if segment in originals
    )
    return StenosisCase(
        records=records,
        covered_shares=tuple(originals[record.segment].covered_share for record in records),
        missing=tuple(segment for segment in truth if segment not in originals),
    )


def _is_unreadable(original: SegmentStenosis) -> bool:
    return original.covered_share >= UNREADABLE_SHARE and original.percent >= SIGNIFICANT_PERCENT


def _truth(patient: VirtualPatient) -> dict[int, float]:
    """Largest diameter stenosis of each study segment that lies on a main trunk, percent."""
    found: dict[int, float] = {}
    for row in segment_truth(patient.tree, patient.narrowings, patient.lesions):
        if row.branch in MAIN_TRUNKS and row.segment in STUDY_SEGMENTS:
            found[row.segment] = max(found.get(row.segment, 0.0), row.stenosis_percent)
    return {segment: found[segment] for segment in STUDY_SEGMENTS if segment in found}
