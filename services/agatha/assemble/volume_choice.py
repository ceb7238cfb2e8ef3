"""Which frames of a series are one volume: split by what tells volumes apart, then choose one.

Decides what separates volumes (matrix, kernel, cardiac phase, acquisition), which of several is used, and what is done
with slices that are there twice. A part is never used for the whole: only volumes that reach as far as the series does
are chosen from, and everything left out is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from agatha.assemble.cardiac_phase import phase_percent, phase_preference
from agatha.assemble.instances import Frame
from agatha.assemble.refused import Refused
from agatha.assemble.slice_grid import SAME_POSITION_MM, Plane, by_position, grid_problem, repeats
from agatha.dicom.kernels import is_soft_kernel
from coronary.contract import QualityNote

#: A volume is as long as the whole series when it falls short by at most this at either end, mm: less than two slices
#: of a calcium scan.
FULL_LENGTH_TOLERANCE_MM: Final = 5.0

#: Slices further apart than this are samples of a volume (a few stray images), not a volume, mm.
MAXIMUM_STEP_MM: Final = 10.0

#: Slice thickness of the reference protocol for calcium scoring, mm.
SCORING_THICKNESS_MM: Final = 3.0

_Key = Callable[[Frame], Hashable]

#: Slices that differ in one of these can never be one volume.
_INSEPARABLE: Final[tuple[tuple[str, str, _Key], ...]] = (
    ("MIXED_MATRIX", "image size", lambda frame: (frame.rows, frame.columns)),
    ("MIXED_PIXEL_SPACING", "pixel spacing", lambda frame: tuple(round(value, 4) for value in frame.pixel_spacing_mm)),
    ("MIXED_KERNELS", "reconstruction kernel", lambda frame: frame.kernel),
)

#: Values that tell full volumes apart, also when their slices would fit between one another.
_SEPARATING: Final[tuple[tuple[str, _Key], ...]] = (
    ("cardiac phase", lambda frame: frame.phase_percent),
    ("scan options", lambda frame: frame.attributes.text("ScanOptions")),
    ("temporal position", lambda frame: frame.temporal_position),
    ("stack", lambda frame: frame.stack_id),
    ("slice thickness", lambda frame: frame.slice_thickness_mm),
)

#: Values that also change within one volume (slab by slab), so that they are asked only when the slices do not already
#: make one regular volume.
_DOUBTFUL: Final[tuple[tuple[str, _Key], ...]] = (
    ("trigger time", lambda frame: frame.trigger_delay_ms),
    ("acquisition", lambda frame: frame.acquisition_number),
    ("acquisition time", lambda frame: frame.acquisition_time),
)

#: Of these splits the parts are the same anatomy at different times.
_TIMES: Final = frozenset(
    {"cardiac phase", "scan options", "temporal position", "trigger time", "acquisition", "acquisition time"}
)

#: What the doubtful values must not be asked about: a grid, or one with slices missing (where the odd and the even
#: slices may well have been acquired apart).
_NOT_SEVERAL_VOLUMES: Final = (None, "GAP_BETWEEN_SLICES", "TOO_FEW_SLICES")


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The planes of one volume, each position once.

    Parameters
    ----------
    notes
        What was left out, for the reader of a result.
    phases
        Number of full volumes at these positions, this one included.
    """

    planes: list[Plane]
    notes: list[QualityNote]
    phases: int


def choose_volume(planes: Sequence[Plane], is_same_image: Callable[[Frame, Frame], bool]) -> Choice:
    """Choose the planes of one volume; `planes` sorted along the normal.

    Parameters
    ----------
    is_same_image
        Whether two frames hold equal pixels; asked only for slices at one position.

    Raises
    ------
    Refused
        ``MIXED_MATRIX``, ``MIXED_PIXEL_SPACING``, ``MIXED_KERNELS``, ``AMBIGUOUS_DUPLICATES``.
    """
    choice = Choice(list(planes), [], 1)
    for code, what, key in _INSEPARABLE:
        choice = _split_inseparable(choice, code, what, key)
    for what, key in _SEPARATING:
        choice = _split(choice, what, key)
    choice = _drop_duplicates(choice, is_same_image)
    if grid_problem(choice.planes) in _NOT_SEVERAL_VOLUMES:
        return choice
    for what, key in _DOUBTFUL:
        choice = _split(choice, what, key)
    choice = _split_unlabelled(_drop_duplicates(choice, is_same_image))
    remaining = repeats(choice.planes)
    if remaining:
        at = remaining[0][0].along_mm
        text = (
            f"There are {len(remaining[0])} different slices at {at:.2f} mm along the normal and no header tells which "
            f"is right ({len(remaining)} such positions)."
        )
        raise Refused("AMBIGUOUS_DUPLICATES", text, position_mm=at, positions=len(remaining))
    return choice


def _groups(planes: Sequence[Plane], key: _Key) -> list[list[Plane]]:
    groups: dict[Hashable, list[Plane]] = {}
    for plane in planes:
        groups.setdefault(key(plane.frame), []).append(plane)
    return list(groups.values())


