"""The two questions a series is asked: what do its headers say, and what volume do its instances make?

Decides the order of the checks. Whether the volume suits an analysis (number of
slices, coverage, thickness, contrast) is decided in `agatha.route`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from agatha.assemble.acquisition import acquisition_notes, check_tube_voltage, is_proven_complete
from agatha.assemble.instances import Frame, read_frames
from agatha.assemble.pixels import is_same_image, read_voxels_hu
from agatha.assemble.refused import Refused
from agatha.assemble.series_header import describe_series, describe_volume
from agatha.assemble.slice_grid import place_frames, slice_grid
from agatha.assemble.volume_choice import choose_volume
from agatha.dicom.ct_series import AssembledSeries, SeriesHeader, SourceSlice
from agatha.dicom.uids import src_digest
from coronary.contract import QualityNote, Refusal
from coronary.ct_volume import CtVolume


def read_series_header(paths: Sequence[Path]) -> SeriesHeader | Refusal:
    """Describe a series by its headers alone, in any order of the files.

    Refusals: ``NO_INSTANCES``, ``HEADER_UNREADABLE``, ``FRAMES_INCONSISTENT``, ``SEVERAL_SERIES``. Missing geometry is
    none here.

    Raises
    ------
    OSError
        When a file cannot be read from its disk: that says nothing about the series.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of malformed values; here such a value counts as missing
        try:
            return describe_series(_frames_of_one_series(paths))
        except Refused as refused:
            return refused.refusal


def assemble_series(paths: Sequence[Path]) -> AssembledSeries | Refusal:
    """Build one volume from the instances of a series, in any order of the files.

    Slices are sorted along their normal and must be evenly spaced; nothing is ever interpolated. Where a series holds
    several volumes one is chosen and a note says so. Rules: ``place_frames``, ``choose_volume``, ``slice_grid``,
    ``read_voxels_hu``, which also name the codes of the refusals; further ``NO_CT_IMAGES``, ``MIXED_KVP``, and
    those of ``read_series_header``.

    Raises
    ------
    OSError
        When a file cannot be read from its disk: that says nothing about the series.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _assemble(_frames_of_one_series(paths))
        except Refused as refused:
            return refused.refusal


def _frames_of_one_series(paths: Sequence[Path]) -> list[Frame]:
    frames = read_frames(paths)
    count = len({frame.instance.series_instance_uid for frame in frames})
    if count != 1:
        raise Refused("SEVERAL_SERIES", f"The instances belong to {count} series.", series=count)
    return frames


def _assemble(frames: Sequence[Frame]) -> AssembledSeries:
    images = [frame for frame in frames if frame.is_ct and not frame.is_localizer]
    if not images:
        raise Refused("NO_CT_IMAGES", "The series holds no CT image other than localizers.", frames=len(frames))
    choice = choose_volume(place_frames(images), is_same_image)
    grid = slice_grid(choice.planes)
    check_tube_voltage(grid.frames)
    voxels_hu = read_voxels_hu(grid.frames)
    header = describe_volume(grid.frames, frames, phases=choice.phases)
    notes = (*_left_out(len(frames) - len(images)), *choice.notes, *acquisition_notes(grid.frames))
    return AssembledSeries(
        volume=CtVolume(voxels_hu, grid.affine_lps),
        facts=header.facts,
        slices=tuple(_source(frame) for frame in grid.frames),
        src_digest=src_digest((frame.instance.sop_instance_uid, frame.number) for frame in grid.frames),
        is_proven_complete=is_proven_complete(grid.frames, frames),
        notes=notes,
        header=header,
    )


def _left_out(count: int) -> list[QualityNote]:
    if count == 0:
        return []
    what = (
        "image is a localizer or no CT image and was"
        if count == 1
        else "images are localizers or no CT images and were"
    )
    return [QualityNote("OTHER_IMAGES_LEFT_OUT", f"{count} {what} left out.")]


def _source(frame: Frame) -> SourceSlice:
    x, y, z = frame.position_lps_mm
    return SourceSlice(frame.instance.sop_instance_uid, frame.number, frame.instance.path, (x, y, z))
