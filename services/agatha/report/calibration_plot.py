"""Plots of the attenuation along the main trunks: what the thresholds of a contrast scan were adapted to.

Decides what is plotted and its axes, the same for all trunks of a page. Computes nothing but the distance of each
artery's beginning from its ostium.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from agatha.report.colours import AORTA_RGB, CALCIUM_RGB, VESSEL_RGB
from agatha.report.drawing import Colour, Page
from agatha.report.page_frame import MUTED, PANEL, RULE, TEXT
from coronary.calcium import Vessel
from coronary.contract import ContrastFindings, LumenCourse
from coronary.coronary_tree import CoronaryTree

#: Title of each plot and the courses in it.
TRUNKS = (("LM + LAD", ("LM", "LAD")), ("LCX", ("LCX",)), ("RCA", ("RCA",)))

UNRELIABLE: Colour = (150, 158, 168)
FACTOR: Colour = (255, 255, 255)

#: Of all measured points this share lies inside the plot at least; the others are marked at its upper edge.
_SHOWN_SHARE = 0.98
_STEP_HU, _STEP_MM = 200, 50

#: Plots are drawn this much larger and then reduced, for smooth lines.
_OVERSAMPLING = 3
_DOT = 1.3
_LEFT, _RIGHT, _ABOVE, _BELOW = 44, 10, 34, 40


@dataclass(frozen=True, slots=True)
class PlotRange:
    """Upper ends of the axes, mm and HU; both begin at 0."""

    length_mm: float
    highest_hu: float

    @classmethod
    def of(cls, contrast: ContrastFindings) -> PlotRange:
        """Range that holds the main trunks, their thresholds and all levels."""
        levels = [contrast.aorta_mean_hu, contrast.calibration_factor_hu, float(_STEP_HU)]
        length_mm = float(_STEP_MM)
        for _, names in TRUNKS:
            for course, start_mm in courses_from_ostium(contrast, names):
                length_mm = max(length_mm, start_mm + float(course.arc_length_mm[-1]))
                levels += course.threshold_hu[np.isfinite(course.threshold_hu)].tolist()
                finite = course.measured_hu[np.isfinite(course.measured_hu)]
                levels += [float(np.quantile(finite, _SHOWN_SHARE))] if finite.size else []
        return cls(length_mm * 1.02, math.ceil(max(levels) * 1.05 / 100) * 100.0)


def courses_from_ostium(contrast: ContrastFindings, names: tuple[str, ...]) -> list[tuple[LumenCourse, float]]:
    """Courses of these names that were found, each with the distance of its first point from the ostium, mm."""
    return [
        (course, distance_from_ostium_mm(contrast.tree, course.name))
        for name in names
        for course in contrast.courses
        if course.name == name
    ]


def distance_from_ostium_mm(tree: CoronaryTree, name: str) -> float:
    """Length of the way from the ostium to the first point of an artery, through its parents; 0 at an ostium."""
    line = tree.centerline(name)
    if line is None:
        return 0.0
    whole = tree.from_ostium(name)
    return float(whole.arc_length_mm[len(whole.points_lps_mm) - len(line.points_lps_mm)])


def draw_trunk(
    page: Page,
    corners: tuple[int, int, int, int],
    title: str,
    names: tuple[str, ...],
    contrast: ContrastFindings,
    limits: PlotRange,
) -> None:
    """Plot the courses of one trunk into a panel: lumen, threshold, aorta and calibration factor."""
    left, top, right, bottom = corners
    page.box(corners, PANEL)
    page.text((left + 12, top + 8), title, 16, TEXT, bold=True)
    area = (left + _LEFT, top + _ABOVE, right - _RIGHT, bottom - _BELOW)
    courses = courses_from_ostium(contrast, names)
    if not courses:
        page.text(((area[0] + area[2]) / 2, (area[1] + area[3]) / 2), "not found", 16, MUTED, anchor="ma")
        return
    curve = _Curves(area[2] - area[0], area[3] - area[1], limits)
    curve.level(contrast.aorta_mean_hu, AORTA_RGB)
    curve.level(contrast.calibration_factor_hu, FACTOR)
    for course, start_mm in courses:
        curve.course(course, start_mm, VESSEL_RGB[Vessel[course.name]])
    page.image.paste(curve.finished(), area[:2])
    _draw_axes(page, area, limits)


class _Curves:
    """Inside of one plot, drawn larger than it will be."""

    def __init__(self, width: int, height: int, limits: PlotRange) -> None:
        self.width, self.height, self.limits = width, height, limits
        self.image = Image.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), PANEL)
        self.draw = ImageDraw.Draw(self.image)
        for hu in _ticks(limits.highest_hu, _STEP_HU):
            self._line([(0.0, hu), (limits.length_mm, hu)], RULE, 1)

    def level(self, hu: float, colour: Colour) -> None:
        """Dashed horizontal line."""
        dash = self.limits.length_mm / 36
        for number in range(0, 36, 2):
            self._line([(number * dash, hu), ((number + 1.1) * dash, hu)], colour, 1)

    def course(self, course: LumenCourse, start_mm: float, colour: Colour) -> None:
        """Threshold as a line, attenuation as dots: hollow where it is not that of the lumen."""
        at_mm = start_mm + course.arc_length_mm
        self._line(list(zip(at_mm.tolist(), course.threshold_hu.tolist(), strict=True)), CALCIUM_RGB, 2)
        for is_reliable in (False, True):
            chosen = np.isfinite(course.measured_hu) & (course.is_reliable == is_reliable)
            for mm, hu in zip(at_mm[chosen].tolist(), course.measured_hu[chosen].tolist(), strict=True):
                self._dot(mm, hu, colour if is_reliable else UNRELIABLE, is_filled=is_reliable)

    def finished(self) -> Image.Image:
        """The plot in its final size."""
        return self.image.reduce(_OVERSAMPLING)

    def _at(self, mm: float, hu: float) -> tuple[float, float]:
        x = mm / self.limits.length_mm * self.width
        y = (1 - min(max(hu / self.limits.highest_hu, 0.0), 1.0)) * self.height
        return x * _OVERSAMPLING, y * _OVERSAMPLING

    def _line(self, points: list[tuple[float, float]], colour: Colour, width: int) -> None:
        self.draw.line([self._at(mm, hu) for mm, hu in points], fill=colour, width=width * _OVERSAMPLING)

    def _dot(self, mm: float, hu: float, colour: Colour, *, is_filled: bool) -> None:
        x, y = self._at(mm, hu)
        radius = (_DOT if is_filled else _DOT + 0.7) * _OVERSAMPLING
        corners = (x - radius, y - radius, x + radius, y + radius)
        if hu > self.limits.highest_hu:  # beyond the plot: a triangle that points there
            self.draw.polygon([(x, 0), (x - 2 * radius, 3 * radius), (x + 2 * radius, 3 * radius)], fill=colour)
        elif is_filled:
            self.draw.ellipse(corners, fill=colour)
        else:
            self.draw.ellipse(corners, outline=colour, width=_OVERSAMPLING)


def _draw_axes(page: Page, area: tuple[int, int, int, int], limits: PlotRange) -> None:
    left, top, right, bottom = area
    page.line((left, bottom), (right, bottom), MUTED)
    page.line((left, top), (left, bottom), MUTED)
    for hu in (0, *_ticks(limits.highest_hu, _STEP_HU)):
        y = bottom - hu / limits.highest_hu * (bottom - top)
        page.text((left - 6, y - 8), str(hu), 12, MUTED, anchor="ra")
    for mm in (0, *_ticks(limits.length_mm, _STEP_MM)):
        page.text((left + mm / limits.length_mm * (right - left), bottom + 4), str(mm), 12, MUTED, anchor="ma")
    page.text((right, top - 20), "HU", 12, MUTED, anchor="ra")
    page.text(((left + right) / 2, bottom + 20), "mm from the ostium", 12, MUTED, anchor="ma")


def _ticks(highest: float, step: int) -> range:
    return range(step, int(highest) + 1, step)
