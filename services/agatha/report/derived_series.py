"""Derived CT series: one CT image per slice of the source, in its place, with its patient, study and scan.

Decides what a derived image keeps of its source and what it says about itself (PS3.3 sections A.3, C.7.6.1.1 and
C.12.1). A voxel that was not altered keeps its stored value bit by bit. Images are written one at a time: a series is
as large as its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from highdicom import ContributingEquipment
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from agatha.dicom import codes
from agatha.report.part10 import (
    private_scheme,
    processing_equipment,
    serial_number,
    set_times,
    software_versions,
    to_object,
)
from agatha.report.request import SERIES, DerivedKind, DicomObject, ReportRequest
from agatha.report.source_header import OUTPUT_CHARACTER_SET, writable_header
from agatha.report.source_images import SourceImages, SourcePlane, functional_group

#: Longest DerivationDescription (VR ST).
MAXIMUM_DESCRIPTION: Final = 1024

#: Of the source image alone, or no longer true of a derived one.
_REMOVED: Final = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "ReferencedPerformedProcedureStepSequence",
    "ReferencedRawDataSequence",
    "RawDataHandling",
    "PresentationLUTShape",
    "ContentQualification",
    "SyntheticData",
    # Of an enhanced source, whose frames become images.
    "PixelPresentation",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
    "ConcatenationUID",
    "InConcatenationNumber",
)

#: Padding is a stored value of the source; where every voxel is computed, none means padding any more.
_PADDING: Final = ("PixelPaddingValue", "PixelPaddingRangeLimit")

#: The scanner's identity, which moves to Contributing Equipment: the service is what made these images.
_EQUIPMENT: Final = ("StationName", "InstitutionalDepartmentName", "DeviceUID", "UDISequence")


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a kind of series was made: codes of CID 7203, text, and whether its voxels show what was never scanned."""

    codes: tuple[Code, ...]
    description: str
    is_synthetic: bool


DERIVATIONS: Final[dict[DerivedKind, Derivation]] = {
    "ct-calcium-removed": Derivation(
        (codes.VOLUME_EDITING,), "Coronary calcium replaced by estimated lumen and wall", is_synthetic=True
    ),
    "ct-non-contrast": Derivation(
        (codes.VOLUME_EDITING, codes.PSEUDO_NON_CONTRAST), "Contrast agent turned off", is_synthetic=True
    ),
    "ct-lumen": Derivation(
        (codes.PIXEL_SUBTRACTION,), "Contrast scan minus the scan without contrast agent", is_synthetic=False
    ),
}


def write_derived_series(
    kind: DerivedKind,
    request: ReportRequest,
    sources: SourceImages,
    voxels_hu: NDArray[np.integer[Any]],
    is_altered: NDArray[np.bool_] | None = None,
) -> Iterator[DicomObject]:
    """Write a series of CT images, slice by slice in the order of the volume.

    Parameters
    ----------
    voxels_hu
        Shape of the volume, HU.
    is_altered
        Shape of the volume: voxels that differ from the source; all others keep their stored value, also padding.
        None: all of them. A value beyond what the source's images can store becomes the nearest that they can.

    Raises
    ------
    ValueError
        If an array has another shape than the volume.
    """
    assert request.volume is not None, "a derived series is made from a volume"
    shape = request.volume.voxels_hu.shape
    for name, array in (("voxels", voxels_hu), ("altered voxels", is_altered)):
        if array is not None and array.shape != shape:
            raise ValueError(f"{name} have shape {array.shape}, the volume has {shape}")
    source, path_read = Dataset(), Path()
    for z, (path, plane) in enumerate(zip(request.source_paths, sources.planes, strict=True)):
        if path != path_read:
            source, path_read = dcmread(path), path
        image = _image(kind, request, sources, source, plane)
        image.InstanceNumber = z + 1
        _set_pixels(image, source, plane, voxels_hu[z], None if is_altered is None else is_altered[z])
        yield to_object(kind, image)


def _image(
    kind: DerivedKind, request: ReportRequest, sources: SourceImages, source: Dataset, plane: SourcePlane
) -> Dataset:
    """Everything but the pixels."""
    image = writable_header(source)
    for keyword in (*_REMOVED, *_EQUIPMENT):
        if keyword in image:
            del image[keyword]
    _set_identity(kind, request, sources, image, plane)
    _set_place(request, sources, image, plane)
    _set_derivation(kind, request, image, plane)
    set_times(image, request, image)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def _set_identity(
    kind: DerivedKind, request: ReportRequest, sources: SourceImages, image: Dataset, plane: SourcePlane
) -> None:
    frame = "" if plane.frame is None else f"#{plane.frame}"
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = request.uid(kind, f"instance:{plane.instance.sop_instance_uid}{frame}")
    image.SeriesInstanceUID = request.series_uid(kind)
    image.SeriesNumber = request.series_number(kind)
    image.SeriesDescription = SERIES[kind].description
    image.Modality = "CT"
    image.Manufacturer = codes.MANUFACTURER
    image.ManufacturerModelName = codes.MODEL_NAME
    image.SoftwareVersions = software_versions(request)
    image.DeviceSerialNumber = serial_number(request)
    image.ContributingEquipmentSequence = [
        *image.get("ContributingEquipmentSequence", []),
        *_acquisition_equipment(sources.header),
        processing_equipment(request),
    ]
    image.SpecificCharacterSet = OUTPUT_CHARACTER_SET


