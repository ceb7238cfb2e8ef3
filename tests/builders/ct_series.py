"""CT series as files, sound or with one planted fault: small, valid DICOM with lungs, heart, aorta and spine.

`build_ct_series` writes single-frame CT images, `build_enhanced_ct` one multi-frame object. Faults are named in
`FAULTS`; anything rarer is made with `change`, a function that gets the data sets before they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

INTERCEPT_HU = -1024
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TILT_DEG = 15.0

Change = Callable[[list[Dataset]], list[Dataset]]


def build_ct_series(
    folder: Path,
    *,
    slices: int = 40,
    spacing_mm: float = 3.0,
    thickness_mm: float | None = None,
    rows: int = 64,
    field_of_view_mm: float = 320.0,
    kvp: float = 120.0,
    blood_pool_hu: int = 40,
    fault: str | None = None,
    change: Change | None = None,
    **attributes: Any,
) -> list[Path]:
    """Write a series named as a gated calcium score; files are named at random and numbered head first.

    Parameters
    ----------
    thickness_mm
        The spacing when None.
    blood_pool_hu
        40 is unenhanced; 350 is a contrast scan, still labelled as a calcium score.
    fault
        A key of `FAULTS`.
    attributes
        DICOM keywords set in every instance (None removes the attribute).
    """
    datasets = ct_datasets(
        slices=slices,
        spacing_mm=spacing_mm,
        thickness_mm=spacing_mm if thickness_mm is None else thickness_mm,
        rows=rows,
        field_of_view_mm=field_of_view_mm,
        kvp=kvp,
        blood_pool_hu=blood_pool_hu,
    )
    if fault is not None:
        datasets = FAULTS[fault](datasets)
    for keyword, value in attributes.items():
        for dataset in datasets:
            set_attribute(dataset, keyword, value)
    if change is not None:
        datasets = change(datasets)
    return write_datasets(folder, datasets)


def build_enhanced_ct(
    folder: Path,
    *,
    slices: int = 40,
    phases_percent: Sequence[float] = (75.0,),
    change: Change | None = None,
    **options: Any,
) -> list[Path]:
    """Write the same series as one Enhanced CT Image; frames run head first, the phases one after the other.

    Each phase is 1 HU brighter than the one before. ``options`` are those of `ct_datasets`.
    """
    frames = ct_datasets(slices=slices, **options)[::-1]
    dataset = deepcopy(frames[0])
    dataset.SOPClassUID = EnhancedCTImageStorage
    for keyword in _IN_GROUPS:
        set_attribute(dataset, keyword, None)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.NumberOfFrames = len(frames) * len(phases_percent)
    shared = _groups(frames[0], ("PlaneOrientationSequence", "PixelMeasuresSequence", "CTXRayDetailsSequence"))
    shared.CTReconstructionSequence = [Dataset()]
    shared.CTReconstructionSequence[0].ConvolutionKernel = frames[0].ConvolutionKernel
    dataset.SharedFunctionalGroupsSequence = [shared]
    per_frame, pixels = [], b""
    for step, percent in enumerate(phases_percent):
        for position, frame in enumerate(frames, start=1):
            groups = _groups(frame, ("PlanePositionSequence", "PixelValueTransformationSequence"))
            groups.PixelValueTransformationSequence[0].RescaleIntercept = INTERCEPT_HU + step
            content, cardiac = Dataset(), Dataset()
            content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = "1", position, step + 1
            content.FrameAcquisitionNumber = 1
            cardiac.NominalPercentageOfCardiacPhase = percent
            groups.FrameContentSequence, groups.CardiacSynchronizationSequence = [content], [cardiac]
            per_frame.append(groups)
            pixels += frame.PixelData
    dataset.PerFrameFunctionalGroupsSequence = per_frame
    dataset.PixelData = pixels
    return write_datasets(folder, [dataset] if change is None else change([dataset]))


def ct_datasets(
    *,
    slices: int = 40,
    spacing_mm: float = 3.0,
    thickness_mm: float = 3.0,
    rows: int = 64,
    field_of_view_mm: float = 320.0,
    kvp: float = 120.0,
    blood_pool_hu: int = 40,
) -> list[Dataset]:
    """Data sets of a sound series, from foot to head; the slices are square."""
    study, series, frame_of_reference = (generate_uid() for _ in range(3))
    pixel_mm = field_of_view_mm / rows
    corner_mm = -(field_of_view_mm - pixel_mm) / 2
    datasets = []
    for index in range(slices):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID = frame_of_reference
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Phantom^Thorax", "PHANTOM", "19600101"
        dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "O", "20260304", "081500"
        dataset.AccessionNumber, dataset.StudyID, dataset.ReferringPhysicianName = "A1", "1", ""
        dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "CT", "SIEMENS", "SOMATOM Force"
        dataset.StudyDescription, dataset.SeriesDescription = "Calcium score", "CaScSeq 3.0 B35f 70%"
        dataset.ProtocolName, dataset.ScanOptions = "CaScoring", "TP70PC"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.KVP, dataset.ConvolutionKernel, dataset.SliceThickness = kvp, "B35f", thickness_mm
        dataset.PatientPosition = "HFS"
        dataset.SeriesNumber, dataset.AcquisitionNumber, dataset.InstanceNumber = 2, 1, slices - index
        z_mm = (index - (slices - 1) / 2) * spacing_mm
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [corner_mm, corner_mm, z_mm], list(AXIAL)
        dataset.PixelSpacing, dataset.PositionReferenceIndicator = [pixel_mm, pixel_mm], ""
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows = dataset.Columns = rows
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = INTERCEPT_HU, 1, "HU"
        set_hu(dataset, thorax_hu(rows, pixel_mm, z_mm, slices * spacing_mm, blood_pool_hu))
        datasets.append(dataset)
    return datasets


def thorax_hu(rows: int, pixel_mm: float, z_mm: float, length_mm: float, blood_pool_hu: int) -> NDArray[np.int64]:
    """One axial slice, shape (rows, rows), HU: lungs, a heart with a calcified artery, descending aorta and spine.

    The heart narrows towards both ends; a gradient along z and noise make every slice different.
    """
    offset = (np.arange(rows) - (rows - 1) / 2) * pixel_mm
    y, x = np.meshgrid(offset, offset, indexing="ij")
    height = 2 * z_mm / length_mm  # -1 (foot) to 1 (head)

    def ellipse(center_x: float, center_y: float, half_x: float, half_y: float) -> NDArray[np.bool_]:
        return ((x - center_x) / half_x) ** 2 + ((y - center_y) / half_y) ** 2 <= 1

    hu = np.full((rows, rows), -1000.0)
    hu[ellipse(0, 0, 150, 105)] = -90
    hu[ellipse(0, 0, 142, 97)] = 45
    for side in (-1, 1):
        hu[ellipse(side * 75, 0, 55, 80)] = -850
    shrink = np.sqrt(max(1 - height**2 / 1.2, 0.05))
    hu[ellipse(10, -20, 60 * shrink, 48 * shrink)] = 45
    hu[ellipse(10, -20, 52 * shrink, 40 * shrink)] = blood_pool_hu
    hu[ellipse(20, 45, 13, 13)] = blood_pool_hu
    hu[ellipse(0, 68, 20, 18)] = 250
    if abs(z_mm) <= 6:
        hu[ellipse(-30, -45, 5, 5)] = 480
    generator = np.random.default_rng(round(1000 + z_mm * 10) % 100_000)
    return np.rint(hu + generator.normal(0, 8, hu.shape) + 2 * height).astype(np.int64)


def set_hu(dataset: Dataset, hu: NDArray[np.int64]) -> None:
    """Store HU as unsigned 12-bit values with the rescale of the data set."""
    stored = np.rint((hu - float(dataset.RescaleIntercept)) / float(dataset.RescaleSlope))
    dataset.PixelData = np.clip(stored, 0, 4095).astype("<u2").tobytes()


def stored_values(dataset: Dataset) -> NDArray[np.int64]:
    """Stored values of a data set, shape (rows, columns)."""
    kind = "<i2" if dataset.PixelRepresentation else "<u2"
    return np.frombuffer(dataset.PixelData, kind).reshape(dataset.Rows, dataset.Columns).astype(np.int64)


def set_attribute(dataset: Dataset, keyword: str, value: Any) -> None:
    """Set an attribute, or remove it with None."""
    if value is not None:
        setattr(dataset, keyword, value)
    elif keyword in dataset:
        delattr(dataset, keyword)


def copies(datasets: Sequence[Dataset], **attributes: Any) -> list[Dataset]:
    """Copies with SOP Instance UIDs of their own and other attributes; numbered after the originals."""
    last = max(dataset.InstanceNumber for dataset in datasets)
    made = []
    for dataset in datasets:
        other = deepcopy(dataset)
        other.SOPInstanceUID, other.InstanceNumber = generate_uid(), last + dataset.InstanceNumber
        for keyword, value in attributes.items():
            set_attribute(other, keyword, value)
        made.append(other)
    return made


def write_datasets(folder: Path, datasets: Sequence[Dataset]) -> list[Path]:
    """Write Part 10 files, named by their SOP Instance UID."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset in datasets:
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{dataset.SOPInstanceUID}.dcm"
        dcmwrite(path, dataset, enforce_file_format=True)
        paths.append(path)
    return paths


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _move(dataset: Dataset, x_mm: float = 0, y_mm: float = 0, z_mm: float = 0) -> None:
    x, y, z = (float(value) for value in dataset.ImagePositionPatient)
    dataset.ImagePositionPatient = [x + x_mm, y + y_mm, z + z_mm]