def _full_length(groups: Sequence[Sequence[Plane]]) -> list[Sequence[Plane]]:
    """The groups that reach as far as all of them together, and are no mere samples."""
    lowest = min(group[0].along_mm for group in groups) + FULL_LENGTH_TOLERANCE_MM
    highest = max(group[-1].along_mm for group in groups) - FULL_LENGTH_TOLERANCE_MM
    return [
        group
        for group in groups
        if len(group) > 1
        and group[0].along_mm <= lowest
        and group[-1].along_mm >= highest
        and np.median(np.diff([plane.along_mm for plane in group])) <= MAXIMUM_STEP_MM
    ]


def _split_inseparable(choice: Choice, code: str, what: str, key: _Key) -> Choice:
    groups = _groups(choice.planes, key)
    if len(groups) == 1:
        return choice
    full = [group for group in _full_length(groups) if _is_whole(group)]
    if not full:
        odd = min(groups, key=len)[0]
        text = f"The slices do not share one {what}: {odd.frame.name} differs from the others."
        raise Refused(code, text, instance=odd.frame.name, position_mm=odd.along_mm, groups=len(groups))
    return _take_best(choice, full, groups, what)


def _split(choice: Choice, what: str, key: _Key) -> Choice:
    """Take one of several full volumes; without them nothing is split, because parts may belong together."""
    groups = _groups(choice.planes, key)
    full = _full_length(groups) if len(groups) > 1 else []
    if len(full) > 1 or (full and repeats(choice.planes)):
        return _take_best(choice, full, groups, what)
    return choice


def _split_unlabelled(choice: Choice) -> Choice:
    """Take the first of several volumes that only InstanceNumber tells apart: every position is there k times.

    Only where the numbers run volume by volume, or position by position; any other order says nothing.
    """
    positions = by_position(choice.planes)
    count = len(positions[0])
    numbers = [[plane.frame.instance_number for plane in group] for group in positions]
    if count == 1 or any(len(group) != count or None in group for group in numbers):
        return choice
    ranked = np.sort(np.array(numbers, dtype=np.int64), axis=1)
    by_volume = bool(np.all(ranked[:, :-1].max(axis=0) < ranked[:, 1:].min(axis=0)))
    ordered = ranked if ranked[0, 0] <= ranked[-1, 0] else ranked[::-1]
    by_place = bool(np.all(ordered[:-1, -1] < ordered[1:, 0]))
    if not (by_volume or by_place):
        return choice
    first = [min(group, key=lambda plane: plane.frame.instance_number or 0) for group in positions]
    text = f"Every position is there {count} times and no header names the phases; the first by InstanceNumber is used."
    return Choice(first, [*choice.notes, QualityNote("PHASES_NOT_LABELLED", text)], choice.phases * count)


def _take_best(choice: Choice, full: Sequence[Sequence[Plane]], groups: Sequence[Sequence[Plane]], what: str) -> Choice:
    best = min(full, key=_preference)
    percent = phase_percent(best[0].frame.attributes)
    used = f" ({percent:g} % of the RR interval)" if percent is not None else ""
    is_phase = what in _TIMES
    text = (
        f"The series holds {len(groups)} sets of slices that differ in {what}; the one that is used has {len(best)} "
        f"slices{used}."
    )
    note = QualityNote("PHASE_CHOSEN" if is_phase else "VOLUME_CHOSEN", text)
    return Choice(list(best), [*choice.notes, note], choice.phases * (len(full) if is_phase else 1))


def _preference(planes: Sequence[Plane]) -> tuple[Any, ...]:
    """Sorting key, best first.

    Without gaps, best phase, soft kernel, thickness near that of the scoring protocol, small pixels, many slices,
    acquired first.
    """
    frame = planes[0].frame
    return (
        not _is_whole(planes),
        phase_preference(frame.attributes),
        not is_soft_kernel(frame.kernel),
        abs((frame.slice_thickness_mm or SCORING_THICKNESS_MM) - SCORING_THICKNESS_MM),
        frame.pixel_spacing_mm[0],
        -len(planes),
        min(plane.frame.acquisition_number or 0 for plane in planes),
        min(plane.frame.instance_number or 0 for plane in planes),
        min(plane.frame.order for plane in planes),
    )


def _is_whole(planes: Sequence[Plane]) -> bool:
    """Whether the positions, each taken once, make a grid."""
    return grid_problem([group[0] for group in by_position(planes)]) is None


def _drop_duplicates(choice: Choice, is_same_image: Callable[[Frame, Frame], bool]) -> Choice:
    """Drop slices whose position and pixels equal those of another; nothing is dropped where any of them differs.

    The one with the lowest SOP Instance UID stays, so that the order of arrival changes nothing.
    """
    groups = by_position(choice.planes)
    for first, *others in groups:
        for other in others:
            if _is_elsewhere(first.frame, other.frame) or not is_same_image(first.frame, other.frame):
                return choice
    dropped = len(choice.planes) - len(groups)
    if not dropped:
        return choice
    text = f"{dropped} exact {'copy of an image was' if dropped == 1 else 'copies of images were'} left out."
    kept = [min(group, key=lambda plane: plane.frame.order) for group in groups]
    return Choice(kept, [*choice.notes, QualityNote("DUPLICATES_DROPPED", text)], choice.phases)


def _is_elsewhere(frame: Frame, other: Frame) -> bool:
    return not np.allclose(frame.position_lps_mm, other.position_lps_mm, rtol=0, atol=2 * SAME_POSITION_MM)
