"""From Part 10 files to plain facts about each frame, pixels untouched.

Decides which attributes matter, and that a multi-frame object is as many frames as it has functional groups. Judges
nothing: geometry may be missing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from agatha.assemble.attributes import PER_FRAME_GROUPS, SHARED_GROUPS, Attributes, group_items
from agatha.assemble.cardiac_phase import stated_phase_percent
from agatha.assemble.refused import BAD_INPUT_ERRORS, Refused, is_bad_input
from agatha.dicom.facts import CT_IMAGE_CLASSES, VALID_UID
from agatha.dicom.own_output import is_own_output

_KEYWORDS: Final = (
    "ImageType", "SOPClassUID", "SOPInstanceUID", "SyntheticData", "AcquisitionTime", "AcquisitionDateTime", "Modality",
    "Manufacturer", "StudyDescription", "SeriesDescription", "ManufacturerModelName", "ContrastBolusAgent",
    "ContrastBolusAgentSequence", "ScanOptions", "SliceThickness", "KVP", "ProtocolName", "TriggerTime",
    "NominalInterval", "LowRRValue", "HighRRValue", "HeartRate", "ConvolutionKernel",
    "ReconstructionAlgorithm",
    "CardiacSynchronizationTechnique", "CalciumScoringMassFactorPatient", "CalciumScoringMassFactorDevice",
    "NominalCardiacTriggerDelayTime", "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "TemporalPositionIdentifier", "ImagesInAcquisition",
    "ConcatenationUID", "InConcatenationTotalNumber", "ImageComments", "StudyInstanceUID", "SpecificCharacterSet",
    "RRIntervalTimeNominal", "NominalPercentageOfCardiacPhase", "SamplesPerPixel", "PhotometricInterpretation",
    "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleIntercept", "RescaleSlope", "RescaleType",
    "LossyImageCompression", "ModalityLUTSequence", "ContributingEquipmentSequence", SHARED_GROUPS, PER_FRAME_GROUPS,
)  # fmt: skip
_WANTED: Final[list[BaseTag | int]] = [Tag(keyword) for keyword in _KEYWORDS]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One SOP instance: what its frames share.

    Parameters
    ----------
    concatenation
        ConcatenationUID and the number of its parts (None where unknown); None for an object that is whole.
    """

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    is_multi_frame: bool
    is_own_output: bool
    concatenation: tuple[str, int | None] | None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One plane, as its headers describe it; None or empty where they are silent or cannot be read.

    Parameters
    ----------
    number
        Frame number counted from 1, None for a single-frame instance.
    attributes
        For everything that only the series as a whole is asked about.
    phase_percent
        As stated (``stated_phase_percent``), not derived from a delay: that may vary within one volume.
    padding
        PixelPaddingValue and, where present, PixelPaddingRangeLimit, as written (stored values).
    """

    instance: Instance
    number: int | None
    attributes: Attributes
    image_type: tuple[str, ...]
    rows: int
    columns: int
    position_lps_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    slice_thickness_mm: float | None
    kernel: str
    stack_id: str
    acquisition_number: int | None
    acquisition_time: str
    instance_number: int | None
    temporal_position: int | None
    phase_percent: float | None
    trigger_delay_ms: float | None
    slope: float | None
    intercept: float | None
    padding: tuple[float, ...]

    @property
    def is_localizer(self) -> bool:
        """Whether this is a scout view (PS3.3 section C.8.2.1.1.1, value 3)."""
        return "LOCALIZER" in self.image_type

    @property
    def is_ct(self) -> bool:
        """Whether the object is of a CT image class."""
        return self.instance.sop_class_uid in CT_IMAGE_CLASSES

    @property
    def has_plane(self) -> bool:
        """Whether position, orientation and pixel spacing are all there."""
        return (len(self.position_lps_mm), len(self.orientation), len(self.pixel_spacing_mm)) == (3, 6, 2)

    @property
    def order(self) -> tuple[str, int]:
        """Sorting by this makes everything independent of the order of the files."""
        return self.instance.sop_instance_uid, self.number or 0

    @property
    def name(self) -> str:
        """How a sentence names the frame."""
        uid = self.instance.sop_instance_uid
        return uid if self.number is None else f"{uid}, frame {self.number}"


def read_frames(paths: Sequence[Path]) -> list[Frame]:
    """Read the headers of all instances; sorted by SOP Instance UID and frame number.

    Raises
    ------
    Refused
        ``NO_INSTANCES``, ``HEADER_UNREADABLE``, ``FRAMES_INCONSISTENT``.
    OSError
        When a file cannot be opened: that is no property of the series.
    """
    if not paths:
        raise Refused("NO_INSTANCES", "The series has no instances.")
    return sorted((frame for path in paths for frame in _read_instance(Path(path))), key=lambda frame: frame.order)


def _read_instance(path: Path) -> list[Frame]:
    with path.open("rb") as stream:
        try:
            dataset = dcmread(stream, stop_before_pixels=True, specific_tags=_WANTED)
            per_frame = dataset.get(PER_FRAME_GROUPS)
            shared = dataset.get(SHARED_GROUPS)
            instance = _instance(path, dataset, is_multi_frame=per_frame is not None)
            if per_frame is None or instance.sop_class_uid not in CT_IMAGE_CLASSES:
                _check_frame_count(instance, Attributes([dataset]), 1)
                return [_frame(instance, None, Attributes([dataset]))]
            _check_frame_count(instance, Attributes([dataset]), len(per_frame))
            common = [*(group_items(shared[0]) if shared else []), dataset]
            return [
                _frame(instance, number, Attributes([*group_items(groups), *common]))
                for number, groups in enumerate(per_frame, start=1)
            ]
        except BAD_INPUT_ERRORS as error:
            if not is_bad_input(error):
                raise
            text = f"The header of instance {path.name} cannot be read ({type(error).__name__})."
            raise Refused("HEADER_UNREADABLE", text, instance=path.name) from error


def _check_frame_count(instance: Instance, attributes: Attributes, groups: int) -> None:
    if instance.sop_class_uid not in CT_IMAGE_CLASSES:
        return
    frames = attributes.integer("NumberOfFrames") or 1
    if frames != groups:
        text = f"Instance {instance.sop_instance_uid} has {frames} frames, but geometry for {groups}."
        raise Refused("FRAMES_INCONSISTENT", text, instance=instance.sop_instance_uid, frames=frames, described=groups)


def _instance(path: Path, dataset: Dataset, *, is_multi_frame: bool) -> Instance:
    attributes = Attributes([dataset])
    sop_instance_uid = attributes.text("SOPInstanceUID")
    if not VALID_UID.fullmatch(sop_instance_uid):
        text = f"Instance {path.name} has no valid SOPInstanceUID."
        raise Refused("HEADER_UNREADABLE", text, instance=path.name)
    concatenation = attributes.text("ConcatenationUID")
    return Instance(
        path=path,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=attributes.text("SOPClassUID"),
        series_instance_uid=attributes.text("SeriesInstanceUID"),
        transfer_syntax_uid=str(dataset.file_meta.get("TransferSyntaxUID") or ""),
        is_multi_frame=is_multi_frame,
        is_own_output=is_own_output(dataset),
        concatenation=(concatenation, attributes.integer("InConcatenationTotalNumber")) if concatenation else None,
    )


def _frame(instance: Instance, number: int | None, attributes: Attributes) -> Frame:
    frame_type = attributes.texts("FrameType") or attributes.texts("ImageType")
    return Frame(
        instance=instance,
        number=number,
        attributes=attributes,
        image_type=tuple(value.upper() for value in frame_type),
        rows=attributes.integer("Rows") or 0,
        columns=attributes.integer("Columns") or 0,
        position_lps_mm=attributes.numbers("ImagePositionPatient"),
        orientation=attributes.numbers("ImageOrientationPatient"),
        pixel_spacing_mm=attributes.numbers("PixelSpacing"),
        slice_thickness_mm=attributes.number("SliceThickness"),
        kernel=attributes.text("ConvolutionKernel"),
        stack_id=attributes.text("StackID"),
        acquisition_number=_first_integer(attributes, "FrameAcquisitionNumber", "AcquisitionNumber"),
        acquisition_time=attributes.text("FrameAcquisitionDateTime")
        or attributes.text("AcquisitionDateTime")
        or attributes.text("AcquisitionTime"),
        instance_number=number if number is not None else attributes.integer("InstanceNumber"),
        temporal_position=_first_integer(attributes, "TemporalPositionIndex", "TemporalPositionIdentifier"),
        phase_percent=stated_phase_percent(attributes),
        trigger_delay_ms=_first_number(attributes, "NominalCardiacTriggerDelayTime", "TriggerTime"),
        slope=attributes.number("RescaleSlope"),
        intercept=attributes.number("RescaleIntercept"),
        padding=(*attributes.numbers("PixelPaddingValue")[:1], *attributes.numbers("PixelPaddingRangeLimit")[:1])
        if attributes.numbers("PixelPaddingValue")
        else (),
    )


def _first_integer(attributes: Attributes, *keywords: str) -> int | None:
    return next((value for value in map(attributes.integer, keywords) if value is not None), None)


def _first_number(attributes: Attributes, *keywords: str) -> float | None:
    return next((value for value in map(attributes.number, keywords) if value is not None), None)
