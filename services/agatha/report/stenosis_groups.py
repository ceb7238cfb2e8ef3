"""The groups of derived series: what they are worth as a whole, and the stenosis of every segment, before and after.

Decides which number stands under which method: a reading on a derived series never under that of a scan.
"""

from __future__ import annotations

from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from agatha.dicom import codes
from agatha.report.report_groups import algorithm, append, evaluation, explained, tracking
from agatha.report.request import ReportRequest
from coronary.derived_findings import DerivedFindings, SegmentReading


def stenosis_groups(request: ReportRequest, findings: DerivedFindings) -> list[Any]:
    """The category with all notes, then one group per segment of every artery."""
    return [_category_group(request, findings), *(_segment_group(request, each) for each in findings.readings)]


def _category_group(request: ReportRequest, findings: DerivedFindings) -> Any:
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Coronary arteries", request.uid("tracking", "trk:stenosis")),
        finding_type=codes.STENOSIS,
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=algorithm(request, request.algorithm_parameters),
        qualitative_evaluations=[
            sr.QualitativeEvaluation(name=codes.DERIVED_CAD_RADS, value=codes.CAD_RADS_CODES[findings.cad_rads])
        ],
    )
    append(group, explained(codes.QUALITY_NOTE, findings.quality))
    return group


def _segment_group(request: ReportRequest, reading: SegmentReading) -> Any:
    artery, segment = reading.original.artery, reading.original.segment
    name = f"{artery} segment {segment} stenosis"
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(name, request.uid("tracking", f"trk:stenosis:{artery}:{segment}")),
        finding_type=codes.STENOSIS,
        finding_sites=[sr.FindingSite(codes.SEGMENT_CODES[segment])],
        algorithm_id=algorithm(request),
        measurements=[
            _stenosis(reading.original.percent, codes.DIAMETER_METHOD),
            _stenosis(reading.derived.percent, codes.DERIVED_DIAMETER_METHOD),
        ],
    )
    if reading.is_trusted:
        text = f"The derived series may be read in segment {segment} of the {artery}."
        append(group, [evaluation(codes.DERIVED_READING, codes.READING_TRUSTED, text)])
    else:
        append(group, [evaluation(codes.DERIVED_READING, codes.READING_DISTRUSTED, reading.distrust)])
    return group


def _stenosis(percent: float, method: Code) -> sr.Measurement:
    return sr.Measurement(name=codes.LUMEN_DIAMETER_STENOSIS, value=percent, unit=codes.PERCENT, method=method)
