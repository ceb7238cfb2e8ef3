"""What all outputs have in common: identity of the equipment, times, marks, and the bytes of the file.

Decides that no clock and no random number reaches an object: all times come from the request, so the same request
gives the same bytes. Knows nothing of the content.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Any

from highdicom import ContributingEquipment
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom import Dataset, dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DA, DT, TM

from agatha.dicom import codes
from agatha.report.request import SERIES, DicomObject, ObjectKind, ReportRequest
from agatha.report.source_header import OUTPUT_CHARACTER_SET, restore_names

#: Attributes of a source instance that describe one acquisition or image; outputs are neither.
_TIME_ATTRIBUTES = (
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("SeriesDate", "SeriesTime"),
    ("DateOfSecondaryCapture", "TimeOfSecondaryCapture"),
)


def serial_number(request: ReportRequest) -> str:
    """Device serial number: the model in use, by its hash, because software has no other."""
    return request.model.sha256[:16] or "unknown"


def software_versions(request: ReportRequest) -> list[str]:
    """Version of the service, then name and version of the model (VR LO, at most 64 characters each)."""
    return [request.software_version, f"{request.model.name} {request.model.version}"[:64]]


def local_content_time(request: ReportRequest, header: Dataset) -> datetime:
    """Content time in the zone the study is written in: TimezoneOffsetFromUTC of the source, else the request's own.

    Source: PS3.3 section C.12.1 (0008,0201), for all DA and TM of an instance together.
    """
    offset = str(header.get("TimezoneOffsetFromUTC") or "").strip()
    if len(offset) == 5 and offset[0] in "+-" and offset[1:].isdigit() and int(offset[1:3]) <= 14:
        minutes = int(offset[1:3]) * 60 + int(offset[3:5])
        zone = timezone(timedelta(minutes=minutes if offset[0] == "+" else -minutes))
        return request.content_time.astimezone(zone)
    return request.content_time


def series_arguments(kind: ObjectKind, request: ReportRequest, header: Dataset) -> dict[str, Any]:
    """Keyword arguments of every highdicom SOP class: identity, equipment, times, research mark."""
    moment = local_content_time(request, header)
    return {
        "series_instance_uid": request.series_uid(kind),
        "series_number": request.series_number(kind),
        "series_description": SERIES[kind].description,
        "sop_instance_uid": request.instance_uid(kind),
        "instance_number": 1,
        "manufacturer": codes.MANUFACTURER,
        "manufacturer_model_name": codes.MODEL_NAME,
        "software_versions": software_versions(request),
        "device_serial_number": serial_number(request),
        "content_qualification": "RESEARCH",
        "contributing_equipment": [processing_equipment(request)],
        "specific_character_set": OUTPUT_CHARACTER_SET,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
        "series_date": moment.date(),
        "series_time": moment.time(),
        "content_date": moment.date(),
        "content_time": moment.time(),
    }


def private_scheme() -> CodingSchemeIdentificationItem:
    """Identification of the private coding scheme, for every object that uses one of its codes."""
    item = CodingSchemeIdentificationItem(
        designator=codes.PRIVATE_SCHEME,
        name=codes.PRIVATE_SCHEME_NAME,
        responsible_organization=codes.MANUFACTURER,
    )
    item.CodingSchemeUID = codes.PRIVATE_SCHEME_UID
    return item


def finish(kind: ObjectKind, dataset: Dataset, request: ReportRequest, header: Dataset) -> DicomObject:
    """Replace what highdicom took from the clock, mark the object as ours and write it.

    Returns
    -------
    DicomObject
        Explicit VR Little Endian, Part 10.
    """
    restore_names(dataset, header)
    set_times(dataset, request, header)
    for item in dataset.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = DT(request.content_time_utc)
    return to_object(kind, dataset)


def set_times(dataset: Dataset, request: ReportRequest, header: Dataset) -> None:
    """Set the times an object has to that of the request, in the zone of the source."""
    moment = local_content_time(request, header)
    for date, time in _TIME_ATTRIBUTES:
        if date in dataset or time in dataset:
            setattr(dataset, date, DA(moment.date()))
            setattr(dataset, time, TM(moment.time()))
    if header.get("TimezoneOffsetFromUTC"):
        dataset.TimezoneOffsetFromUTC = header.TimezoneOffsetFromUTC


def to_object(kind: ObjectKind, dataset: Dataset) -> DicomObject:
    """Write a finished data set as Part 10."""
    dataset.file_meta.ImplementationClassUID = UID(codes.IMPLEMENTATION_CLASS_UID)
    dataset.file_meta.ImplementationVersionName = codes.IMPLEMENTATION_VERSION_NAME
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return DicomObject(
        kind=kind,
        data=buffer.getvalue(),
        sop_class_uid=str(dataset.SOPClassUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
    )


def processing_equipment(request: ReportRequest) -> ContributingEquipment:
    """The service as what made the object (PS3.3 section C.12.1.1.5)."""
    return ContributingEquipment(
        manufacturer=codes.MANUFACTURER,
        purpose_of_reference=codes.PROCESSING_EQUIPMENT,
        manufacturer_model_name=codes.MODEL_NAME,
        software_versions=software_versions(request),
        device_serial_number=serial_number(request),
        contribution_datetime=request.content_time_utc,
        contribution_description=f"AI analysis {request.analysis}. {codes.RESEARCH_MARK}."[:1024],
    )
