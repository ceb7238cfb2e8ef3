"""From findings, or a refusal, to DICOM objects and the result document; the only importer of highdicom."""

from __future__ import annotations

from agatha.report.objects import write_objects, write_series
from agatha.report.request import (
    DicomObject,
    ModelIdentity,
    ObjectKind,
    PreviousReport,
    ReportRequest,
    SrSopClass,
)
from agatha.report.result_document import result_document
from agatha.report.source_images import SourceMismatch

__all__ = [
    "DicomObject",
    "ModelIdentity",
    "ObjectKind",
    "PreviousReport",
    "ReportRequest",
    "SourceMismatch",
    "SrSopClass",
    "result_document",
    "write_objects",
    "write_series",
]
