"""The result as a JSON-able document: what REST, FHIR and the web page show.

Decides names and shape only; every number comes unrounded from the same findings as the DICOM objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Literal, Protocol

import numpy as np

from agatha.report.request import DERIVED_KINDS, ReportRequest
from coronary.calcium import CalciumScore, Lesion
from coronary.contract import CalciumFindings, ContrastFindings, DetectionFindings
from coronary.coronary_tree import Centerline
from coronary.derived_findings import DerivedFindings
from coronary.detection_findings import SecondOpinion

ResultState = Literal["completed", "refused", "failed"]


class WrittenObject(Protocol):
    """What the document names of a DICOM object."""

    @property
    def kind(self) -> str:
        """Which of the objects of a result it is."""
        ...

    @property
    def sop_class_uid(self) -> str:
        """Its SOP Class UID."""
        ...

    @property
    def series_instance_uid(self) -> str:
        """UID of its series."""
        ...

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP Instance UID."""
        ...


def result_document(
    request: ReportRequest,
    objects: Iterable[WrittenObject],
    *,
    state: ResultState,
    provisional: bool,
    series_instance_uid: str,
) -> dict[str, Any]:
    """Describe one result.

    Parameters
    ----------
    objects
        What was written for it; each kind becomes one entry of ``outputs``.
    state
        ``completed`` needs findings, the other two a refusal, whose code and sentence become ``reason``.
    provisional
        More instances may still arrive.
    series_instance_uid
        Of the source series.

    Returns
    -------
    dict
        ``calcium`` is None unless the state is ``completed``: a score that was not computed is not zero. ``contrast``
        is None unless the scan was one with contrast; then ``calcium`` is an estimate.

    Raises
    ------
    ValueError
        If the state contradicts the request.
    """
    if (state == "completed") != (request.findings is not None):
        raise ValueError(f"state {state!r} contradicts a request with{'' if request.findings else 'out'} findings")
    refusal, findings, calcium = request.refusal, request.findings, request.calcium
    return {
        "analysis": request.analysis,
        "version": request.result_version,
        "state": state,
        "reason": None
        if refusal is None
        else {"code": refusal.code, "text": refusal.text, "detail": dict(refusal.detail)},
        "provisional": provisional,
        "series_instance_uid": series_instance_uid,
        "model": {"name": request.model.name, "version": request.model.version, "sha256": request.model.sha256},
        "software_version": request.software_version,
        "created_at": request.content_time_utc.isoformat().replace("+00:00", "Z"),
        "calcium": None if calcium is None else _calcium(request, calcium),
        "contrast": None if calcium is None or calcium.contrast is None else _contrast(request, calcium.contrast),
        "stenosis": None if request.derived is None else _stenosis(request.derived),
        "detection": None if request.detection is None else _detection(request.detection),
        "concordance": None if request.concordance is None else request.concordance.as_dict(),
        "quality": [{"code": note.code, "text": note.text} for note in findings.quality] if findings else [],
        "parameters": dict(findings.parameters) if findings else {},
        "outputs": _outputs(objects),
    }


def _outputs(objects: Iterable[WrittenObject]) -> list[dict[str, Any]]:
    """One entry per kind, in the order in which the kinds were written first."""
    entries: dict[str, dict[str, Any]] = {}
    for one in objects:
        entry = {
            "kind": one.kind,
            "sop_class_uid": one.sop_class_uid,
            "series_instance_uid": one.series_instance_uid,
            "sop_instance_uids": [],
        }
        entries.setdefault(one.kind, entry)["sop_instance_uids"].append(one.sop_instance_uid)
    return list(entries.values())


def _stenosis(findings: DerivedFindings) -> dict[str, Any]:
    """Readings per segment; ``altered_voxels`` counts those that differ from the source, null where all may.

    ``altered_slices`` are indices into ``sop_instance_uids`` of the series among the outputs.
    """
    return {
        "cad_rads": findings.cad_rads,
        "series": [
            {
                "kind": DERIVED_KINDS[volume.content],
                "altered_voxels": None if volume.is_altered is None else int(volume.is_altered.sum()),
                "altered_slices": None
                if volume.is_altered is None
                else np.flatnonzero(volume.is_altered.any(axis=(1, 2))).tolist(),
            }
            for volume in findings.volumes
        ],
        "segments": [
            {
                "artery": reading.original.artery,
                "segment": reading.original.segment,
                "original_percent": reading.original.percent,
                "derived_percent": reading.derived.percent,
                "original_grade": reading.original.grade,
                "derived_grade": reading.derived.grade,
                "at_mm": reading.derived.at_mm,
                "diameter_mm": reading.derived.diameter_mm,
                "healthy_diameter_mm": reading.derived.healthy_mm,
                "is_trusted": reading.is_trusted,
                "distrust": reading.distrust,
            }
            for reading in findings.readings
        ],
    }


