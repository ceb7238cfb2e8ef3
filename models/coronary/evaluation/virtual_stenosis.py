"""Stenosis in virtual patients with severe calcium: who is in the study, and how one case is read against its truth.

Every trunk segment that paper 0 reads is read twice: on the contrast scan, calcium taken for no lumen, and on the
calcium-removed series. The truth is the drawn lumen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from coronary.contract import CalciumFindings, DerivedFindings, Family, ModelSessions, Refusal
from coronary.coronary_tree import MAIN_TRUNKS
from coronary.ct_volume import CtVolume
from coronary.evaluation.stenosis_study import STUDY_SEGMENTS, SegmentRecord
from coronary.evaluation.virtual_cohort import CONTRAST_FOV_MM, CONTRAST_KVP, CONTRAST_PIXEL_MM, acquisition_facts
from coronary.virtual_patient import VirtualPatient, draw_acquisition, draw_patient, render
from coronary.virtual_patient.lumen import segment_truth

#: Hydroxyapatite in all coronary arteries from which calcium is severe, mg: an Agatston score of about 400.
SEVERE_MG: Final = 70.0

#: From this share of a cross-section covered by calcium, a segment of the scan counts as unreadable.
UNREADABLE_SHARE: Final = 0.4

#: Name of the series in the tables.
CALCIUM_REMOVED: Final = "calcium-removed"


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


def severe_patients(first_seed: int, n: int) -> Iterator[VirtualPatient]:
    """The first `n` patients from `first_seed` on whose drawn calcium is severe; none carries a stent."""
    found = 0
    for seed in count(first_seed):
        if found == n:
            return
        patient = draw_patient(seed, calcium="present")
        if sum(lesion.mass_mg for lesion in patient.lesions) < SEVERE_MG:
            continue
        if any(distractor.kind == "stent" for distractor in patient.distractors):
            continue
        found += 1
        yield patient


def read_case(
    patient: VirtualPatient, scoring: Family, removal: Family, sessions: tuple[ModelSessions, ModelSessions]
) -> StenosisCase:
    """Render the contrast scan of a patient, score it, remove its calcium, and set all readings beside the truth."""
    acquisition = draw_acquisition(patient.seed, "ccta", kvp=CONTRAST_KVP[patient.seed % len(CONTRAST_KVP)])
    matrix = round(CONTRAST_FOV_MM / CONTRAST_PIXEL_MM)
    scan = render(patient, acquisition, in_plane_fov_mm=CONTRAST_FOV_MM, matrix=matrix)
    volume, facts = CtVolume(scan.voxels_hu, scan.affine_lps), acquisition_facts(acquisition)
    basis = scoring.check_eligibility(facts, volume) or scoring.predict(sessions[0], volume, facts, lambda _: None)
    if isinstance(basis, Refusal):
        return StenosisCase((), (), tuple(_truth(patient)), basis.code)
    assert isinstance(basis, CalciumFindings)
    findings = removal.predict(sessions[1], volume, facts, lambda _: None, basis)
    if isinstance(findings, Refusal):
        return StenosisCase((), (), tuple(_truth(patient)), findings.code)
    assert isinstance(findings, DerivedFindings)
    return compare_case(patient, findings)


def compare_case(patient: VirtualPatient, findings: DerivedFindings) -> StenosisCase:
    """Set the readings of the main trunks beside the truth."""
    truth = _truth(patient)
    readings = {each.original.segment: each for each in findings.readings if each.original.artery in MAIN_TRUNKS}
    records = tuple(
        SegmentRecord(
            case_id=str(patient.seed),
            segment=segment,
            true_percent=truth[segment],
            original_percent=readings[segment].original.percent,
            is_unreadable=readings[segment].original.covered_share >= UNREADABLE_SHARE,
            derived_percent={CALCIUM_REMOVED: readings[segment].derived.percent},
            distrusted=() if readings[segment].is_trusted else (CALCIUM_REMOVED,),
        )
        for segment in truth
        if segment in readings
    )
    return StenosisCase(
        records=records,
        covered_shares=tuple(readings[r.segment].original.covered_share for r in records),
        missing=tuple(segment for segment in truth if segment not in readings),
    )


def _truth(patient: VirtualPatient) -> dict[int, float]:
    """Largest diameter stenosis of each study segment that lies on a main trunk, percent."""
    found: dict[int, float] = {}
    for row in segment_truth(patient.tree, patient.narrowings, patient.lesions):
        if row.branch in MAIN_TRUNKS and row.segment in STUDY_SEGMENTS:
            found[row.segment] = max(found.get(row.segment, 0.0), row.stenosis_percent)
    return {segment: found[segment] for segment in STUDY_SEGMENTS if segment in found}
