"""The groups of a detection: whether the patient has calcium, and every slice in which it is seen.

Decides which statement stands in which group. No number here may be read as a score.
"""

from __future__ import annotations

from typing import Any

from highdicom import sr

from agatha.dicom import codes
from agatha.report.report_groups import algorithm, append, explained, tracking
from agatha.report.request import ReportRequest
from agatha.report.source_images import SourceImages
from coronary.detection_findings import DetectionFindings


def detection_groups(request: ReportRequest, findings: DetectionFindings, sources: SourceImages) -> list[Any]:
    """The patient with all notes, then one group per slice with calcium."""
    return [
        _patient_group(request, findings),
        *(_slice_group(request, findings, sources, z) for z in findings.positive_slices),
    ]


def _patient_group(request: ReportRequest, findings: DetectionFindings) -> Any:
    evaluations = [
        sr.QualitativeEvaluation(
            name=codes.CALCIUM_PRESENCE, value=codes.ABSENT if findings.presence == "none" else codes.PRESENT
        )
    ]
    if findings.presence != "none":
        amount = codes.CALCIUM_AMOUNTS[findings.presence]
        evaluations.append(sr.QualitativeEvaluation(name=codes.CALCIUM_AMOUNT, value=amount))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Presence of coronary calcium", request.uid("tracking", "trk:presence")),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=algorithm(request, request.algorithm_parameters),
        measurements=[_probability(findings.probability)],
        qualitative_evaluations=evaluations,
    )
    append(group, explained(codes.QUALITY_NOTE, findings.quality))
    return group


def _slice_group(request: ReportRequest, findings: DetectionFindings, sources: SourceImages, z: int) -> Any:
    plane = sources.planes[z]
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(f"Calcium in slice {z + 1}", request.uid("tracking", f"trk:presence:{z}")),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=algorithm(request),
        source_images=[
            sr.SourceImageForMeasurementGroup(
                plane.instance.sop_class_uid,
                plane.instance.sop_instance_uid,
                None if plane.frame is None else [plane.frame],
            )
        ],
        measurements=[_probability(float(findings.slice_probability[z]))],
    )


def _probability(share: float) -> sr.Measurement:
    return sr.Measurement(name=codes.CALCIUM_PROBABILITY, value=100.0 * share, unit=codes.PERCENT)
