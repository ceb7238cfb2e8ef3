"""The page of the coronary tree as a picture, for people: three projections, and what the thresholds were adapted to.

Decides the layout. Every number comes from the findings as it is; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from agatha.report.calibration_plot import FACTOR, TRUNKS, UNRELIABLE, PlotRange, draw_trunk
from agatha.report.colours import AORTA_RGB, CALCIUM_RGB, VESSEL_RGB
from agatha.report.drawing import Colour, Page
from agatha.report.page_frame import (
    CONTENT_BOTTOM,
    CONTENT_TOP,
    MARGIN,
    MUTED,
    PANEL,
    RULE,
    TEXT,
    WARNING,
    WIDTH,
    framed_page,
)
from agatha.report.request import ReportRequest
from agatha.report.source_images import SourceImages
from agatha.report.tree_projections import NEAR_MM, VIEWS, TreeScene, View
from coronary.calcium import Vessel, score_text
from coronary.contract import CalciumFindings, ContrastFindings
from coronary.coronary_tree import MAIN_TRUNKS
from coronary.ct_volume import CtVolume

_TITLE = "Coronary tree and calibration"
_GAP = 8
_TILE_SIDE = (WIDTH - 2 * MARGIN - 2 * _GAP) // 3
_TILE_BORDER = 22
_SCALE_BAR_MM = 20
_LEGEND_TOP = CONTENT_TOP + _TILE_SIDE + 8
_PLOTS_TOP = _LEGEND_TOP + 34
_TABLE_WIDTH = 316
_PLOT_WIDTH = (WIDTH - 2 * MARGIN - _TABLE_WIDTH - 3 * _GAP) // 3

#: An artery is named this far along its course.
_NAME_AT = 0.62


def draw_tree_views(request: ReportRequest, sources: SourceImages) -> Image.Image:
    """Draw the page, RGB, 1280 x 1024.

    Raises
    ------
    ValueError
        Without the findings of a contrast scan.
    """
    findings, volume = request.calcium, request.volume
    if findings is None or volume is None or findings.contrast is None:
        raise ValueError("views of a coronary tree need the findings of a contrast scan")
    page = framed_page(request, sources.header, _TITLE)
    _draw_views(page, volume, findings, findings.contrast)
    _draw_colours(page)
    limits = PlotRange.of(findings.contrast)
    for number, (title, names) in enumerate(TRUNKS):
        left = MARGIN + number * (_PLOT_WIDTH + _GAP)
        corners = (left, _PLOTS_TOP, left + _PLOT_WIDTH, CONTENT_BOTTOM)
        draw_trunk(page, corners, title, names, findings.contrast, limits)
    _draw_table(page, findings, findings.contrast)
    return page.image


def _draw_views(page: Page, volume: CtVolume, findings: CalciumFindings, contrast: ContrastFindings) -> None:
    """Three tiles side by side, all to one scale."""
    scene = TreeScene.of(volume, findings)
    longest_mm = max(max(scene.extent_mm(view)) for view in VIEWS)
    pixels_per_mm = (_TILE_SIDE - 2 * _TILE_BORDER) / longest_mm
    for number, view in enumerate(VIEWS):
        left, top = MARGIN + number * (_TILE_SIDE + _GAP), CONTENT_TOP
        page.draw.rectangle((left, top, left + _TILE_SIDE - 1, top + _TILE_SIDE - 1), fill=(0, 0, 0))
        picture = scene.picture(view, pixels_per_mm)
        x, y = left + (_TILE_SIDE - picture.width) // 2, top + (_TILE_SIDE - picture.height) // 2
        page.image.paste(picture, (x, y))
        for name in MAIN_TRUNKS:
            line = contrast.tree.centerline(name)
            if line is None:
                continue
            point = line.points_lps_mm[int(_NAME_AT * (len(line.points_lps_mm) - 1))]
            right_mm, down_mm = scene.place(view, point, volume)
            at = (x + right_mm * pixels_per_mm + 7, y + down_mm * pixels_per_mm - 8)
            page.text(at, name, 13, VESSEL_RGB[Vessel[name]], bold=True, on_picture=True)
        _label_tile(page, left, top, view, pixels_per_mm)


def _label_tile(page: Page, left: int, top: int, view: View, pixels_per_mm: float) -> None:
    letters, side = view.letters, _TILE_SIDE
    middle = side / 2
    page.text((left + 8, top + 6), view.title, 14, TEXT, bold=True, on_picture=True)
    page.text((left + 6, top + middle - 8), letters[0], 15, WARNING, on_picture=True)
    page.text((left + side - 6, top + middle - 8), letters[1], 15, WARNING, anchor="ra", on_picture=True)
    page.text((left + middle, top + 5), letters[2], 15, WARNING, anchor="ma", on_picture=True)
    page.text((left + middle, top + side - 22), letters[3], 15, WARNING, anchor="ma", on_picture=True)
    length, y = _SCALE_BAR_MM * pixels_per_mm, top + side - 12
    page.draw.line([(left + 10, y), (left + 10 + length, y)], fill=TEXT, width=3)
    page.text((left + 10, y - 20), f"{_SCALE_BAR_MM} mm", 12, TEXT, on_picture=True)


def _draw_colours(page: Page) -> None:
    entries: list[tuple[str, Colour]] = [(vessel.name, VESSEL_RGB[vessel]) for vessel in Vessel]
    entries += [("scored calcium", CALCIUM_RGB), ("ascending aorta", AORTA_RGB)]
    x = MARGIN + 4.0
    for name, colour in entries:
        page.draw.rectangle((x, _LEGEND_TOP + 3, x + 13, _LEGEND_TOP + 16), fill=colour)
        x += 20 + page.text((x + 20, _LEGEND_TOP), name, 15, TEXT) + 24
    what = f"Brightest voxel within {NEAR_MM:g} mm of an artery; arteries by vessel"
    page.text((WIDTH - MARGIN, _LEGEND_TOP + 1), what, 14, MUTED, anchor="ra", max_width=WIDTH - MARGIN - x)


def _draw_table(page: Page, findings: CalciumFindings, contrast: ContrastFindings) -> None:
    """What the lines of the plots mean, with their numbers, and how firm the estimate is."""
    left, right = WIDTH - MARGIN - _TABLE_WIDTH, WIDTH - MARGIN
    page.box((left, _PLOTS_TOP, right, CONTENT_BOTTOM), PANEL)
    x, y = left + 14, _PLOTS_TOP + 8
    page.text((x, y), "Along the centreline", 16, TEXT, bold=True)
    rows: tuple[tuple[Callable[[Page, float, float], None], str, str], ...] = (
        (_dots, "lumen", ""),
        (_hollow_dots, "not lumen: calcium, narrow place", ""),
        (_line(CALCIUM_RGB, is_dashed=False), "calcium for certain from", ""),
        (_line(FACTOR), "calibration factor", f"{contrast.calibration_factor_hu:.0f} HU"),
        (_line(AORTA_RGB), "aorta, mean ± SD", f"{contrast.aorta_mean_hu:.0f} ± {contrast.aorta_sd_hu:.0f} HU"),
    )
    for number, (sample, name, value) in enumerate(rows):
        top = y + 30 + number * 25
        sample(page, x, top + 8)
        page.text((x + 36, top), name, 14, MUTED if not value else TEXT, max_width=right - x - 44)
        page.text((right - 14, top), value, 14, TEXT, bold=True, anchor="ra")
    top = y + 30 + len(rows) * 25 + 6
    page.line((x, top), (right - 14, top), RULE)
    shift = f"{contrast.threshold_shift_hu:g} HU"
    scores = (
        ("Agatston equivalent", findings.score.agatston.total),
        (f"threshold −{shift}", contrast.agatston_at_lower_thresholds.total),
        (f"threshold +{shift}", contrast.agatston_at_higher_thresholds.total),
    )
    for number, (name, score) in enumerate(scores):
        row = top + 10 + number * 27
        page.text((x, row), name, 15, TEXT, bold=number == 0)
        page.text((right - 14, row), score_text(score), 17, TEXT, bold=number == 0, anchor="ra")
    voltage = f"{contrast.kvp:g} kV   ·   dominance {contrast.tree.dominance or 'not determined'}"
    page.text((x, top + 10 + len(scores) * 27 + 6), voltage, 13, MUTED, max_width=right - x - 14)


def _dots(page: Page, x: float, y: float) -> None:
    for number, vessel in enumerate(Vessel):
        at = x + 3 + number * 7
        page.draw.ellipse((at - 2, y - 2, at + 2, y + 2), fill=VESSEL_RGB[vessel])


def _hollow_dots(page: Page, x: float, y: float) -> None:
    for at in np.linspace(x + 4, x + 23, 3).tolist():
        page.draw.ellipse((at - 3, y - 3, at + 3, y + 3), outline=UNRELIABLE)


def _line(colour: Colour, *, is_dashed: bool = True) -> Callable[[Page, float, float], None]:
    def sample(page: Page, x: float, y: float) -> None:
        for first, last in ((0, 11), (16, 27)) if is_dashed else ((0, 27),):
            page.draw.line([(x + first, y), (x + last, y)], fill=colour, width=2)

    return sample