def _calcium(request: ReportRequest, findings: CalciumFindings) -> dict[str, Any]:
    score: CalciumScore = findings.score
    calibration = score.mass_calibration
    return {
        "agatston": score.agatston.as_dict(),
        "volume_mm3": score.volume_mm3.as_dict(),
        "mass_mg": None if score.mass_mg is None else score.mass_mg.as_dict(),
        "risk_category": score.risk_category,
        "cac_drs": score.cac_drs,
        "interval": _interval(findings),
        "second_opinion": None if findings.second_opinion is None else _second_opinion(findings.second_opinion),
        "is_comparable": findings.is_comparable,
        "convention": score.convention,
        "alternative_scores": []
        if score.agatston_paper is None
        else [
            {
                "name": "agatston_paper",
                "convention": score.paper_convention,
                "agatston": score.agatston_paper.as_dict(),
            }
        ],
        "mass_calibration": None
        if calibration is None
        else {"factor_mg_per_hu_cm3": calibration.factor_mg_per_hu_cm3, "source": calibration.source},
        "lesions": [
            _lesion(lesion, tracking_uid)
            for lesion, (_, tracking_uid) in zip(score.lesions, request.lesion_tracking, strict=True)
        ],
    }


def _interval(findings: CalciumFindings) -> dict[str, Any] | None:
    """Interval of the total, with the scores without and with everything doubtful that it rests on."""
    interval, around = findings.interval, findings.around
    return None if interval is None or around is None else interval.as_dict() | asdict(around)


def _second_opinion(opinion: SecondOpinion) -> dict[str, Any]:
    """What the independent detection says of a score of zero; no probability where it could not say anything."""
    return {"verdict": opinion.verdict.code, "text": opinion.verdict.text, "probability": opinion.probability}


def _detection(findings: DetectionFindings) -> dict[str, Any]:
    """Presence of calcium; a slice without heart has no probability."""
    return {
        "presence": findings.presence,
        "probability": findings.probability,
        "slice_probability": [None if math.isnan(each) else each for each in findings.slice_probability.tolist()],
    }


def _contrast(request: ReportRequest, contrast: ContrastFindings) -> dict[str, Any]:
    limits, shift_hu = request.limits_of_agreement, contrast.threshold_shift_hu
    return {
        "calibration_factor_hu": contrast.calibration_factor_hu,
        "aorta_mean_hu": contrast.aorta_mean_hu,
        "aorta_sd_hu": contrast.aorta_sd_hu,
        "blood_pool_hu": contrast.blood_pool_hu,
        "kvp": contrast.kvp,
        "thresholds_hu": [{"name": name, "hu": hu} for name, hu in contrast.thresholds_hu.items()],
        "agatston_at_thresholds": [
            {"shift_hu": -shift_hu, "agatston": contrast.agatston_at_lower_thresholds.as_dict()},
            {"shift_hu": shift_hu, "agatston": contrast.agatston_at_higher_thresholds.as_dict()},
        ],
        "segmented_volume_mm3": contrast.segmented_volume_mm3.as_dict(),
        "dominance": contrast.tree.dominance,
        "arteries": [_artery(line) for line in contrast.tree.centerlines],
        "limits_of_agreement": None if limits is None else asdict(limits),
    }


def _artery(line: Centerline) -> dict[str, Any]:
    """One artery; ``segments`` are SCCT segment ids (Leipsic 2014) in the order in which the artery runs through them.

    ``bridged_share`` is the share of its course that is a straight guess.
    """
    return {
        "name": line.name,
        "parent": line.parent,
        "segments": list(dict.fromkeys(line.segment.tolist())),
        "length_mm": float(line.arc_length_mm[-1]),
        "bridged_share": float(line.is_bridged.mean()),
    }


def _lesion(lesion: Lesion, tracking_uid: str) -> dict[str, Any]:
    return {
        "label": lesion.label,
        "tracking_uid": tracking_uid,
        "vessel": lesion.vessel.name,
        "agatston": lesion.agatston,
        "agatston_paper": lesion.agatston_paper,
        "volume_mm3": lesion.volume_mm3,
        "mass_mg": lesion.mass_mg,
        "peak_hu": lesion.peak_hu,
        "mean_hu": lesion.mean_hu,
        "center_lps_mm": list(lesion.center_lps_mm),
        "slices": list(lesion.slices),
        "voxel_count": lesion.voxel_count,
    }
