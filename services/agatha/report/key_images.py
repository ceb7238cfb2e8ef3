"""Which slices show the calcium best, and the key object selection that names them.

Decides one list of key slices for the archive and for the summary page.
"""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom import Dataset

from agatha.dicom import codes
from agatha.report.measurement_report import device_observer
from agatha.report.page_tiles import MAXIMUM_TILES
from agatha.report.part10 import finish, series_arguments
from agatha.report.request import DicomObject, ReportRequest
from agatha.report.source_images import SourceImages, SourcePlane
from coronary.contract import CalciumFindings


def key_slices(findings: CalciumFindings, limit: int = MAXIMUM_TILES) -> tuple[int, ...]:
    """Slice indices that show the scored calcium, ascending.

    For each calcified vessel, most calcified first, the slice with most of its voxels; then further slices by their
    number of scored voxels, until ``limit``. Ties go to the lower index.
    """
    per_vessel = {
        vessel: np.count_nonzero(findings.vessel_labels == vessel, axis=(1, 2))
        for vessel in findings.score.calcified_vessels
    }
    chosen: list[int] = []
    for counts in sorted(per_vessel.values(), key=lambda counts: -int(counts.sum())):
        best = int(np.argmax(counts))
        if best not in chosen and len(chosen) < limit:
            chosen.append(best)
    total = np.count_nonzero(findings.vessel_labels, axis=(1, 2))
    for index in np.argsort(-total, kind="stable"):
        if len(chosen) >= limit or total[index] == 0:
            break
        if int(index) not in chosen:
            chosen.append(int(index))
    return tuple(sorted(chosen))


def write_key_images(request: ReportRequest, sources: SourceImages, slices: tuple[int, ...]) -> DicomObject:
    """Key Object Selection "Of Interest" (TID 2010) over the given slices."""
    planes = [sources.planes[index] for index in slices]
    document = hd.ko.KeyObjectSelectionDocument(
        evidence=sources.evidence({plane.instance.sop_instance_uid for plane in planes}),
        content=hd.ko.KeyObjectSelection(
            document_title=codes.OF_INTEREST,
            referenced_objects=[_image_reference(plane) for plane in planes],
            observer_device_context=device_observer(request),
            description=f"Slices with coronary calcium, chosen by software (AI). {codes.RESEARCH_MARK}",
        ),
        **series_arguments("key-images", request, sources.header),
    )
    images = [item for item in document.ContentSequence if item.ValueType == "IMAGE"]
    for item, plane in zip(images, planes, strict=True):
        # TID 2010 row 7 allows no concept name here, and highdicom writes one.
        del item.ConceptNameCodeSequence
        if plane.frame is not None:
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = plane.frame
    return finish("key-images", document, request, sources.header)


def _image_reference(plane: SourcePlane) -> Dataset:
    """As much of an image as makes highdicom write an IMAGE item for it."""
    reference = Dataset()
    reference.SOPClassUID = plane.instance.sop_class_uid
    reference.SOPInstanceUID = plane.instance.sop_instance_uid
    reference.Rows, reference.Columns = plane.rows, plane.columns
    return reference
