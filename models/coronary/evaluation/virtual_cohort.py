"""A cohort of virtual patients for a scoring family: who is in it, and how one case is run.

A contrast scan is scored against the calcium-scoring CT of the same patient, the other half of the pair.
Half of a cohort has no coronary calcium, and most of those carry something that looks like it. Seeds decide
everything, so anyone can repeat every figure; they must lie outside the seeds of the family's training.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Literal

from coronary.calcium import CalciumScore, score_calcium
from coronary.contract import (
    AcquisitionFacts,
    CalciumFindings,
    DetectionFindings,
    Family,
    Findings,
    ModelSessions,
    Refusal,
)
from coronary.ct_volume import CtVolume
from coronary.evaluation.cohort import PAPER_SCORE, CaseRecord
from coronary.evaluation.detection_study import DetectionRecord
from coronary.evaluation.interval_coverage import (
    HIGHEST_SCORE,
    INTERVAL_HIGH,
    INTERVAL_LOW,
    LOWEST_SCORE,
    NOISE_FREE_SCORE,
)
from coronary.evaluation.mask_overlap import mask_overlap
from coronary.evaluation.tree_agreement import compare_trees
from coronary.reasons import NEEDS_READING
from coronary.second_opinion import with_opinion_on_zero
from coronary.virtual_patient import (
    Acquisition,
    VirtualPatient,
    VirtualScan,
    artery_mask,
    coronary_attenuation_hu,
    draw_acquisition,
    draw_patient,
    render,
)

Variant = Literal["standard", "external"]

#: Of ten consecutive members without calcium this many carry a distractor.
ZERO_CALCIUM_WITH_DISTRACTORS_OF_TEN = 8

#: Contrast scans of a cohort take these tube voltages in turn, within those with and those without calcium, kVp.
CONTRAST_KVP = (80, 90, 100, 120)

#: Contrast scans of a cohort are rendered with this field and pixel, mm. Acquisitions have 0.36 to 0.44 mm; two thirds
#: of the voxels take two thirds of the time.
CONTRAST_FOV_MM = 192.0
CONTRAST_PIXEL_MM = 0.5


@dataclass(frozen=True, slots=True)
class CohortMember:
    """One virtual patient of a cohort."""

    seed: int
    variant: Variant
    calcium: Literal["none", "present"]
    distractors: bool | None
    kvp: int

    @property
    def case_id(self) -> str:
        """Name of the case in logs and reports."""
        return f"{self.variant}-{self.seed}"


def cohort(first_seed: int, last_seed: int, variant: Variant) -> tuple[CohortMember, ...]:
    """Members with consecutive seeds: odd positions with coronary calcium, even ones without."""
    members = []
    for position, seed in enumerate(range(first_seed, last_seed + 1)):
        kvp = CONTRAST_KVP[position // 2 % len(CONTRAST_KVP)]
        if position % 2:
            members.append(CohortMember(seed, variant, "present", None, kvp))
        else:
            has_distractors = (position // 2) % 10 < ZERO_CALCIUM_WITH_DISTRACTORS_OF_TEN
            members.append(CohortMember(seed, variant, "none", has_distractors, kvp))
    return tuple(members)


def acquisition_facts(acquisition: Acquisition) -> AcquisitionFacts:
    """What the headers of this virtual acquisition would say."""
    return AcquisitionFacts(
        convolution_kernel=acquisition.kernel,
        is_soft_kernel=True,
        kvp=float(acquisition.kvp),
        slice_thickness_mm=acquisition.slice_thickness_mm,
        is_gated=True,
    )


def run_case(
    member: CohortMember,
    family: Family,
    sessions: ModelSessions,
    detector: tuple[Family, ModelSessions] | None = None,
) -> CaseRecord:
    """Render one member, run `family` on it and set the score beside the truth; `detector` is asked about a zero."""
    patient = _patient(member)
    calcium_scan = _calcium_scan(member, patient, with_noise_free=family.series_kind == "csct")
    volume, truth = _volume_and_truth(calcium_scan)
    if family.series_kind == "ccta":
        return _run_contrast_scan(member, patient, truth, family, sessions)
    acquisition = calcium_scan.acquisition
    findings, refusal = _run(family, sessions, volume, acquisition)
    if detector is not None and findings is not None:
        findings = with_opinion_on_zero(findings, partial(_detected, *detector, volume, acquisition))
    record = _record(member, patient, acquisition, truth, findings, refusal)
    return record if findings is None else dataclasses.replace(record, measures=_doubt(calcium_scan, findings))


def run_detection(member: CohortMember, family: Family, sessions: ModelSessions) -> DetectionRecord:
    """Render one member, look for calcium in it and set the answer beside the truth."""
    patient = _patient(member)
    scan = _calcium_scan(member, patient)
    volume, truth = _volume_and_truth(scan)
    found = _detected(family, sessions, volume, scan.acquisition)
    record = DetectionRecord(
        case_id=member.case_id,
        true_agatston=truth.agatston.total,
        probability=None,
        presence=None,
        covariates={**_covariates(member, patient), **_protocol(scan.acquisition)},
    )
    if isinstance(found, Refusal):
        return dataclasses.replace(record, refusal=found.code)
    return dataclasses.replace(record, probability=found.probability, presence=found.presence)


def _patient(member: CohortMember) -> VirtualPatient:
    return draw_patient(member.seed, variant=member.variant, calcium=member.calcium, distractors=member.distractors)


def _calcium_scan(member: CohortMember, patient: VirtualPatient, *, with_noise_free: bool = False) -> VirtualScan:
    acquisition = draw_acquisition(member.seed, "csct", variant=member.variant)
    return render(patient, acquisition, with_noise_free=with_noise_free)


def _volume_and_truth(scan: VirtualScan) -> tuple[CtVolume, CalciumScore]:
    """The calcium-scoring CT, and the score of its voxel truth."""
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    return volume, score_calcium(scan.voxels_hu, scan.vessel_labels, volume.spacing_zyx_mm, volume.affine_lps)


def _doubt(scan: VirtualScan, findings: CalciumFindings) -> dict[str, float]:
    """The score of the scan without its noise, and how sure the result is of it."""
    assert scan.noise_free_hu is not None
    assert scan.noise_free_labels is not None
    if findings.around is None or findings.interval is None:
        return {}
    exact = score_calcium(scan.noise_free_hu, scan.noise_free_labels, scan.spacing_zyx_mm, scan.affine_lps)
    return {
        NOISE_FREE_SCORE: exact.agatston.total,
        LOWEST_SCORE: findings.around.lowest,
        HIGHEST_SCORE: findings.around.highest,
        INTERVAL_LOW: findings.interval.low,
        INTERVAL_HIGH: findings.interval.high,
    }


def _run_contrast_scan(
    member: CohortMember, patient: VirtualPatient, truth: CalciumScore, family: Family, sessions: ModelSessions
) -> CaseRecord:
    """The other half of a pair: the contrast scan of the same patient, and how its tree and aorta were found."""
    acquisition = draw_acquisition(member.seed, "ccta", kvp=member.kvp, variant=member.variant)
    scan = render(
        patient,
        acquisition,
        in_plane_fov_mm=CONTRAST_FOV_MM,
        matrix=round(CONTRAST_FOV_MM / CONTRAST_PIXEL_MM),
    )
    findings, refusal = _run(family, sessions, CtVolume(scan.voxels_hu, scan.affine_lps), acquisition)
    return dataclasses.replace(
        _record(member, patient, acquisition, truth, findings, refusal),
        true_volume_mm3=truth.volume_mm3,
        predicted_volume_mm3=findings.score.volume_mm3 if findings else None,
        measures=_measures(scan, findings) if findings else {},
    )


def _measures(scan: VirtualScan, findings: CalciumFindings) -> dict[str, float]:
    """How tree, aorta and calibration factor were found, against the truth of the scan; the score of the paper."""
    contrast = findings.contrast
    assert scan.aorta_mask is not None
    assert contrast is not None
    assert findings.score.agatston_paper is not None
    overlaps = {
        "tree": mask_overlap(artery_mask(scan), contrast.tree.vessel_label_map()),
        "aorta": mask_overlap(scan.aorta_mask, contrast.aorta_mask),
    }
    return {
        **compare_trees(scan, contrast.tree).as_dict(),
        **{f"{name}_dice": each.dice or 0.0 for name, each in overlaps.items()},
        "calibration_factor_hu": contrast.calibration_factor_hu,
        "true_calibration_factor_hu": coronary_attenuation_hu(scan),
        "aorta_mean_hu": contrast.aorta_mean_hu,
        PAPER_SCORE: findings.score.agatston_paper.total,
    }


def _record(
    member: CohortMember,
    patient: VirtualPatient,
    acquisition: Acquisition,
    truth: CalciumScore,
    findings: CalciumFindings | None,
    refusal: str,
) -> CaseRecord:
    return CaseRecord(
        case_id=member.case_id,
        true=truth.agatston,
        predicted=findings.score.agatston if findings else None,
        refusal=refusal,
        is_flagged=_is_flagged(findings),
        notes=tuple(note.code for note in findings.quality) if findings else (),
        covariates={**_covariates(member, patient), **_protocol(acquisition)},
    )


def _run(
    family: Family, sessions: ModelSessions, volume: CtVolume, acquisition: Acquisition
) -> tuple[CalciumFindings | None, str]:
    """Findings, or None and the code of the refusal."""
    outcome = _outcome(family, sessions, volume, acquisition)
    assert isinstance(outcome, CalciumFindings | Refusal), "a cohort is run for a scoring family"
    return (None, outcome.code) if isinstance(outcome, Refusal) else (outcome, "")


def _detected(
    family: Family, sessions: ModelSessions, volume: CtVolume, acquisition: Acquisition
) -> DetectionFindings | Refusal:
    outcome = _outcome(family, sessions, volume, acquisition)
    assert isinstance(outcome, DetectionFindings | Refusal), "calcium is looked for by a detection"
    return outcome


def _outcome(family: Family, sessions: ModelSessions, volume: CtVolume, acquisition: Acquisition) -> Findings | Refusal:
    facts = acquisition_facts(acquisition)
    return family.check_eligibility(facts, volume) or family.predict(sessions, volume, facts, lambda _: None)


def _is_flagged(findings: CalciumFindings | None) -> bool:
    return findings is not None and any(note.code in NEEDS_READING for note in findings.quality)


def _covariates(member: CohortMember, patient: VirtualPatient) -> dict[str, str | float | bool]:
    return {
        "calcium": member.calcium,
        "distractors": ", ".join(sorted({distractor.kind for distractor in patient.distractors})),
    }


def _protocol(acquisition: Acquisition) -> dict[str, str | float | bool]:
    return {
        "kvp": acquisition.kvp,
        "noise_hu": acquisition.noise_sd_hu,
        "slice_thickness_mm": acquisition.slice_thickness_mm,
        "kernel": acquisition.kernel,
    }
