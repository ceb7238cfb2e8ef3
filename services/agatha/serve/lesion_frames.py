"""Reads the lesion segmentation back: which segment lies on which source image, and where.

Decides which slices are worth showing. Reads BINARY segmentations (PS3.3 section A.51) through the references that
each frame carries; geometry is not used, because our segmentations are on the grid of their source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import SegmentationStorage

from agatha.dicom.codes import VESSEL_CODES

#: Vessel by the code of its anatomic region.
VESSEL_OF_CODE = {code.value: vessel.name for vessel, code in VESSEL_CODES.items()}

#: Pictures on one page; every lesion is on at least one of them as long as they suffice.
MAX_KEY_SLICES = 8


class UnreadableSegmentation(Exception):
    """Not a BINARY segmentation with source references, or it cannot be decoded."""


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One plane of the source series; `frame` counts from 1, None for a single-frame instance."""

    sop_instance_uid: str
    frame: int | None


@dataclass(frozen=True, slots=True, eq=False)
class LesionFrame:
    """One segment on one source image; `mask` has the shape (rows, columns) of the source."""

    segment_number: int
    source: SourceImage
    mask: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, slots=True, eq=False)
class LesionFrames:
    """All frames of a lesion segmentation, and the vessel of each segment ("" when it names none)."""

    frames: Sequence[LesionFrame]
    vessels: dict[int, str]

    def on(self, source: SourceImage) -> list[LesionFrame]:
        """Return the frames that lie on one source image, by segment number."""
        return sorted((frame for frame in self.frames if frame.source == source), key=lambda f: f.segment_number)


@dataclass(frozen=True, slots=True)
class KeySlice:
    """A source image worth showing, and the segments seen on it."""

    source: SourceImage
    segment_numbers: tuple[int, ...]


def read_lesion_frames(path: Path) -> LesionFrames:
    """Read a segmentation file.

    Raises
    ------
    UnreadableSegmentation
        When it is something else, or cannot be decoded.
    """
    try:
        segmentation = dcmread(path)
        if segmentation.SOPClassUID != SegmentationStorage or segmentation.SegmentationType != "BINARY":
            raise UnreadableSegmentation("expected a BINARY segmentation")
        masks = pixel_array(segmentation).reshape(-1, segmentation.Rows, segmentation.Columns).astype(np.bool_)
        shared = segmentation.SharedFunctionalGroupsSequence[0]
        frames = [
            _lesion_frame(groups, shared, mask)
            for groups, mask in zip(segmentation.PerFrameFunctionalGroupsSequence, masks, strict=True)
        ]
        vessels = {int(segment.SegmentNumber): _vessel_of(segment) for segment in segmentation.SegmentSequence}
    except UnreadableSegmentation:
        raise
    except Exception as exc:
        raise UnreadableSegmentation(f"cannot be decoded ({type(exc).__name__})") from exc
    return LesionFrames(tuple(frame for frame in frames if frame.area), vessels)


def choose_key_slices(lesions: LesionFrames, limit: int = MAX_KEY_SLICES) -> list[KeySlice]:
    """Return slices, at most `limit`, on which every lesion appears as long as that many suffice.

    Lesions are served in order of their size, each with the slice where it is largest, so that with too many of them
    the largest are shown; a lesion that is already on a chosen slice needs no other.
    """
    seen: dict[SourceImage, set[int]] = {}
    largest: dict[int, LesionFrame] = {}
    for frame in lesions.frames:
        seen.setdefault(frame.source, set()).add(frame.segment_number)
        if frame.segment_number not in largest or frame.area > largest[frame.segment_number].area:
            largest[frame.segment_number] = frame
    chosen: list[SourceImage] = []
    shown: set[int] = set()
    for frame in sorted(largest.values(), key=lambda frame: (-frame.area, frame.segment_number)):
        if frame.segment_number not in shown and len(chosen) < limit:
            chosen.append(frame.source)
            shown |= seen[frame.source]
    return [KeySlice(source, tuple(sorted(seen[source]))) for source in chosen]


def _lesion_frame(groups: Dataset, shared: Dataset, mask: NDArray[np.bool_]) -> LesionFrame:
    identification = _group(groups, shared, "SegmentIdentificationSequence")
    derivation = _group(groups, shared, "DerivationImageSequence")
    source = derivation.SourceImageSequence[0]
    frame = source.get("ReferencedFrameNumber")
    number = None if frame is None else int(frame if isinstance(frame, str | int) else frame[0])
    return LesionFrame(
        segment_number=int(identification.ReferencedSegmentNumber),
        source=SourceImage(str(source.ReferencedSOPInstanceUID), number),
        mask=mask,
    )


def _group(groups: Dataset, shared: Dataset, keyword: str) -> Dataset:
    sequence = groups.get(keyword) or shared.get(keyword)
    if not sequence:
        raise UnreadableSegmentation(f"a frame has no {keyword}")
    item: Dataset = sequence[0]
    return item


def _vessel_of(segment: Dataset) -> str:
    regions = segment.get("AnatomicRegionSequence") or ()
    return next((VESSEL_OF_CODE[r.CodeValue] for r in regions if r.get("CodeValue") in VESSEL_OF_CODE), "")
