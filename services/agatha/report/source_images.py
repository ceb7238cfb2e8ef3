"""The source series as the outputs refer to it: one plane per slice of the volume, from headers only.

Decides which SOP instance and frame a slice is, and refuses when files and volume disagree: a mask on the wrong slice
must not be written. Reads no pixels.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage

from agatha.report.request import ReportRequest
from agatha.report.source_header import without_names, writable_header
from coronary.ct_volume import CtVolume

#: A source slice may lie this far from its place in the volume along the normal, as a share of the slice spacing
#: (assembly evens out small irregularities), and this far in the image plane.
NORMAL_TOLERANCE = 0.5
IN_PLANE_TOLERANCE_MM = 1.0

_GEOMETRY_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "Rows",
    "Columns",
    "InstanceNumber",
)


class SourceMismatch(ValueError):
    """The source files are not the slices of the volume the findings were made from."""


@dataclass(frozen=True, slots=True)
class SourceInstance:
    """One SOP instance of the source series."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str


@dataclass(frozen=True, slots=True)
class SourcePlane:
    """Where one slice of the volume comes from; geometry as in the source header, text form kept."""

    instance: SourceInstance
    frame: int | None
    position: Sequence[float]
    orientation: Sequence[float]
    pixel_spacing: Sequence[float]
    slice_thickness: float | None
    rows: int
    columns: int
    instance_number: str

    @property
    def label(self) -> str:
        """How a reader finds the slice in a viewer: instance number, or frame of an enhanced instance."""
        if self.frame is not None:
            return f"frame {self.frame}"
        return f"image {self.instance_number}" if self.instance_number else ""


@dataclass(frozen=True, eq=False)
class SourceImages:
    """Header and instances of the source series; ``planes`` in volume order, empty for a refused series."""

    header: Dataset
    instances: tuple[SourceInstance, ...]
    planes: tuple[SourcePlane, ...]

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID of the source."""
        return self.instances[0].series_instance_uid

    def evidence(self, chosen: Container[str] | None = None) -> list[Dataset]:
        """One header per instance, or per chosen SOP Instance UID.

        The first carries patient and study, as highdicom expects of evidence.
        """
        datasets: list[Dataset] = []
        for instance in self.instances:
            if chosen is not None and instance.sop_instance_uid not in chosen:
                continue
            dataset = Dataset() if datasets else without_names(self.header)
            dataset.SOPClassUID = instance.sop_class_uid
            dataset.SOPInstanceUID = instance.sop_instance_uid
            dataset.SeriesInstanceUID = instance.series_instance_uid
            dataset.StudyInstanceUID = instance.study_instance_uid
            datasets.append(dataset)
        return datasets

    def plane_headers(self, indices: Sequence[int], spacing_mm: float, frame_of_reference_uid: str) -> list[Dataset]:
        """Single-frame headers of some planes, to build a segmentation on.

        A frame of an enhanced instance looks like a CT Image here and carries ``2.25.<plane index + 1>`` as SOP
        Instance UID; :meth:`plane_of` turns every such reference back into instance and frame.

        Parameters
        ----------
        indices
            Slice indices of the volume.
        spacing_mm
            Distance between slices; replaces SpacingBetweenSlices of the source, which may be absent or negative.
        frame_of_reference_uid
            Used where the source has none: a segmentation must have one (PS3.3 section C.7.4.1).
        """
        headers: list[Dataset] = []
        for index in indices:
            plane = self.planes[index]
            dataset = Dataset() if headers else without_names(self.header)
            dataset.SOPClassUID = CTImageStorage
            dataset.SOPInstanceUID = f"2.25.{index + 1}"
            dataset.StudyInstanceUID = plane.instance.study_instance_uid
            dataset.SeriesInstanceUID = plane.instance.series_instance_uid
            dataset.Modality = "CT"
            dataset.FrameOfReferenceUID = self.header.get("FrameOfReferenceUID") or frame_of_reference_uid
            dataset.PositionReferenceIndicator = self.header.get("PositionReferenceIndicator") or ""
            dataset.Rows, dataset.Columns = plane.rows, plane.columns
            dataset.ImagePositionPatient = list(plane.position)
            dataset.ImageOrientationPatient = list(plane.orientation)
            dataset.PixelSpacing = list(plane.pixel_spacing)
            dataset.SliceThickness = plane.slice_thickness if plane.slice_thickness is not None else f"{spacing_mm:.6g}"
            dataset.SpacingBetweenSlices = f"{spacing_mm:.10g}"
            headers.append(dataset)
        return headers

    def plane_of(self, placeholder_uid: str) -> SourcePlane:
        """Plane behind a SOP Instance UID that :meth:`plane_headers` gave out."""
        return self.planes[int(placeholder_uid.removeprefix("2.25.")) - 1]


def read_source_images(request: ReportRequest) -> SourceImages:
    """Read the headers of a request's source files.

    Returns
    -------
    SourceImages
        Without planes for a refusal: such a series need not have a usable geometry.

    Raises
    ------
    SourceMismatch
        If files of several studies or series are named, or a slice is not where the volume has it.
    """
    datasets = _read_headers(request.source_paths)
    first = datasets[request.source_paths[0]]
    instances = {dataset.SOPInstanceUID: _instance_of(dataset) for dataset in datasets.values()}
    if len({(one.study_instance_uid, one.series_instance_uid) for one in instances.values()}) != 1:
        raise SourceMismatch("the source files belong to more than one study or series")
    planes: tuple[SourcePlane, ...] = ()
    if request.findings is not None and request.volume is not None:
        planes = tuple(
            _plane_of(datasets[path], frame) for path, frame in zip(request.source_paths, request.frames, strict=True)
        )
        _check_against_volume(planes, request.volume)
    return SourceImages(header=writable_header(first), instances=tuple(instances.values()), planes=planes)


def _read_headers(paths: Sequence[Path]) -> dict[Path, Dataset]:
    """Header per file: the first in full, the others only what says where they are (enhanced ones always in full)."""
    datasets: dict[Path, Dataset] = {}
    for path in paths:
        if path in datasets:
            continue
        tags = [*_GEOMETRY_TAGS, "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"]
        datasets[path] = dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags if datasets else None)
    return datasets


def _instance_of(dataset: Dataset) -> SourceInstance:
    return SourceInstance(
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        study_instance_uid=str(dataset.StudyInstanceUID),
    )


def _plane_of(dataset: Dataset, frame: int | None) -> SourcePlane:
    """Plane of a single-frame instance, or of a frame (from 1) by its functional groups (PS3.3 section C.7.6.16)."""
    position = orientation = measures = dataset
    if frame is not None:
        position = functional_group(dataset, frame, "PlanePositionSequence")
        orientation = functional_group(dataset, frame, "PlaneOrientationSequence")
        measures = functional_group(dataset, frame, "PixelMeasuresSequence")
    return SourcePlane(
        instance=_instance_of(dataset),
        frame=frame,
        position=position.ImagePositionPatient,
        orientation=orientation.ImageOrientationPatient,
        pixel_spacing=measures.PixelSpacing,
        slice_thickness=measures.get("SliceThickness"),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        instance_number=str(dataset.get("InstanceNumber") or ""),
    )


def functional_group(dataset: Dataset, frame: int, keyword: str) -> Dataset:
    """Item of a functional group of one frame (counted from 1), its own or the shared one; else SourceMismatch."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not 1 <= frame <= len(per_frame):
        raise SourceMismatch(f"frame {frame} of a source instance with {len(per_frame)} frames")
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for groups in (per_frame[frame - 1], shared[0]):
        if groups.get(keyword):
            item: Dataset = groups[keyword].value[0]
            return item
    raise SourceMismatch(f"frame {frame} of the source has no {keyword}")


