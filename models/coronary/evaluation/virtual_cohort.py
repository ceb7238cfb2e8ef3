"""A cohort of virtual patients for a scoring family: who is in it, and how one case is run.

Half of a cohort has no coronary calcium, and most of those carry something that looks like it. Seeds decide
everything, so anyone can repeat every figure; they must lie outside the seeds of the family's training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from coronary.calcium import score_calcium
from coronary.contract import AcquisitionFacts, Family, ModelSessions, Refusal
from coronary.ct_volume import CtVolume
from coronary.evaluation.cohort import CaseRecord
from coronary.virtual_patient import Acquisition, draw_acquisition, draw_patient, render

Variant = Literal["standard", "external"]

#: Of ten consecutive members without calcium this many carry a distractor.
ZERO_CALCIUM_WITH_DISTRACTORS_OF_TEN = 8

#: Notes that hand a result to a reader instead of standing on their own.
NEEDS_READING = frozenset({"ZERO_UNCERTAIN"})


@dataclass(frozen=True, slots=True)
class CohortMember:
    """One virtual patient of a cohort."""

    seed: int
    variant: Variant
    calcium: Literal["none", "present"]
    distractors: bool | None

    @property
    def case_id(self) -> str:
        """Name of the case in logs and reports."""
        return f"{self.variant}-{self.seed}"


def cohort(first_seed: int, last_seed: int, variant: Variant) -> tuple[CohortMember, ...]:
    """Members with consecutive seeds: odd positions with coronary calcium, even ones without."""
    members = []
    for position, seed in enumerate(range(first_seed, last_seed + 1)):
        if position % 2:
            members.append(CohortMember(seed, variant, "present", None))
        else:
            has_distractors = (position // 2) % 10 < ZERO_CALCIUM_WITH_DISTRACTORS_OF_TEN
            members.append(CohortMember(seed, variant, "none", has_distractors))
    return tuple(members)


def acquisition_facts(acquisition: Acquisition) -> AcquisitionFacts:
    """What the headers of this virtual acquisition would say."""
    return AcquisitionFacts(
        convolution_kernel=acquisition.kernel,
        kvp=float(acquisition.kvp),
        slice_thickness_mm=acquisition.slice_thickness_mm,
        is_gated=True,
    )


def run_case(member: CohortMember, family: Family, sessions: ModelSessions) -> CaseRecord:
    """Render one member's calcium-scoring CT, run `family` on it and set the score beside the truth."""
    patient = draw_patient(member.seed, variant=member.variant, calcium=member.calcium, distractors=member.distractors)
    acquisition = draw_acquisition(member.seed, "csct", variant=member.variant)
    scan = render(patient, acquisition)
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    truth = score_calcium(scan.voxels_hu, scan.vessel_labels, volume.spacing_zyx_mm, volume.affine_lps)
    facts = acquisition_facts(acquisition)
    outcome = family.check_eligibility(facts, volume) or family.predict(sessions, volume, facts, lambda _: None)
    findings, refusal = (None, outcome) if isinstance(outcome, Refusal) else (outcome, None)
    return CaseRecord(
        case_id=member.case_id,
        true=truth.agatston,
        predicted=findings.score.agatston if findings else None,
        refusal=refusal.code if refusal else "",
        is_flagged=findings is not None and any(note.code in NEEDS_READING for note in findings.quality),
        covariates={
            "calcium": member.calcium,
            "distractors": ", ".join(sorted({distractor.kind for distractor in patient.distractors})),
            "noise_hu": acquisition.noise_sd_hu,
            "slice_thickness_mm": acquisition.slice_thickness_mm,
            "kernel": acquisition.kernel,
        },
    )
