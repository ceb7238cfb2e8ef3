"""All objects of one result, in the order in which they refer to one another.

Decides which objects a result has: report and summary always, segmentations of calcium and key images only with
calcium, segmentation and views of the coronary tree only of a contrast scan; of derived series the images, and the
segmentation of what was altered.
"""

from __future__ import annotations

from collections.abc import Iterator

from agatha.report.curved_reformats import write_curved_reformats
from agatha.report.derived_series import write_derived_series
from agatha.report.key_images import key_slices, write_key_images
from agatha.report.measurement_report import write_measurement_report
from agatha.report.page_images import write_summary, write_tree_views
from agatha.report.request import DERIVED_KINDS, DicomObject, ReportRequest
from agatha.report.segmentation import (
    write_altered_segmentation,
    write_anatomy_segmentation,
    write_lesion_segmentation,
    write_vessel_segmentation,
)
from agatha.report.source_images import read_source_images


def write_objects(request: ReportRequest) -> tuple[DicomObject, ...]:
    """Write every object of a result.

    Returns
    -------
    tuple of DicomObject
        The measurement report and the summary page; with at least one lesion also both segmentations and the key
        images; of a contrast scan, also with a score of 0, the segmentation and the views of the coronary tree. In the
        order report, segmentations, pages, key images. The same request gives the same bytes. Images of derived series
        are large and come one by one from :func:`write_series`.

    Raises
    ------
    SourceMismatch
        If the source files are not the slices of the volume.
    """
    sources = read_source_images(request)
    findings = request.calcium
    segmentations: list[DicomObject] = []
    pages = [write_summary(request, sources)]
    key_images: list[DicomObject] = []
    if findings is not None and findings.score.lesions:
        segmentations += [write_vessel_segmentation(request, sources), write_lesion_segmentation(request, sources)]
        key_images.append(write_key_images(request, sources, key_slices(findings)))
    if findings is not None and findings.contrast is not None:
        segmentations.append(write_anatomy_segmentation(request, sources))
        pages.append(write_tree_views(request, sources))
    if request.derived is not None:
        segmentations += [
            write_altered_segmentation(request, sources, volume.is_altered)
            for volume in request.derived.volumes
            if volume.is_altered is not None and volume.is_altered.any()
        ]
    report = write_measurement_report(request, sources, segmentations)
    return (report, *segmentations, *pages, *key_images)


def write_series(request: ReportRequest) -> Iterator[DicomObject]:
    """Write the images of all derived series and the reformats of the trunks, one by one: together they are large.

    Raises
    ------
    SourceMismatch
        If the source files are not the slices of the volume.
    """
    if request.derived is None:
        return
    sources = read_source_images(request)
    for volume in request.derived.volumes:
        kind = DERIVED_KINDS[volume.content]
        yield from write_derived_series(kind, request, sources, volume.voxels_hu, volume.is_altered)
    yield from write_curved_reformats(request, sources)