def _check_against_volume(planes: Sequence[SourcePlane], volume: CtVolume) -> None:
    slices, rows, columns = volume.voxels_hu.shape
    spacing = volume.spacing_zyx_mm[0]
    index = np.zeros((slices, 3))
    index[:, 0] = np.arange(slices)
    expected = volume.to_lps_mm(index)
    normal = volume.affine_lps[:3, 2] / spacing
    for z, plane in enumerate(planes):
        if (plane.rows, plane.columns) != (rows, columns):
            raise SourceMismatch(f"source slice {z} has {plane.rows} x {plane.columns} pixels, not {rows} x {columns}")
        offset = np.asarray(plane.position, dtype=np.float64) - expected[z]
        along = float(offset @ normal)
        across = float(np.linalg.norm(offset - along * normal))
        if abs(along) > NORMAL_TOLERANCE * spacing or across > IN_PLANE_TOLERANCE_MM:
            raise SourceMismatch(
                f"source slice {z} lies {along:.2f} mm along and {across:.2f} mm across from its place in the volume"
            )
        _check_axes(z, plane, volume)


def _check_axes(z: int, plane: SourcePlane, volume: CtVolume) -> None:
    """The row and column axes of the slice are those of the volume: otherwise a mask would be mirrored or turned."""
    cosines = np.asarray(plane.orientation, dtype=np.float64).reshape(2, 3)
    row_mm, column_mm = (float(value) for value in plane.pixel_spacing)
    axes = np.stack([cosines[0] * column_mm, cosines[1] * row_mm], axis=1)
    worst = float(np.max(np.abs(axes - volume.affine_lps[:3, :2])))
    if worst * max(plane.rows, plane.columns) > IN_PLANE_TOLERANCE_MM:
        raise SourceMismatch(f"the axes of source slice {z} are not those of the volume")
