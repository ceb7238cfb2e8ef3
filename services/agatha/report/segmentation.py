"""Segmentations: of the scored calcium one segment per vessel and one per lesion; of a contrast scan also the anatomy;
of a derived series the voxels that were altered.

Decides what the segments are and to which source slices the frames belong. The masks are exactly the voxels that were
scored or measured, on the grid of the source; nothing is resampled. BINARY, because archives and viewers in use take
nothing else for sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code

from agatha.dicom import codes
from agatha.report.colours import AORTA_RGB, CALCIUM_RGB, VESSEL_RGB
from agatha.report.part10 import finish, series_arguments
from agatha.report.request import DicomObject, ReportRequest
from agatha.report.source_images import SourceImages
from coronary.calcium import Vessel
from coronary.contract import CalciumFindings
from coronary.ct_volume import CtVolume

SegmentationKind = Literal["seg-vessels", "seg-lesions", "seg-anatomy", "seg-altered"]

#: Segment of the ascending aorta; 1 to 4 are the arteries by their vessel.
AORTA_SEGMENT = 5

#: ContentLabel (VR CS, at most 16 characters) and ContentDescription of each kind.
_CONTENT: dict[SegmentationKind, tuple[str, str]] = {
    "seg-vessels": ("CAC_VESSELS", "Coronary calcium per vessel (AI), research use only"),
    "seg-lesions": ("CAC_LESIONS", "Coronary calcium per lesion (AI), research use only"),
    "seg-anatomy": ("CORONARY_TREE", "Coronary arteries, ascending aorta (AI), research use only"),
    "seg-altered": ("ALTERED_VOXELS", "Voxels altered in the derived series (AI), research use only"),
}


def write_vessel_segmentation(request: ReportRequest, sources: SourceImages) -> DicomObject:
    """Four segments in fixed order LM, LAD, LCX, RCA; a vessel without calcium keeps its segment, without frames."""
    findings, volume = _scored(request)
    descriptions = [
        _describe_calcium(
            request,
            number=vessel.value,
            label=f"{vessel.name} calcium",
            vessel=vessel,
            tracking=request.group_tracking(vessel.name),
        )
        for vessel in Vessel
    ]
    return _write("seg-vessels", request, sources, volume, findings.vessel_labels, descriptions)


def write_lesion_segmentation(request: ReportRequest, sources: SourceImages) -> DicomObject:
    """One segment per lesion, numbered as in the score, with the tracking UID of its group in the report."""
    findings, volume = _scored(request)
    descriptions = [
        _describe_calcium(request, number=lesion.label, label=tracking[0], vessel=lesion.vessel, tracking=tracking)
        for lesion, tracking in zip(findings.score.lesions, request.lesion_tracking, strict=True)
    ]
    return _write("seg-lesions", request, sources, volume, findings.lesion_labels, descriptions)


def write_anatomy_segmentation(request: ReportRequest, sources: SourceImages) -> DicomObject:
    """Five segments in fixed order: the arteries of LM, LAD, LCX and RCA, and the ascending aorta.

    An artery that was not found keeps its segment, without frames. A voxel of both is aorta.
    """
    findings, volume = _scored(request)
    contrast = findings.contrast
    if contrast is None:
        raise ValueError("a segmentation of the anatomy needs a contrast scan")
    labels = contrast.tree.vessel_label_map()
    labels[contrast.aorta_mask] = AORTA_SEGMENT
    arteries = [
        _describe(
            request,
            number=vessel.value,
            label=f"{vessel.name} artery",
            tracking=(f"{vessel.name} artery", request.uid("tracking", f"trk:artery:{vessel.name}")),
            what=(codes.ANATOMICAL_STRUCTURE, codes.VESSEL_CODES[vessel]),
            colour=VESSEL_RGB[vessel],
        )
        for vessel in Vessel
    ]
    aorta = _describe(
        request,
        number=AORTA_SEGMENT,
        label="Ascending aorta",
        tracking=("Ascending aorta", request.uid("tracking", "trk:aorta")),
        what=(codes.ANATOMICAL_STRUCTURE, codes.ASCENDING_AORTA),
        colour=AORTA_RGB,
    )
    return _write("seg-anatomy", request, sources, volume, labels, [*arteries, aorta])


def write_altered_segmentation(
    request: ReportRequest, sources: SourceImages, is_altered: NDArray[np.bool_]
) -> DicomObject:
    """One segment: every voxel in which the derived series differs from its source."""
    assert request.volume is not None, "a derived series is made from a volume"
    description = _describe(
        request,
        number=1,
        label="Altered voxels",
        tracking=("Altered voxels", request.uid("tracking", "trk:altered")),
        what=(codes.MORPHOLOGICALLY_ABNORMAL, codes.CALCIFICATION),
        colour=CALCIUM_RGB,
        regions=[codes.CORONARY_ARTERY],
    )
    return _write("seg-altered", request, sources, request.volume, is_altered.astype(np.uint8), [description])


def _scored(request: ReportRequest) -> tuple[CalciumFindings, CtVolume]:
    if request.calcium is None or request.volume is None:
        raise ValueError("a segmentation of calcium needs calcium findings and their volume")
    return request.calcium, request.volume


def _describe_calcium(
    request: ReportRequest, *, number: int, label: str, vessel: Vessel, tracking: tuple[str, str]
) -> SegmentDescription:
    """Segment of calcium in one vessel; colour as on the summary page."""
    return _describe(
        request,
        number=number,
        label=label,
        tracking=tracking,
        what=(codes.MORPHOLOGICALLY_ABNORMAL, codes.CALCIFICATION),
        colour=VESSEL_RGB[vessel],
        regions=[codes.VESSEL_CODES[vessel]],
    )


def _describe(
    request: ReportRequest,
    *,
    number: int,
    label: str,
    tracking: tuple[str, str],
    what: tuple[Code, Code],
    colour: tuple[int, int, int],
    regions: Sequence[Code] | None = None,
) -> SegmentDescription:
    """Segment with its property category and type in ``what`` (PS3.3 section C.8.20.4)."""
    tracking_id, tracking_uid = tracking
    category, property_type = what
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=category,
        segmented_property_type=property_type,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=request.model.name, version=request.model.version, family=codes.ARTIFICIAL_INTELLIGENCE
        ),
        tracking_uid=tracking_uid,
        tracking_id=tracking_id,
        anatomic_regions=regions,
        display_color=CIELabColor.from_rgb(*colour),
    )


def _write(
    kind: SegmentationKind,
    request: ReportRequest,
    sources: SourceImages,
    volume: CtVolume,
    labels: NDArray[Any],
    descriptions: Sequence[SegmentDescription],
) -> DicomObject:
    """Write the slices that hold a labelled voxel; the references name the whole source series."""
    filled = np.flatnonzero(labels.any(axis=(1, 2)))
    if filled.size == 0:
        raise ValueError(f"{kind}: no labelled voxel, and a segmentation without frames is not written")
    label, description = _CONTENT[kind]
    segmentation = Segmentation(
        source_images=sources.plane_headers(
            filled.tolist(), volume.spacing_zyx_mm[0], request.uid("frame-of-reference", sources.series_instance_uid)
        ),
        pixel_array=_slices(labels, filled),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        content_label=label,
        content_description=description,
        omit_empty_frames=True,
        **series_arguments(kind, request, sources.header),
    )
    _refer_to_sources(segmentation, sources)
    _set_dimension_organization(segmentation, request.uid(kind, "dimorg"))
    return finish(kind, segmentation, request, sources.header)


def _slices(labels: NDArray[Any], indices: NDArray[np.intp]) -> NDArray[Any]:
    """Some slices of a map, ascending; not copied where they follow one another, because a map can be large."""
    first, last = int(indices[0]), int(indices[-1])
    if last - first + 1 == indices.size:
        return labels[first : last + 1]
    return np.ascontiguousarray(labels[indices])


def _refer_to_sources(segmentation: Dataset, sources: SourceImages) -> None:
    """Name the true instances and frames, and the whole series.

    Viewers look the series up by these references (PS3.3 sections C.12.2, C.7.6.16.2.6), so slices without calcium are
    named too.
    """
    done: set[int] = set()
    for groups in segmentation.PerFrameFunctionalGroupsSequence:
        for item in groups.DerivationImageSequence[0].SourceImageSequence:
            if id(item) in done:  # highdicom shares the item of a plane among its segments
                continue
            done.add(id(item))
            plane = sources.plane_of(item.ReferencedSOPInstanceUID)
            item.ReferencedSOPClassUID = plane.instance.sop_class_uid
            item.ReferencedSOPInstanceUID = plane.instance.sop_instance_uid
            if plane.frame is not None:
                item.ReferencedFrameNumber = plane.frame
    references = []
    for instance in sources.instances:
        reference = Dataset()
        reference.ReferencedSOPClassUID = instance.sop_class_uid
        reference.ReferencedSOPInstanceUID = instance.sop_instance_uid
        references.append(reference)
    series = Dataset()
    series.SeriesInstanceUID = sources.series_instance_uid
    series.ReferencedInstanceSequence = references
    segmentation.ReferencedSeriesSequence = [series]
    segmentation.SourceImageSequence = references


def _set_dimension_organization(segmentation: Dataset, uid: str) -> None:
    """Replace the UID that highdicom draws at random (PS3.3 section C.7.6.17)."""
    for sequence in (segmentation.DimensionOrganizationSequence, segmentation.DimensionIndexSequence):
        for item in sequence:
            item.DimensionOrganizationUID = uid
