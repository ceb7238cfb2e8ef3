"""The summary page as a picture, for people: identification, scores, key slices, notes, how it was made.

Decides the layout and how numbers are rounded for reading. Every number comes from the findings as it is; nothing is
computed here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom import Dataset

from agatha.dicom import codes
from agatha.report.colours import VESSEL_RGB
from agatha.report.drawing import Colour, Page, is_drawable
from agatha.report.key_images import MAXIMUM_KEY_SLICES, key_slices
from agatha.report.request import ReportRequest
from agatha.report.slice_tiles import crop_around, edge_letters, slice_tile
from agatha.report.source_images import SourceImages
from coronary.calcium import AGATSTON_THRESHOLD_HU, CalciumScore, Vessel
from coronary.contract import CalciumFindings, Refusal
from coronary.ct_volume import CtVolume

WIDTH, HEIGHT = 1280, 1024
_MARGIN = 24
_TILE_SIDE = 254
_TILE_GAP = 8
_TILE_COLUMNS = 2
_TILES_X = WIDTH - _MARGIN - _TILE_COLUMNS * _TILE_SIDE - (_TILE_COLUMNS - 1) * _TILE_GAP
_LEFT_WIDTH = _TILES_X - 2 * _MARGIN

_BACKGROUND: Colour = (14, 17, 22)
_PANEL: Colour = (26, 31, 39)
_RULE: Colour = (58, 66, 78)
_TEXT: Colour = (232, 236, 241)
_MUTED: Colour = (158, 168, 180)
_WARNING: Colour = (255, 190, 60)
_REFUSED: Colour = (255, 120, 100)

_TITLES = {"csct-scoring": "Coronary artery calcium score"}
_NOT_DRAWABLE = "(name in a script this page cannot show: see the DICOM header)"


def draw_summary(request: ReportRequest, sources: SourceImages) -> Image.Image:
    """Draw the page, RGB, 1280 x 1024."""
    page = Page(WIDTH, HEIGHT, _BACKGROUND)
    _draw_identification(page, sources.header)
    _draw_title(page, request)
    if request.findings is not None and request.volume is not None:
        y = _draw_score(page, request.findings.score, y=178)
        y = _draw_table(page, request.findings.score, y=y + 14)
        _draw_notes(page, request.findings, y=y + 14)
        _draw_tiles(page, sources, request.volume, request.findings)
    elif request.refusal is not None:
        _draw_refusal(page, request.refusal)
    _draw_footer(page, request)
    return page.image


def shown(value: float) -> str:
    """A number as read on the page: one decimal, and nothing above zero ever looks like zero."""
    if value == 0:
        return "0"
    return "<0.1" if value < 0.1 else f"{value:.1f}"


def person_name(header: Dataset) -> str:
    """Patient name for the page: the alphabetic group of the name (PS3.5 section 6.2.1.2), else the first drawable."""
    groups = [group.strip("^ ") for group in str(header.get("PatientName") or "").split("=")]
    for group in groups:
        if group and is_drawable(group):
            return ", ".join(part for part in group.split("^", 1) if part).replace("^", " ").strip()
    return _NOT_DRAWABLE if any(groups) else "–"


def _draw_identification(page: Page, header: Dataset) -> None:
    page.box((0, 0, WIDTH, 84), _PANEL)
    page.text((_MARGIN, 12), person_name(header), 26, _TEXT, bold=True, max_width=720)
    born, sex = _date(header.get("PatientBirthDate")), str(header.get("PatientSex") or "–")
    identity = f"ID {_plain(header, 'PatientID')}   ·   born {born}   ·   sex {sex}"
    page.text((_MARGIN, 50), identity, 17, _MUTED, max_width=720)
    right = WIDTH - _MARGIN
    study = f"Study {_date(header.get('StudyDate'))}   ·   accession {_plain(header, 'AccessionNumber')}"
    page.text((right, 16), study, 17, _TEXT, anchor="ra", max_width=480)
    series = f"Series {_plain(header, 'SeriesNumber')}: {_plain(header, 'SeriesDescription')}"
    page.text((right, 50), series, 17, _MUTED, anchor="ra", max_width=480)


def _draw_title(page: Page, request: ReportRequest) -> None:
    page.text((_MARGIN, 104), _TITLES[request.analysis], 30, _TEXT, bold=True)
    page.text((_MARGIN, 144), "Automatic analysis (AI), not reviewed", 17, _MUTED)
    page.box((_TILES_X, 104, WIDTH - _MARGIN, 144), (70, 52, 12), _WARNING)
    middle = (_TILES_X + WIDTH - _MARGIN) / 2
    page.text((middle, 113), codes.RESEARCH_MARK, 18, _WARNING, bold=True, anchor="ma")


def _draw_score(page: Page, score: CalciumScore, y: float) -> float:
    page.box((_MARGIN, y, _MARGIN + _LEFT_WIDTH, y + 132), _PANEL)
    page.text((_MARGIN + 20, y + 12), "Total Agatston score", 17, _MUTED)
    page.text((_MARGIN + 20, y + 40), shown(score.agatston.total), 58, _TEXT, bold=True)
    x = _MARGIN + 380
    rows = (("Category", score.risk_category), ("CAC-DRS", score.cac_drs), ("Lesions", str(len(score.lesions))))
    for number, (name, value) in enumerate(rows):
        page.text((x, y + 18 + number * 36), name, 17, _MUTED)
        page.text((x + 110, y + 14 + number * 36), value, 22, _TEXT, bold=True)
    if score.agatston.total == 0:
        page.text(
            (_MARGIN + 20, y + 108),
            f"No calcium of {AGATSTON_THRESHOLD_HU} HU or more was assigned to a vessel.",
            13,
            _MUTED,
        )
    return y + 132


def _draw_table(page: Page, score: CalciumScore, y: float) -> float:
    """One row per vessel, zeros included, and the total."""
    columns = (250, 390, 534, 670)
    row_height = 38
    page.box((_MARGIN, y, _MARGIN + _LEFT_WIDTH, y + row_height * 6 + 10), _PANEL)
    heads = ("Lesions", "Agatston", "Volume mm³", "Mass mg")
    page.text((_MARGIN + 20, y + 12), "Vessel", 15, _MUTED)
    for x, head in zip(columns, heads, strict=True):
        page.text((_MARGIN + x, y + 12), head, 15, _MUTED, anchor="ra")
    for number, vessel in enumerate((*Vessel, None), start=1):
        top = y + number * row_height + 6
        page.line((_MARGIN + 14, top - 3), (_MARGIN + _LEFT_WIDTH - 14, top - 3), _RULE)
        if vessel is not None:
            page.draw.rectangle((_MARGIN + 20, top + 8, _MARGIN + 36, top + 24), fill=VESSEL_RGB[vessel])
        name = "Total" if vessel is None else vessel.name
        page.text((_MARGIN + (20 if vessel is None else 46), top + 5), name, 19, _TEXT, bold=True)
        for x, value in zip(columns, _cells(score, vessel), strict=True):
            page.text((_MARGIN + x, top + 5), value, 19, _TEXT, bold=vessel is None, anchor="ra")
    return y + row_height * 6 + 10


def _cells(score: CalciumScore, vessel: Vessel | None) -> tuple[str, str, str, str]:
    key = "total" if vessel is None else vessel.name
    count = sum(vessel is None or lesion.vessel is vessel for lesion in score.lesions)
    mass = "–" if score.mass_mg is None else shown(score.mass_mg.as_dict()[key])
    return str(count), shown(score.agatston.as_dict()[key]), shown(score.volume_mm3.as_dict()[key]), mass


def _draw_notes(page: Page, findings: CalciumFindings, y: float) -> None:
    """Quality notes, then how the score was made, down to the footer."""
    bottom = HEIGHT - 66.0
    page.box((_MARGIN, y, _MARGIN + _LEFT_WIDTH, bottom), _PANEL)
    x, width = _MARGIN + 20, _LEFT_WIDTH - 40
    y += 12
    page.text((x, y), "Quality notes", 16, _WARNING if findings.quality else _MUTED, bold=True)
    y += 26
    room = bottom - 118
    if not findings.quality:
        page.text((x, y), "none", 15, _MUTED)
        y += 22
    for number, note in enumerate(findings.quality):
        if y > room - 42:
            left = len(findings.quality) - number
            page.text((x, y), f"… and {left} more: see the measurement report", 15, _WARNING)
            y += 22
            break
        y = page.paragraph((x, y), f"• {note.text}", 15, _TEXT, width=width, lines=2) + 2
    y = max(y + 8, bottom - 118)
    page.text((x, y), "Method", 16, _MUTED, bold=True)
    text = "; ".join(f"{name} {value}" for name, value in findings.parameters.items() if "SHA" not in name)
    page.paragraph((x, y + 24), text, 13, _MUTED, width=width, lines=4)


@dataclass(frozen=True, slots=True)
class _Tile:
    index: int
    x: int
    y: int


def _draw_tiles(page: Page, sources: SourceImages, volume: CtVolume, findings: CalciumFindings) -> None:
    """Key slices in two columns; without calcium evenly spaced slices, so that a reader can check the zero."""
    slices = key_slices(findings)
    heading = "Slices with scored calcium, outlined by vessel"
    if not slices:
        count = volume.voxels_hu.shape[0]
        slices = tuple(int(z) for z in np.unique(np.linspace(0.2, 0.8, MAXIMUM_KEY_SLICES) * (count - 1)).astype(int))
        slices = tuple(sorted(set(slices)))
        heading = "No scored calcium; slices across the volume"
    page.text((_TILES_X, 158), heading, 16, _MUTED, max_width=WIDTH - _MARGIN - _TILES_X)
    crop = crop_around(volume, findings.vessel_labels)
    letters = edge_letters(volume)
    for number, index in enumerate(slices):
        row, column = divmod(number, _TILE_COLUMNS)
        tile = _Tile(index, _TILES_X + column * (_TILE_SIDE + _TILE_GAP), 186 + row * (_TILE_SIDE + _TILE_GAP))
        page.image.paste(slice_tile(volume, findings.vessel_labels, index, crop, _TILE_SIDE), (tile.x, tile.y))
        _label_tile(page, tile, letters, sources, volume, findings)


def _label_tile(
    page: Page,
    tile: _Tile,
    letters: tuple[str, str, str, str],
    sources: SourceImages,
    volume: CtVolume,
    findings: CalciumFindings,
) -> None:
    left, right, top, bottom = letters
    middle_x, middle_y = tile.x + _TILE_SIDE / 2, tile.y + _TILE_SIDE / 2 - 8
    below, beyond = tile.y + _TILE_SIDE - 20, tile.x + _TILE_SIDE - 6
    page.text((tile.x + 6, middle_y), left, 13, _WARNING, on_picture=True)
    page.text((beyond, middle_y), right, 13, _WARNING, anchor="ra", on_picture=True)
    page.text((middle_x, tile.y + 4), top, 13, _WARNING, anchor="ma", on_picture=True)
    page.text((middle_x, below), bottom, 13, _WARNING, anchor="ma", on_picture=True)
    where = f"slice {tile.index + 1}/{volume.voxels_hu.shape[0]}"
    page.text((tile.x + 6, below), where, 13, _TEXT, on_picture=True)
    page.text((beyond, below), sources.planes[tile.index].label, 13, _TEXT, anchor="ra", on_picture=True)
    x = tile.x + 6.0
    for vessel in Vessel:
        if np.any(findings.vessel_labels[tile.index] == vessel):
            x += page.text((x, tile.y + 5), vessel.name, 14, VESSEL_RGB[vessel], bold=True, on_picture=True) + 8


def _draw_refusal(page: Page, refusal: Refusal) -> None:
    page.box((_MARGIN, 190, WIDTH - _MARGIN, 520), _PANEL, _REFUSED)
    x, width = _MARGIN + 32, WIDTH - 2 * _MARGIN - 64
    page.text((x, 218), "No score was computed", 40, _REFUSED, bold=True)
    page.text((x, 276), "This is not a score of zero.", 22, _TEXT, bold=True)
    y = page.paragraph((x, 330), refusal.text, 22, _TEXT, width=width, lines=4)
    page.text((x, y + 14), f"Reason code {refusal.code}", 17, _MUTED)


def _draw_footer(page: Page, request: ReportRequest) -> None:
    top = HEIGHT - 54
    page.line((_MARGIN, top), (WIDTH - _MARGIN, top), _RULE)
    moment = request.content_time_utc.strftime("%Y-%m-%d %H:%M UTC")
    model = (
        f"Model {request.model.name} {request.model.version}   ·   SHA-256 {request.model.sha256[:16] or 'unknown'}…"
    )
    page.text((_MARGIN, top + 8), model, 14, _MUTED)
    software = f"{codes.MANUFACTURER} {request.software_version}   ·   {request.analysis}   ·   {moment}"
    page.text((WIDTH - _MARGIN, top + 8), software, 14, _MUTED, anchor="ra")
    page.text(
        (_MARGIN, top + 29), f"{codes.RESEARCH_MARK}. Numbers are also in the measurement report (SR).", 14, _WARNING
    )


def _date(value: object) -> str:
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else "–"


def _plain(header: Dataset, keyword: str) -> str:
    text = str(header.get(keyword) or "").strip()
    return text if text and is_drawable(text) else "–"
