"""What every page for people has around its content: identification, title, research mark, footer.

Decides size, colours and what a page says about patient, study and origin. Knows
nothing of what is shown inside.
"""

from __future__ import annotations

from pydicom import Dataset

from agatha.dicom import codes
from agatha.report.drawing import Colour, Page, font, is_drawable
from agatha.report.request import ReportRequest

WIDTH, HEIGHT = 1280, 1024
MARGIN = 24

#: Content keeps between these two heights.
CONTENT_TOP, CONTENT_BOTTOM = 178, HEIGHT - 66

BACKGROUND: Colour = (14, 17, 22)
PANEL: Colour = (26, 31, 39)
RULE: Colour = (58, 66, 78)
TEXT: Colour = (232, 236, 241)
MUTED: Colour = (158, 168, 180)
WARNING: Colour = (255, 190, 60)
REFUSED: Colour = (255, 120, 100)

_MARK_WIDTH = 516
_NOT_DRAWABLE = "(name in a script this page cannot show: see the DICOM header)"


def framed_page(request: ReportRequest, header: Dataset, title: str) -> Page:
    """Page with everything but its content.

    Parameters
    ----------
    header
        Of the source series.
    """
    page = Page(WIDTH, HEIGHT, BACKGROUND)
    _draw_identification(page, header)
    _draw_title(page, title)
    _draw_footer(page, request)
    return page


def person_name(header: Dataset) -> str:
    """Patient name for the page: the alphabetic group of the name (PS3.5 section 6.2.1.2), else the first drawable."""
    groups = [group.strip("^ ") for group in str(header.get("PatientName") or "").split("=")]
    for group in groups:
        if group and is_drawable(group):
            return ", ".join(part for part in group.split("^", 1) if part).replace("^", " ").strip()
    return _NOT_DRAWABLE if any(groups) else "–"


def _draw_identification(page: Page, header: Dataset) -> None:
    page.box((0, 0, WIDTH, 84), PANEL)
    page.text((MARGIN, 12), person_name(header), 26, TEXT, bold=True, max_width=720)
    born, sex = _date(header.get("PatientBirthDate")), str(header.get("PatientSex") or "–")
    identity = f"ID {_plain(header, 'PatientID')}   ·   born {born}   ·   sex {sex}"
    page.text((MARGIN, 50), identity, 17, MUTED, max_width=720)
    right = WIDTH - MARGIN
    study = f"Study {_date(header.get('StudyDate'))}   ·   accession {_plain(header, 'AccessionNumber')}"
    page.text((right, 16), study, 17, TEXT, anchor="ra", max_width=480)
    series = f"Series {_plain(header, 'SeriesNumber')}: {_plain(header, 'SeriesDescription')}"
    page.text((right, 50), series, 17, MUTED, anchor="ra", max_width=480)


def _draw_title(page: Page, title: str) -> None:
    left, right = WIDTH - MARGIN - _MARK_WIDTH, WIDTH - MARGIN
    room = left - 2 * MARGIN
    size = next(size for size in range(30, 15, -1) if size == 16 or font(size, bold=True).getlength(title) <= room)
    page.text((MARGIN, 104 + (30 - size) / 2), title, size, TEXT, bold=True)
    page.text((MARGIN, 144), "Automatic analysis (AI), not reviewed", 17, MUTED)
    page.box((left, 104, right, 144), (70, 52, 12), WARNING)
    page.text(((left + right) / 2, 113), codes.RESEARCH_MARK, 18, WARNING, bold=True, anchor="ma")


def _draw_footer(page: Page, request: ReportRequest) -> None:
    top = HEIGHT - 54
    page.line((MARGIN, top), (WIDTH - MARGIN, top), RULE)
    moment = request.content_time_utc.strftime("%Y-%m-%d %H:%M UTC")
    model = (
        f"Model {request.model.name} {request.model.version}   ·   SHA-256 {request.model.sha256[:16] or 'unknown'}…"
    )
    page.text((MARGIN, top + 8), model, 14, MUTED)
    software = f"{codes.MANUFACTURER} {request.software_version}   ·   {request.analysis}   ·   {moment}"
    page.text((WIDTH - MARGIN, top + 8), software, 14, MUTED, anchor="ra")
    page.text(
        (MARGIN, top + 29), f"{codes.RESEARCH_MARK}. Numbers are also in the measurement report (SR).", 14, WARNING
    )


def _date(value: object) -> str:
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else "–"


def _plain(header: Dataset, keyword: str) -> str:
    text = str(header.get(keyword) or "").strip()
    return text if text and is_drawable(text) else "–"
