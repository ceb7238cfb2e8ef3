"""The measurement report: DICOM SR by template TID 1500, for machines.

Decides which number goes where. With findings: the total, all four vessels with their zeros, one group per lesion.
With a refusal: one group that says why, and no number at all, because a number would be read as a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from agatha.dicom import codes
from agatha.report.part10 import finish, private_scheme, serial_number, series_arguments
from agatha.report.report_measurements import (
    Coding,
    attenuation,
    calcium_measurements,
    calibration_measurements,
    coding_of,
    compared_score,
    contrast_measurements,
    whole_number,
)
from agatha.report.request import DicomObject, ReportRequest, SrSopClass
from agatha.report.source_images import SourceImages
from coronary.calcium import AGATSTON_THRESHOLD_HU, Lesion, Vessel
from coronary.contract import CalciumFindings, QualityNote, Refusal

_SR_CLASSES: dict[SrSopClass, type[Dataset]] = {
    "comprehensive-3d": sr.Comprehensive3DSR,
    "enhanced": sr.EnhancedSR,
    "comprehensive": sr.ComprehensiveSR,
}


def write_measurement_report(
    request: ReportRequest, sources: SourceImages, segmentations: Sequence[DicomObject]
) -> DicomObject:
    """Write the report.

    Parameters
    ----------
    segmentations
        What was segmented; the lesions refer to theirs. Empty for a refusal and without calcium in a calcium scan.

    Notes
    -----
    No image library: it repeats 15 items per image and doubles what the evidence already names (TID 1600).
    """
    findings = request.findings
    if findings is None:
        groups = [_refusal_group(request, request.refusal)]
    else:
        vessels = [_vessel_group(request, findings, vessel) for vessel in Vessel]
        groups = [_total_group(request, findings), *vessels]
    report = sr.MeasurementReport(
        observation_context=_observation_context(request),
        procedure_reported=codes.PROCEDURES[request.analysis],
        imaging_measurements=groups,
        title=codes.IMAGING_MEASUREMENT_REPORT,
    )
    document = _SR_CLASSES[request.sr_sop_class](
        evidence=[*sources.evidence(), *_as_evidence(segmentations, sources)],
        content=report[0],
        is_complete=True,
        is_final=False,
        is_verified=False,
        coding_schemes=[private_scheme()],
        **series_arguments("sr", request, sources.header),
    )
    if findings is not None:
        _append_lesions(document, request, findings, sources, segmentations)
    _refer_to_previous(document, request, sources)
    return finish("sr", document, request, sources.header)


def device_observer(request: ReportRequest) -> sr.ObserverContext:
    """Observer context of the service (TID 1002, 1004)."""
    return sr.ObserverContext(
        observer_type=dictionary.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=request.device_uid,
            name=codes.MODEL_NAME,
            manufacturer_name=codes.MANUFACTURER,
            model_name=f"{request.model.name} {request.model.version}",
            serial_number=serial_number(request),
        ),
    )


def _observation_context(request: ReportRequest) -> sr.ObservationContext:
    return sr.ObservationContext(observer_device_context=device_observer(request))


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
    if request.concordance is not None:
        measurements.append(compared_score(request.concordance, findings))
    grade = codes.CAC_DRS_GRADES[score.cac_drs.split("/")[0]]
    evaluations = [
        sr.QualitativeEvaluation(name=coding.cac_drs, value=grade),
        sr.QualitativeEvaluation(name=coding.risk_category, value=codes.RISK_CATEGORY_CODES[score.risk_category]),
    ]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(*request.group_tracking("total")),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=_algorithm(request, request.algorithm_parameters),
        measurements=measurements,
        qualitative_evaluations=evaluations,
    )
    if request.concordance is not None:
        verdict = codes.DISCORDANT if request.concordance.is_discordant else codes.CONCORDANT
        _append(group, [_evaluation(codes.CONCORDANCE, verdict, request.concordance.text)])
    _append(group, _explained(codes.QUALITY_NOTE, findings.quality))
    return group


def _vessel_group(request: ReportRequest, findings: CalciumFindings, vessel: Vessel) -> Any:
    """Totals of one vessel: TID 1501, because a vessel without calcium has no segment to refer to."""
    score, contrast = findings.score, findings.contrast
    count = sum(lesion.vessel is vessel for lesion in score.lesions)
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(*request.group_tracking(vessel.name)),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.VESSEL_CODES[vessel])],
        algorithm_id=_algorithm(request),
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


def _append_lesions(
    document: Dataset,
    request: ReportRequest,
    findings: CalciumFindings,
    sources: SourceImages,
    segmentations: Sequence[DicomObject],
) -> None:
    """Add one group per lesion to the finished document.

    Afterwards, because highdicom copies and searches the whole tree several times when it makes a document: with 200
    lesions that is half of the time.
    """
    lesions = findings.score.lesions
    segmentation = next((one for one in segmentations if one.kind == "seg-lesions"), None)
    if segmentation is None:
        if lesions:
            raise ValueError(f"{len(lesions)} lesions without the segmentation their groups refer to")
        return
    measurements = next(
        item
        for item in document.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == dictionary.DCM.ImagingMeasurements.value
    )
    for lesion, tracking in zip(lesions, request.lesion_tracking, strict=True):
        group = _lesion_group(request, lesion, coding_of(findings), tracking, sources, segmentation.sop_instance_uid)
        measurements.ContentSequence.append(group[0])


def _lesion_group(
    request: ReportRequest,
    lesion: Lesion,
    coding: Coding,
    tracking: tuple[str, str],
    sources: SourceImages,
    seg_uid: str,
) -> Any:
    """TID 1411: its Agatston share, volume, mass and attenuation, with its segment."""
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(*tracking),
        finding_type=codes.CALCIFICATION,
        finding_sites=[sr.FindingSite(codes.VESSEL_CODES[lesion.vessel])],
        algorithm_id=_algorithm(request),
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


def _refusal_group(request: ReportRequest, refusal: Refusal | None) -> Any:
    """A group without measurement: the reason as a code and as a sentence."""
    if refusal is None:
        raise ValueError("a report without findings needs a refusal")
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(*request.group_tracking("total")),
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=_algorithm(request, request.algorithm_parameters),
    )
    _append(group, _explained(codes.REASON_NOT_SCORED, [refusal]))
    return group


def _explained(concept: Code, reasons: Iterable[QualityNote | Refusal]) -> list[sr.ContentItem]:
    return [
        _evaluation(
            concept, codes.private_code(reason.code, reason.code.replace("_", " ").capitalize()), text=reason.text
        )
        for reason in reasons
    ]


def _evaluation(concept: Code, value: Code, text: str) -> sr.ContentItem:
    """A coded evaluation and, as its property, the sentence, which may be too long for a code meaning."""
    item = sr.CodeContentItem(name=concept, value=value, relationship_type=sr.RelationshipTypeValues.CONTAINS)
    sentence = sr.TextContentItem(
        name=codes.EXPLANATION, value=text, relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES
    )
    item.ContentSequence = sr.ContentSequence([sentence])
    return item


def _append(group: Any, items: Iterable[sr.ContentItem]) -> None:
    group[0].ContentSequence.extend(items)


def _tracking(identifier: str, uid: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=uid, identifier=identifier)


def _algorithm(request: ReportRequest, parameters: Sequence[str] | None = None) -> sr.AlgorithmIdentification:
    """TID 4019; the parameters stand in the first group only, they are the same for all."""
    return sr.AlgorithmIdentification(
        name=request.model.name,
        version=request.model.version,
        parameters=parameters,
        family=codes.ARTIFICIAL_INTELLIGENCE,
    )


def _as_evidence(objects: Sequence[DicomObject], sources: SourceImages) -> list[Dataset]:
    evidence = []
    for one in objects:
        dataset = Dataset()
        dataset.SOPClassUID = one.sop_class_uid
        dataset.SOPInstanceUID = one.sop_instance_uid
        dataset.SeriesInstanceUID = one.series_instance_uid
        dataset.StudyInstanceUID = sources.instances[0].study_instance_uid
        evidence.append(dataset)
    return evidence


def _refer_to_previous(document: Dataset, request: ReportRequest, sources: SourceImages) -> None:
    """Predecessor Documents Sequence of a corrected result (PS3.3 section C.17.2)."""
    previous = request.previous_report
    if previous is None or previous.sop_instance_uid == document.SOPInstanceUID:
        return
    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID = previous.sop_class_uid
    instance.ReferencedSOPInstanceUID = previous.sop_instance_uid
    series.SeriesInstanceUID = previous.series_instance_uid
    series.ReferencedSOPSequence = [instance]
    study.StudyInstanceUID = sources.instances[0].study_instance_uid
    study.ReferencedSeriesSequence = [series]
    document.PredecessorDocumentsSequence = [study]
