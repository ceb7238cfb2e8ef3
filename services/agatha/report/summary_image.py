"""The summary page as a DICOM object: RGB Secondary Capture in the source study."""

from __future__ import annotations

import numpy as np
from highdicom import CoordinateSystemNames
from highdicom.sc import SCImage

from agatha.dicom import codes
from agatha.report.part10 import finish, series_arguments
from agatha.report.request import DicomObject, ReportRequest
from agatha.report.source_images import SourceImages
from agatha.report.summary_page import draw_summary


def write_summary(request: ReportRequest, sources: SourceImages) -> DicomObject:
    """Write the page with its marks: burned-in identification, derived, research use only (PS3.3 section C.8.6.1)."""
    arguments = series_arguments("summary", request, sources.header)
    image = SCImage.from_ref_dataset(
        ref_dataset=sources.evidence({sources.instances[0].sop_instance_uid})[0],
        pixel_array=np.asarray(draw_summary(request, sources)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=("L", "P"),
        **arguments,
    )
    # Without a body part dciodvfy demands Laterality.
    image.BodyPartExamined = "HEART"
    # A page of text and several slices has no orientation; Type 2C, so empty (PS3.3 section C.7.6.1.1.1).
    image.PatientOrientation = []
    image.BurnedInAnnotation = "YES"
    image.RecognizableVisualFeatures = "YES"
    image.LossyImageCompression = "00"
    image.DerivationDescription = (
        f"Summary of {request.analysis}, {request.model.name} {request.model.version}. "
        f"AI generated – not for primary diagnosis. {codes.RESEARCH_MARK}."
    )
    image.ImageComments = codes.RESEARCH_MARK
    return finish("summary", image, request, sources.header)
