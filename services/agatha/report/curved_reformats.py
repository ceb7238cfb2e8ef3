"""Curved planar reformats of the main trunks as DICOM: one multi-frame object per trunk, one frame per angle.

Decides what a frame shows: the straightened trunk on the scan, and beside it on the derived series. A curved surface
has no single position, so this is a multi-frame secondary capture and no CT image (PS3.3 section A.8.4); its values
are HU.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from highdicom.base import SOPClass
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from agatha.dicom import codes
from agatha.report.drawing import font
from agatha.report.part10 import finish, series_arguments
from agatha.report.request import DicomObject, ReportRequest
from agatha.report.slice_tiles import CONTRAST_SCAN_WINDOW
from agatha.report.source_images import SourceImages, SourceInstance
from coronary.coronary_tree.curves import resampled, rotation_minimising_frames
from coronary.ct_volume import CtVolume
from coronary.imaging.curved_planes import straightened

#: Artery at whose end a trunk ends; its course begins at the ostium.
TRUNK_ENDS: Final = ("RCA", "LAD", "LCX")

#: A frame each, turned about the artery: half a turn shows it from all sides.
ANGLES_DEG: Final = tuple(range(0, 180, 15))

#: What is shown to either side of the artery, and a pixel, mm.
HALF_WIDTH_MM: Final = 12.0
PIXEL_MM: Final = 0.25

#: Columns between the two strips, and rows above them for the words.
GAP_PIXELS: Final = 4
HEAD_PIXELS: Final = 34

#: Stored value = HU + this: values are unsigned (PS3.3 section A.8.4.4).
OFFSET_HU: Final = 1024
BITS: Final = 16

WARNING: Final = "AI - not for dx"


def write_curved_reformats(request: ReportRequest, sources: SourceImages) -> Iterator[DicomObject]:
    """Write one object per trunk that was found: RCA, LM with LAD, LM with LCX."""
    findings, volume = request.derived, request.volume
    assert findings is not None
    assert volume is not None
    volumes = [volume, *(CtVolume(each.voxels_hu, volume.affine_lps) for each in findings.volumes[:1])]
    number = 0
    for name in TRUNK_ENDS:
        if findings.tree.centerline(name) is None:
            continue
        number += 1
        points, _ = resampled(findings.tree.from_ostium(name).points_lps_mm, PIXEL_MM)
        frames = rotation_minimising_frames(points)
        pictures = [
            _frame(name, angle, [straightened(v, points, frames, HALF_WIDTH_MM, PIXEL_MM, angle) for v in volumes])
            for angle in ANGLES_DEG
        ]
        yield _write(request, sources, name, number, np.stack(pictures))


def _frame(name: str, angle_deg: int, strips: list[NDArray[np.float32]]) -> NDArray[np.uint16]:
    """One frame: the strips side by side under a line of words, stored values."""
    rows, columns = strips[0].shape
    width = len(strips) * columns + (len(strips) - 1) * GAP_PIXELS
    hu = np.full((HEAD_PIXELS + rows, width), -float(OFFSET_HU), np.float32)
    for number, strip in enumerate(strips):
        left = number * (columns + GAP_PIXELS)
        hu[HEAD_PIXELS:, left : left + columns] = strip
        words = f"{name} {angle_deg}°\nscan" if number == 0 else f"made\n{WARNING}"
        hu[:HEAD_PIXELS, left : left + columns] = _words(words, (HEAD_PIXELS, columns))
    stored = np.clip(np.rint(hu + OFFSET_HU), 0, 2**BITS - 1)
    return np.asarray(stored, np.uint16)


def _words(text: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Two lines of text, white in the window of the pictures on black."""
    picture = Image.new("L", (shape[1], shape[0]), 0)
    ImageDraw.Draw(picture).multiline_text((1, 0), text, fill=255, font=font(11), spacing=2)
    white_hu = CONTRAST_SCAN_WINDOW.center_hu + CONTRAST_SCAN_WINDOW.width_hu / 2
    return np.asarray(np.asarray(picture, np.float32) / 255.0 * (white_hu + OFFSET_HU) - OFFSET_HU, np.float32)


def _write(
    request: ReportRequest, sources: SourceImages, name: str, number: int, pictures: NDArray[np.uint16]
) -> DicomObject:
    arguments = series_arguments("cpr", request, sources.header)
    equipment = arguments.pop("contributing_equipment")
    arguments |= {
        "sop_instance_uid": request.uid("cpr", f"instance:{name}"),
        "instance_number": number,
        "sop_class_uid": MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        "modality": "OT",
        "study_instance_uid": sources.header.StudyInstanceUID,
    }
    image = SOPClass(**arguments)
    image.copy_patient_and_study_information(sources.header)
    image.ContributingEquipmentSequence = equipment
    image.BodyPartExamined = "HEART"
    image.ConversionType = "WSD"
    image.PatientOrientation = []
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.SourceImageSequence = [_reference(each) for each in sources.instances]
    image.DerivationCodeSequence = [CodedConcept.from_code(codes.CURVED_REFORMATTING)]
    image.DerivationDescription = (
        f"{name}, straightened along its centreline, scan and derived series, {len(ANGLES_DEG)} angles; "
        f"{request.model.name} {request.model.version}. AI generated – not for primary diagnosis. "
        f"{codes.RESEARCH_MARK}."
    )
    image.ImageComments = codes.RESEARCH_MARK
    image.BurnedInAnnotation = "YES"
    image.LossyImageCompression = "00"
    _set_pixels(image, pictures)
    return finish("cpr", image, request, sources.header)


def _reference(instance: SourceInstance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.SOURCE_OF_PROCESSING)]
    return item


def _set_pixels(image: Dataset, pictures: NDArray[np.uint16]) -> None:
    """Frames, their meaning in HU and in mm, and how to page through them (PS3.3 sections C.8.6.3 and C.8.6.4)."""
    image.NumberOfFrames, image.Rows, image.Columns = pictures.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = BITS
    image.HighBit, image.PixelRepresentation = BITS - 1, 0
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -OFFSET_HU, "HU"
    image.PresentationLUTShape = "IDENTITY"
    image.WindowCenter, image.WindowWidth = CONTRAST_SCAN_WINDOW.center_hu, CONTRAST_SCAN_WINDOW.width_hu
    image.PixelSpacing = [PIXEL_MM, PIXEL_MM]
    image.FrameIncrementPointer = tag_for_keyword("FrameLabelVector")
    image.FrameLabelVector = [f"{angle} degrees" for angle in ANGLES_DEG]
    image.PixelData = pictures.astype("<u2").tobytes()
