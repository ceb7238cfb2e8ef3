"""What the headers of a series say, for routing, without a decoded pixel.

Decides which images speak for a series that holds more than one volume. What follows from it is decided in
`agatha.route`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agatha.assemble.acquisition import acquisition_facts
from agatha.assemble.cardiac_phase import gating_evidence
from agatha.assemble.instances import Frame
from agatha.assemble.refused import Refused
from agatha.assemble.slice_grid import SAME_POSITION_MM, image_normal, place_frames
from agatha.assemble.volume_choice import choose_volume
from agatha.dicom.ct_series import SeriesHeader


def describe_series(frames: Sequence[Frame]) -> SeriesHeader:
    """Describe the volume that would be analysed; the largest view of the series when none can be chosen."""
    images = [frame for frame in frames if frame.is_ct and not frame.is_localizer]
    if not images:
        return describe_volume(_largest_view(frames), frames, phases=0)
    try:
        choice = choose_volume(place_frames(images), is_same_image=lambda _one, _other: True)
    except Refused:
        return describe_volume(_largest_view(images), frames, phases=0)
    return describe_volume([plane.frame for plane in choice.planes], frames, phases=choice.phases)


def describe_volume(volume: Sequence[Frame], received: Sequence[Frame], *, phases: int) -> SeriesHeader:
    """Describe the frames of one volume, chosen from those received."""
    first = volume[0]
    attributes = first.attributes
    normal = image_normal(first)
    places = _distinct_places(volume)
    steps = np.diff(places)
    spacing = float(np.median(steps)) if steps.size else None
    sides = [(frame.rows, frame.columns) @ np.diag(frame.pixel_spacing_mm) for frame in volume if frame.has_plane]
    return SeriesHeader(
        study_instance_uid=attributes.text("StudyInstanceUID"),
        series_instance_uid=first.instance.series_instance_uid,
        modality=attributes.text("Modality").upper(),
        sop_class_uid=first.instance.sop_class_uid,
        image_type=first.image_type,
        series_number=attributes.integer("SeriesNumber"),
        scan_options=attributes.text("ScanOptions"),
        rescale_type=_rescale_type(volume),
        is_own_output=any(frame.instance.is_own_output for frame in received),
        facts=acquisition_facts(volume),
        gating_evidence=gating_evidence(attributes),
        phases=phases,
        slice_count=places.size,
        spacing_mm=spacing,
        coverage_mm=float(places[-1] - places[0]) + spacing if spacing is not None else 0.0,
        normal_lps=None if normal is None else (float(normal[0]), float(normal[1]), float(normal[2])),
        field_of_view_mm=max((float(max(side)) for side in sides), default=None),
    )


def _largest_view(frames: Sequence[Frame]) -> list[Frame]:
    """The images of the orientation that most of them have: a few reformats must not speak for the axial slices."""
    views: dict[tuple[float, ...], list[Frame]] = {}
    for frame in frames:
        views.setdefault(tuple(round(cosine, 2) for cosine in frame.orientation), []).append(frame)
    return max(views.values(), key=len)


def _distinct_places(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Positions along the normal, ascending, each once; none when an image has no geometry."""
    normal = image_normal(frames[0])
    if normal is None or not all(frame.has_plane for frame in frames):
        return np.zeros(0)
    places = np.sort(np.array([frame.position_lps_mm for frame in frames]) @ normal)
    return places[np.diff(places, prepend=-np.inf) >= SAME_POSITION_MM]


def _rescale_type(frames: Sequence[Frame]) -> str:
    """The RescaleType that is not HU, if any image has one: it speaks for the series."""
    found = {frame.attributes.text("RescaleType").upper() for frame in frames} - {""}
    return min(found - {"HU"}, default="HU" if found else "")
