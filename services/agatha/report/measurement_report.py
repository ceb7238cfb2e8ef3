"""The measurement report: DICOM SR by template TID 1500, for machines.

Decides which groups a report has. Of a score: the total, all four vessels with their zeros, one group per lesion. Of
derived series: one group per segment. Of a detection: the patient, one group per slice with calcium. With a refusal:
one group that says why, and no number at all, because a number would be read as a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes as dictionary

from agatha.dicom import codes
from agatha.dicom.analysis_terms import ANALYSIS_TERMS
from agatha.report.calcium_groups import calcium_groups, lesion_group
from agatha.report.detection_groups import detection_groups
from agatha.report.part10 import finish, private_scheme, serial_number, series_arguments
from agatha.report.report_groups import algorithm, append, explained, tracking
from agatha.report.report_measurements import coding_of
from agatha.report.request import DicomObject, ReportRequest, SrSopClass
from agatha.report.source_images import SourceImages
from agatha.report.stenosis_groups import stenosis_groups
from coronary.contract import CalciumFindings, Refusal

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
    if request.calcium is not None:
        groups = calcium_groups(request, request.calcium)
    elif request.derived is not None:
        groups = stenosis_groups(request, request.derived)
    elif request.detection is not None:
        groups = detection_groups(request, request.detection, sources)
    else:
        groups = [_refusal_group(request, request.refusal)]
    report = sr.MeasurementReport(
        observation_context=_observation_context(request),
        procedure_reported=ANALYSIS_TERMS[request.analysis].procedure,
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
    if request.calcium is not None:
        _append_lesions(document, request, request.calcium, sources, segmentations)
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
    for lesion, tracked in zip(lesions, request.lesion_tracking, strict=True):
        group = lesion_group(request, lesion, coding_of(findings), tracked, sources, segmentation.sop_instance_uid)
        measurements.ContentSequence.append(group[0])


def _refusal_group(request: ReportRequest, refusal: Refusal | None) -> Any:
    """A group without measurement: the reason as a code and as a sentence."""
    if refusal is None:
        raise ValueError("a report without findings needs a refusal")
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(*request.group_tracking("total")),
        finding_sites=[sr.FindingSite(codes.CORONARY_ARTERY)],
        algorithm_id=algorithm(request, request.algorithm_parameters),
    )
    append(group, explained(ANALYSIS_TERMS[request.analysis].reason, [refusal]))
    return group


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
