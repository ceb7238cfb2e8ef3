"""All objects of one result, in the order in which they refer to one another.

Decides which objects a result has: report and summary always, segmentations and key images only with calcium.
"""

from __future__ import annotations

from agatha.report.key_images import key_slices, write_key_images
from agatha.report.measurement_report import write_measurement_report
from agatha.report.request import DicomObject, ReportRequest
from agatha.report.segmentation import write_lesion_segmentation, write_vessel_segmentation
from agatha.report.source_images import read_source_images
from agatha.report.summary_image import write_summary


def write_objects(request: ReportRequest) -> tuple[DicomObject, ...]:
    """Write every object of a result.

    Returns
    -------
    tuple of DicomObject
        The measurement report and the summary page; with at least one lesion also both segmentations and the key
        images. The same request gives the same bytes.

    Raises
    ------
    SourceMismatch
        If the source files are not the slices of the volume.
    """
    sources = read_source_images(request)
    segmentations: tuple[DicomObject, ...] = ()
    key_images: tuple[DicomObject, ...] = ()
    if request.findings is not None and request.findings.score.lesions:
        segmentations = (write_vessel_segmentation(request, sources), write_lesion_segmentation(request, sources))
        key_images = (write_key_images(request, sources, key_slices(request.findings)),)
    report = write_measurement_report(request, sources, segmentations)
    return (report, *segmentations, write_summary(request, sources), *key_images)
