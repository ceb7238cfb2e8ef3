"""Pages for people as DICOM objects: RGB Secondary Capture in the source study."""

from __future__ import annotations

import numpy as np
from highdicom import CoordinateSystemNames
from highdicom.sc import SCImage
from PIL import Image

from agatha.dicom import codes
from agatha.report.part10 import finish, series_arguments
from agatha.report.request import DicomObject, ObjectKind, ReportRequest
from agatha.report.source_images import SourceImages
from agatha.report.summary_page import draw_summary
from agatha.report.tree_page import draw_tree_views


def write_summary(request: ReportRequest, sources: SourceImages) -> DicomObject:
    """Write the summary page: of every result."""
    return _write("summary", "Summary", draw_summary(request, sources), request, sources)


def write_tree_views(request: ReportRequest, sources: SourceImages) -> DicomObject:
    """Write the views of the coronary tree and its calibration: of a contrast scan."""
    return _write("tree-views", "Coronary tree views", draw_tree_views(request, sources), request, sources)


def _write(
    kind: ObjectKind, name: str, picture: Image.Image, request: ReportRequest, sources: SourceImages
) -> DicomObject:
    """Write a page with its marks: burned-in identification, derived, research use only (PS3.3 section C.8.6.1)."""
    image = SCImage.from_ref_dataset(
        ref_dataset=sources.evidence({sources.instances[0].sop_instance_uid})[0],
        pixel_array=np.asarray(picture),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=("L", "P"),
        **series_arguments(kind, request, sources.header),
    )
    # Without a body part dciodvfy demands Laterality.
    image.BodyPartExamined = "HEART"
    # A page of text and several pictures has no orientation; Type 2C, so empty (PS3.3 section C.7.6.1.1.1).
    image.PatientOrientation = []
    image.BurnedInAnnotation = "YES"
    image.RecognizableVisualFeatures = "YES"
    image.LossyImageCompression = "00"
    image.DerivationDescription = (
        f"{name} of {request.analysis}, {request.model.name} {request.model.version}. "
        f"AI generated – not for primary diagnosis. {codes.RESEARCH_MARK}."
    )
    image.ImageComments = codes.RESEARCH_MARK
    return finish(kind, image, request, sources.header)