def _acquisition_equipment(header: Dataset) -> list[Dataset]:
    """The scanner; nothing where the source does not name its maker."""
    if not header.get("Manufacturer"):
        return []
    return [ContributingEquipment.for_image_acquisition(header)]


def _set_place(request: ReportRequest, sources: SourceImages, image: Dataset, plane: SourcePlane) -> None:
    """Where the image lies; kept as in the source, because fusion and segmentations rest on it."""
    reference = sources.header.get("FrameOfReferenceUID")
    image.FrameOfReferenceUID = reference or request.uid("frame-of-reference", sources.series_instance_uid)
    image.PositionReferenceIndicator = sources.header.get("PositionReferenceIndicator") or ""
    image.ImagePositionPatient = list(plane.position)
    image.ImageOrientationPatient = list(plane.orientation)
    image.PixelSpacing = list(plane.pixel_spacing)
    image.SliceThickness = plane.slice_thickness
    for keyword in ("KVP", "AcquisitionNumber"):
        if keyword not in image:
            setattr(image, keyword, None)
    if not image.get("BodyPartExamined"):
        image.BodyPartExamined = "HEART"  # without it a laterality would be asked for (PS3.3 section C.7.3.1)
    if plane.frame is not None and request.facts is not None:
        image.KVP = request.facts.kvp


def _set_derivation(kind: DerivedKind, request: ReportRequest, image: Dataset, plane: SourcePlane) -> None:
    how = DERIVATIONS[kind]
    image.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    text = f"{how.description}; {request.model.name} {request.model.version}. AI generated. {codes.RESEARCH_MARK}."
    before = str(image.get("DerivationDescription") or "")
    image.DerivationDescription = f"{before} {text}".strip() if len(before + text) < MAXIMUM_DESCRIPTION else text
    image.ImageComments = f"AI generated: {how.description}. {codes.RESEARCH_MARK}."
    image.DerivationCodeSequence = [CodedConcept.from_code(code) for code in how.codes]
    if any(code.scheme_designator == codes.PRIVATE_SCHEME for code in how.codes):
        image.CodingSchemeIdentificationSequence = [private_scheme()]
    image.SourceImageSequence = [_source_reference(plane)]
    if how.is_synthetic:
        image.SyntheticData = "YES"
    image.ContentQualification = "RESEARCH"
    image.BurnedInAnnotation = "NO"
    if "LossyImageCompression" not in image:
        image.LossyImageCompression = "00"


def _source_reference(plane: SourcePlane) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = plane.instance.sop_class_uid
    item.ReferencedSOPInstanceUID = plane.instance.sop_instance_uid
    if plane.frame is not None:
        item.ReferencedFrameNumber = plane.frame
    item.SpatialLocationsPreserved = "YES"
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.SOURCE_OF_PROCESSING)]
    return item


def _set_pixels(
    image: Dataset,
    source: Dataset,
    plane: SourcePlane,
    voxels_hu: NDArray[np.integer[Any]],
    is_altered: NDArray[np.bool_] | None,
) -> None:
    """Store a slice as its source does: same bits, same rescale."""
    slope, intercept = _rescale(source, plane.frame)
    bits = int(source.BitsStored)
    is_signed = int(source.PixelRepresentation) == 1
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    index = 0 if plane.frame is None else plane.frame - 1
    stored = np.array(pixel_array(source, index=index, raw=True, correct_unused_bits=False))
    computed = np.clip(np.rint((voxels_hu - intercept) / slope), low, high).astype(stored.dtype)
    if is_altered is None:
        stored = computed
        for keyword in _PADDING:
            if keyword in image:
                del image[keyword]
    else:
        stored[is_altered] = computed[is_altered]
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = source.PhotometricInterpretation
    image.Rows, image.Columns = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 8 * stored.dtype.itemsize, bits, bits - 1
    image.PixelRepresentation = source.PixelRepresentation
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = slope, intercept, "HU"
    image.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()


def _rescale(source: Dataset, frame: int | None) -> tuple[float, float]:
    has_own = frame is None or "RescaleSlope" in source
    values = source if has_own else functional_group(source, frame or 1, "PixelValueTransformationSequence")
    return float(values.RescaleSlope), float(values.RescaleIntercept)
