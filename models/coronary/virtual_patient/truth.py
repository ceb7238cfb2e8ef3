"""Decides what is written down about a virtual scan: geometry and content as JSON-able values, in scan LPS mm.

Scores are not here: they follow from voxels and labels, and ``coronary.calcium`` alone computes them.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.calcium import Lesion
from coronary.virtual_patient.lumen import free_lumen_radius_mm, segment_truth
from coronary.virtual_patient.patient import VirtualPatient

# Every fourth centreline point (3 mm) is enough to draw a vessel and keeps the record small.
_CENTRELINE_STRIDE = 4


def to_truth(patient: VirtualPatient, acquisition: Acquisition) -> dict[str, Any]:
    """Return the truth of one scan: who, how, and every lesion, segment, centreline and distractor.

    Positions are scan LPS mm unless the key says ``patient``; lengths mm, volumes mm³, masses mg, stenoses percent.
    """
    return {
        "generator_version": patient.generator_version,
        "seed": patient.seed,
        "variant": patient.variant,
        "female": patient.female,
        "age_years": round(patient.age_years, 1),
        "dominance": patient.tree.dominance,
        "acquisition": _acquisition(acquisition),
        "ha_mass_mg": _by_vessel(patient.lesions, "mass_mg"),
        "ha_volume_mm3": _by_vessel(patient.lesions, "volume_mm3"),
        "lesions": [_lesion(lesion, acquisition) for lesion in patient.lesions],
        "narrowings": [asdict(n) for n in patient.narrowings],
        "segments": [asdict(s) for s in segment_truth(patient.tree, patient.narrowings, patient.lesions)],
        "centrelines": _centrelines(patient, acquisition),
        "distractors": [
            {"kind": d.kind, "centre_lps_mm": _place(acquisition.to_scan(d.centre_lps_mm))} for d in patient.distractors
        ],
    }


def _acquisition(acquisition: Acquisition) -> dict[str, Any]:
    record = asdict(acquisition)
    record["rotation"] = acquisition.rotation.tolist()
    record["shift_mm"] = _place(acquisition.shift_mm)
    record["displacement_mm"] = {vessel: _place(d) for vessel, d in acquisition.displacement_mm.items()}
    return record


def _by_vessel(lesions: Sequence[Lesion], quantity: str) -> dict[str, float]:
    totals = dict.fromkeys(("total", "LM", "LAD", "LCX", "RCA"), 0.0)
    for lesion in lesions:
        for key in ("total", lesion.vessel):
            totals[key] += float(getattr(lesion, quantity))
    return {vessel: round(value, 4) for vessel, value in totals.items()}


def _lesion(lesion: Lesion, acquisition: Acquisition) -> dict[str, Any]:
    return {
        "vessel": lesion.vessel,
        "branch": lesion.branch,
        "segment": lesion.segment,
        "volume_mm3": round(lesion.volume_mm3, 4),
        "mass_mg": round(lesion.mass_mg, 4),
        "centre_lps_mm": _place(acquisition.to_scan(lesion.centre_lps_mm)),
        "centre_patient_lps_mm": _place(lesion.centre_lps_mm),
        "start_mm": round(lesion.start_mm, 2),
        "end_mm": round(lesion.end_mm, 2),
        "theta_rad": round(lesion.theta_rad, 3),
        "largest_concentration_mg_cm3": round(float(lesion.deposit.concentration.max()), 1),
    }


def _centrelines(patient: VirtualPatient, acquisition: Acquisition) -> list[dict[str, Any]]:
    lines = []
    for branch in patient.tree.branches:
        lumen = free_lumen_radius_mm(patient.tree, branch, patient.narrowings, patient.lesions)
        chosen = slice(None, None, _CENTRELINE_STRIDE)
        lines.append(
            {
                "branch": branch.name,
                "vessel": branch.vessel,
                "points_lps_mm": np.round(acquisition.to_scan(branch.points[chosen]).astype(float), 2).tolist(),
                "radius_mm": np.round(branch.radius_mm[chosen].astype(float), 3).tolist(),
                "lumen_radius_mm": np.round(lumen[chosen].astype(float), 3).tolist(),
                "segment": branch.segment[chosen].tolist(),
            }
        )
    return lines


def _place(position: npt.NDArray[np.float32]) -> list[float]:
    return [round(float(value), 3) for value in position]
