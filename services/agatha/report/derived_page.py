"""The page of derived series: trunks straightened before and after, and the stenosis of every segment.

Decides the layout. Every number comes from the findings as it is; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agatha.report.calibration_plot import TRUNKS
from agatha.report.drawing import Page
from agatha.report.page_frame import CONTENT_BOTTOM, CONTENT_TOP, MARGIN, MUTED, PANEL, RULE, TEXT, WARNING, WIDTH
from agatha.report.slice_tiles import CONTRAST_SCAN_WINDOW
from coronary.coronary_tree import CENTERLINE_STEP_MM, Centerline
from coronary.coronary_tree.curves import rotation_minimising_frames
from coronary.ct_volume import CtVolume
from coronary.derived_findings import DerivedFindings, SegmentReading
from coronary.imaging.curved_planes import straightened

#: What a strip shows to either side of the centreline, and a pixel of it before it is drawn, mm.
HALF_WIDTH_MM = 9.0
PIXEL_MM = 0.25

#: The longest course that is drawn to scale; a longer one is cut at its far end, mm.
LONGEST_MM = 190.0

_STRIP_TOP = CONTENT_TOP + 46
_SCALE = (CONTENT_BOTTOM - _STRIP_TOP) / LONGEST_MM
_STRIP_WIDTH = round(2 * HALF_WIDTH_MM * _SCALE)
_STRIP_GAP = 4
_COLUMN_WIDTH = 2 * _STRIP_WIDTH + _STRIP_GAP + 52
_TABLE_LEFT = MARGIN + len(TRUNKS) * _COLUMN_WIDTH + 8
_ROW_HEIGHT = 25
_NOTES_HEIGHT = 150


def draw_derived(page: Page, volume: CtVolume, findings: DerivedFindings) -> None:
    """Draw the content of the page: strips of the three trunks on the left, the table and the notes on the right."""
    # Of a scan without calcium nothing was made: it is drawn beside itself, and a note says why.
    derived = CtVolume(findings.volumes[0].voxels_hu, volume.affine_lps) if findings.volumes else volume
    for number, (title, names) in enumerate(TRUNKS):
        found = [findings.tree.centerline(name) for name in names]
        lines = [line for line in found if line is not None]
        left = MARGIN + number * _COLUMN_WIDTH
        page.text((left, CONTENT_TOP), title, 16, TEXT, bold=True)
        if lines:
            _draw_trunk(page, left, (volume, derived), lines, findings.readings)
        else:
            page.text((left, _STRIP_TOP), "not found", 15, MUTED)
    _draw_table(page, findings)
    _draw_notes(page, findings)


def _draw_trunk(
    page: Page,
    left: int,
    volumes: tuple[CtVolume, CtVolume],
    lines: Sequence[Centerline],
    readings: Sequence[SegmentReading],
) -> None:
    """Both strips of one trunk, its segments, and where the second must not be trusted."""
    # A branch begins on a point of its parent, which is there already.
    courses = [line.points_lps_mm[1 if number else 0 :] for number, line in enumerate(lines)]
    points = np.concatenate(courses)[: round(LONGEST_MM / CENTERLINE_STEP_MM)]
    frames = rotation_minimising_frames(points)
    for number, (name, volume) in enumerate(zip(("scanned", "made"), volumes, strict=True)):
        x = left + number * (_STRIP_WIDTH + _STRIP_GAP)
        page.text((x, CONTENT_TOP + 24), name, 13, MUTED, max_width=_STRIP_WIDTH)
        page.image.paste(_strip(volume, points, frames), (x, _STRIP_TOP))
    distrusted = {(r.original.artery, r.original.segment) for r in readings if not r.is_trusted}
    right = left + 2 * _STRIP_WIDTH + _STRIP_GAP
    first = 0
    for line in lines:
        for segment in dict.fromkeys(line.segment.tolist()):
            here = first + np.flatnonzero(line.segment == segment)
            top, bottom = (_STRIP_TOP + float(at) * CENTERLINE_STEP_MM * _SCALE for at in (here[0], here[-1] + 1))
            if top >= CONTENT_BOTTOM:
                continue
            is_bad = (line.name, segment) in distrusted
            edges = (right + 3, top + 1, right + 8, min(bottom, CONTENT_BOTTOM) - 1)
            page.draw.rectangle(edges, fill=WARNING if is_bad else RULE)
            page.text((right + 13, top), str(segment), 13, WARNING if is_bad else MUTED)
        first += len(line.points_lps_mm) - 1


def _strip(volume: CtVolume, points: NDArray[np.float64], frames: NDArray[np.float64]) -> Image.Image:
    """The straightened trunk, proximal end at the top, to the scale of the page."""
    hu = straightened(volume, points, frames, HALF_WIDTH_MM, PIXEL_MM)
    grey = np.asarray(np.rint(255 * CONTRAST_SCAN_WINDOW.grey(hu.astype(np.int16))), np.uint8)
    height = max(1, round(len(points) * CENTERLINE_STEP_MM * _SCALE))
    return Image.fromarray(grey).resize((_STRIP_WIDTH, height), Image.Resampling.BICUBIC).convert("RGB")


def _draw_table(page: Page, findings: DerivedFindings) -> None:
    """Diameter stenosis of every segment, scanned and made; what is not trusted says so."""
    left, right, bottom = _TABLE_LEFT, WIDTH - MARGIN, CONTENT_BOTTOM - _NOTES_HEIGHT - 8
    page.box((left, CONTENT_TOP, right, bottom), PANEL)
    page.text((left + 14, CONTENT_TOP + 10), "Diameter stenosis, %", 16, TEXT, bold=True)
    page.text((right - 14, CONTENT_TOP + 11), f"CAD-RADS {findings.cad_rads} (made)", 15, TEXT, bold=True, anchor="ra")
    columns = (left + 170, left + 250)
    top = CONTENT_TOP + 40
    for x, head in zip(columns, ("scanned", "made"), strict=True):
        page.text((x, top), head, 13, MUTED, anchor="ra")
    room = int((bottom - top - 30) // _ROW_HEIGHT)
    shown, hidden = findings.readings[:room], findings.readings[room:]
    for number, reading in enumerate(shown, start=1):
        y = top - 2 + number * _ROW_HEIGHT
        page.line((left + 14, y - 3), (right - 14, y - 3), RULE)
        page.text((left + 14, y), f"{reading.original.artery} {reading.original.segment}", 15, TEXT, bold=True)
        colour = TEXT if reading.is_trusted else WARNING
        page.text((columns[0], y), f"{reading.original.percent:.0f}", 15, TEXT, anchor="ra")
        page.text((columns[1], y), f"{reading.derived.percent:.0f}", 15, colour, anchor="ra")
        if not reading.is_trusted:
            page.text(
                (columns[1] + 18, y),
                f"do not trust: {reading.distrust}",
                13,
                WARNING,
                max_width=right - columns[1] - 30,
            )
    if hidden:
        page.text((left + 14, bottom - 22), f"… and {len(hidden)} more: see the measurement report", 13, WARNING)


def _draw_notes(page: Page, findings: DerivedFindings) -> None:
    left, right, top = _TABLE_LEFT, WIDTH - MARGIN, CONTENT_BOTTOM - _NOTES_HEIGHT
    page.box((left, top, right, CONTENT_BOTTOM), PANEL)
    width = right - left - 28
    text = (
        "“Made” shows what was never scanned. “Scanned” takes calcium for no lumen. Readings of calcified segments "
        "scatter widely around the true stenosis: see the model card."
    )
    y = page.paragraph((left + 14, top + 10), text, 14, TEXT, width=width, lines=3) + 4
    for note in findings.quality:
        if y > CONTENT_BOTTOM - 24:
            break
        y = page.paragraph((left + 14, y), f"• {note.text}", 13, MUTED, width=width, lines=2)