def _without_middle(datasets: list[Dataset]) -> list[Dataset]:
    middle = len(datasets) // 2
    return datasets[:middle] + datasets[middle + 1 :]


def _tilted(datasets: list[Dataset]) -> list[Dataset]:
    """The plane is tilted, the table moves along the body: that is how a tilted gantry scans."""
    cosine, sine = np.cos(np.radians(TILT_DEG)), np.sin(np.radians(TILT_DEG))
    for dataset in datasets:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, round(float(cosine), 7), round(float(-sine), 7)]
    return datasets


def _irregular(datasets: list[Dataset]) -> list[Dataset]:
    _move(datasets[len(datasets) // 2], z_mm=0.9)
    return datasets


def _shifted(datasets: list[Dataset]) -> list[Dataset]:
    for dataset in datasets[len(datasets) // 2 :]:
        _move(dataset, x_mm=4.0)
    return datasets


def _different_duplicates(datasets: list[Dataset]) -> list[Dataset]:
    others = copies(datasets[3:6])
    for other in others:
        other.PixelData = np.roll(stored_values(other), 1, axis=0).astype("<u2").tobytes()
    return datasets + others


def _mixed_phases(datasets: list[Dataset]) -> list[Dataset]:
    """A systolic phase, brighter by 20 HU, and the diastolic one, each labelled as Siemens does."""
    systole = copies(datasets, ScanOptions="TP40PC", AcquisitionNumber=2, RescaleIntercept=INTERCEPT_HU + 20)
    for dataset in (*datasets, *systole):
        dataset.SeriesDescription = "CaScSeq 3.0 B35f"
    return systole + datasets


def _per_slice_rescale(datasets: list[Dataset]) -> list[Dataset]:
    """The same HU (within rounding), stored with another slope and intercept in every slice."""
    for index, dataset in enumerate(datasets):
        hu = stored_values(dataset) + INTERCEPT_HU
        dataset.RescaleSlope, dataset.RescaleIntercept = round(1 + index / 100, 2), INTERCEPT_HU - 3 * index
        set_hu(dataset, hu)
    return datasets


def _padded(datasets: list[Dataset]) -> list[Dataset]:
    """Signed pixels with -2000 stored outside the circle of reconstruction, flagged as GE does."""
    for dataset in datasets:
        hu = stored_values(dataset) + INTERCEPT_HU
        offset = np.arange(dataset.Rows) - (dataset.Rows - 1) / 2
        outside = offset[:, None] ** 2 + offset**2 > (dataset.Rows / 2) ** 2
        dataset.PixelRepresentation, dataset.BitsStored, dataset.HighBit = 1, 16, 15
        dataset.RescaleIntercept, dataset.PixelPaddingValue = 0, -2000
        dataset.PixelData = np.where(outside, -2000, hu).astype("<i2").tobytes()
    return datasets


def _with_localizer(datasets: list[Dataset]) -> list[Dataset]:
    (localizer,) = copies(datasets[:1], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    localizer.ImageOrientationPatient, localizer.ImagePositionPatient = [1, 0, 0, 0, 0, -1], [-160, 0, 300]
    return [localizer, *datasets]


def _coronal_reformats(datasets: list[Dataset]) -> list[Dataset]:
    for index, dataset in enumerate(datasets):
        dataset.ImageType = ["DERIVED", "SECONDARY", "MPR"]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [-160, 3 * index - 60, 160]
    return datasets


def _each(**attributes: Any) -> Change:
    def change(datasets: list[Dataset]) -> list[Dataset]:
        for dataset in datasets:
            for keyword, value in attributes.items():
                set_attribute(dataset, keyword, value)
        return datasets

    return change


def _one(**attributes: Any) -> Change:
    def change(datasets: list[Dataset]) -> list[Dataset]:
        for keyword, value in attributes.items():
            set_attribute(datasets[5], keyword, value)
        return datasets

    return change


def _truncated_pixels(datasets: list[Dataset]) -> list[Dataset]:
    datasets[5].PixelData = datasets[5].PixelData[:100]
    return datasets


def _modality_lut(datasets: list[Dataset]) -> list[Dataset]:
    lut = Dataset()
    lut.LUTDescriptor, lut.ModalityLUTType, lut.LUTData = [2, 0, 16], "HU", b"\0\0\1\0"
    datasets[5].ModalityLUTSequence = [lut]
    return datasets


def _mixed_matrix(datasets: list[Dataset]) -> list[Dataset]:
    for dataset in datasets[: len(datasets) // 2]:
        values = stored_values(dataset)[::2, ::2]
        dataset.Rows, dataset.Columns = values.shape
        dataset.PixelData = values.astype("<u2").tobytes()
    return datasets


FAULTS: dict[str, Change] = {
    "gap": _without_middle,
    "tilt": _tilted,
    "irregular_spacing": _irregular,
    "shift": _shifted,
    "identical_duplicates": lambda datasets: datasets + copies(datasets[3:6]),
    "different_duplicates": _different_duplicates,
    "mixed_phases": _mixed_phases,
    "mixed_orientation": _one(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]),
    "mixed_matrix": _mixed_matrix,
    "mixed_kernels": _one(ConvolutionKernel="B60f"),
    "mixed_kvp": _one(KVP=100),
    "per_slice_rescale": _per_slice_rescale,
    "padding": _padded,
    "localizer": _each(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "with_localizer": _with_localizer,
    "mpr": _coronal_reformats,
    "lossy": _each(
        LossyImageCompression="01", LossyImageCompressionRatio=10, LossyImageCompressionMethod="ISO_15444_1"
    ),
    "missing_position": _one(ImagePositionPatient=None),
    "missing_orientation": _one(ImageOrientationPatient=None),
    "missing_pixel_spacing": _one(PixelSpacing=None),
    "missing_rescale": _one(RescaleSlope=None),
    "truncated_pixels": _truncated_pixels,
    "modality_lut": _modality_lut,
    "not_hounsfield": _each(RescaleType="US"),
    "colour": _one(PhotometricInterpretation="RGB", SamplesPerPixel=3),
}

_IN_GROUPS = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "KVP",
    "ConvolutionKernel",
    "ScanOptions",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
)
_GROUP_ATTRIBUTES = {
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "CTXRayDetailsSequence": ("KVP",),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
}


def _groups(frame: Dataset, names: Sequence[str]) -> Dataset:
    """Functional groups filled with the attributes of a single-frame image."""
    groups = Dataset()
    for name in names:
        item = Dataset()
        for keyword in _GROUP_ATTRIBUTES[name]:
            setattr(item, keyword, frame[keyword].value)
        setattr(groups, name, [item])
    return groups
