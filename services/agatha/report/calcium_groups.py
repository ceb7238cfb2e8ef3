"""The groups of a calcium score: the total, every vessel with its zero, every lesion.

Decides which number goes into which group.
"""

from __future__ import annotations

from typing import Any

from highdicom import sr
from pydicom.uid import SegmentationStorage

from agatha.dicom import codes
from agatha.report.report_groups import algorithm, append, evaluation, explained, tracking
from agatha.report.report_measurements import (
    Coding,
    attenuation,
    calcium_measurements,
    calibration_measurements,
    coding_of,
    compared_score,
    contrast_measurements,
    interval_measurements,
    whole_number,
)
from agatha.report.request import ReportRequest
from agatha.report.source_images import SourceImages
from coronary.calcium import AGATSTON_THRESHOLD_HU, INTERVAL_CONFIDENCE, Lesion, Vessel
from coronary.contract import CalciumFindings


def calcium_groups(request: ReportRequest, findings: CalciumFindings) -> list[Any]:
    """The total and the four vessels; lesions are added to the finished document."""
    return [_total_group(request, findings), *(_vessel_group(request, findings, vessel) for vessel in Vessel)]


def _total_group(request: ReportRequest, findings: CalciumFindings) -> Any:
    score, coding = findings.score, coding_of(findings)
    mass_mg = score.mass_mg.total if score.mass_mg else None
    measurements = [
        *calcium_measurements(score.agatston.total, score.volume_mm3.total, mass_mg, coding),
        whole_number(codes.LESION_COUNT, len(score.lesions)),
        whole_number(codes.CALCIFIED_VESSEL_COUNT, len(score.calcified_vessels)),
    ]
    if findings.contrast is None:
        measurements.append(whole_number(codes.AGATSTON_THRESHOLD, AGATSTON_THRESHOLD_HU, codes.HOUNSFIELD_UNIT))
    else:
        measurements += [
            *contrast_measurements(findings.contrast, "total"),
            *calibration_measurements(findings.contrast),
        ]
    parameters = request.algorithm_parameters
    if findings.interval is not None:
        measurements += interval_measurements(findings.interval, score.risk_category)
        parameters += (f"{100 * INTERVAL_CONFIDENCE:.0f} % interval: measured on {findings.interval.data}",)
    if request.concordance is not None:
        measurements.append(compared_score(request.concordance, findings))
    grade = codes.CAC_DRS_GRADES[score.cac_drs.split("/")[0]]
    evaluations = [
        sr.QualitativeEvaluation(name=coding.cac_drs, value=grade),
        sr.QualitativeEvaluation(name=coding.risk_category, value=codes.RISK_CATEGORY_CODES[score.risk_category]),
    ]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(*request.group_tracking("total")),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=algorithm(request, parameters),
        measurements=measurements,
        qualitative_evaluations=evaluations,
    )
    if request.concordance is not None:
        verdict = codes.DISCORDANT if request.concordance.is_discordant else codes.CONCORDANT
        append(group, [evaluation(codes.CONCORDANCE, verdict, request.concordance.text)])
    if findings.second_opinion is not None:
        append(group, explained(codes.SECOND_OPINION, [findings.second_opinion.verdict]))
    append(group, explained(codes.QUALITY_NOTE, findings.quality))
    return group


def _vessel_group(request: ReportRequest, findings: CalciumFindings, vessel: Vessel) -> Any:
    """Totals of one vessel: TID 1501, because a vessel without calcium has no segment to refer to."""
    score, contrast = findings.score, findings.contrast
    count = sum(lesion.vessel is vessel for lesion in score.lesions)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(*request.group_tracking(vessel.name)),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.VESSEL_CODES[vessel])],
        algorithm_id=algorithm(request),
        measurements=[
            *calcium_measurements(
                score.agatston.of(vessel),
                score.volume_mm3.of(vessel),
                score.mass_mg.of(vessel) if score.mass_mg else None,
                coding_of(findings),
            ),
            whole_number(codes.LESION_COUNT, count),
            *([] if contrast is None else contrast_measurements(contrast, vessel.name)),
        ],
    )


def lesion_group(
    request: ReportRequest,
    lesion: Lesion,
    coding: Coding,
    tracked: tuple[str, str],
    sources: SourceImages,
    seg_uid: str,
) -> Any:
    """TID 1411: its Agatston share, volume, mass and attenuation, with its segment."""
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(*tracked),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.VESSEL_CODES[lesion.vessel])],
        algorithm_id=algorithm(request),
        measurements=[
            *calcium_measurements(lesion.agatston, lesion.volume_mm3, lesion.mass_mg, coding),
            attenuation(codes.MAXIMUM_ATTENUATION, lesion.peak_hu),
            attenuation(codes.MEAN_ATTENUATION, lesion.mean_hu),
        ],
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=SegmentationStorage,
            sop_instance_uid=seg_uid,
            segment_number=lesion.label,
            source_series=sr.SourceSeriesForSegmentation(sources.series_instance_uid),
        ),
    )
