"""The summary page as a picture, for people: scores, key slices, notes, how it was made.

Decides the layout. Every number comes from the findings as it is; nothing is computed here. An estimate from a contrast
scan is named as one.
"""

from __future__ import annotations

from PIL import Image

from agatha.dicom.analysis_terms import ANALYSIS_TERMS, AnalysisTerms
from agatha.report.colours import VESSEL_RGB
from agatha.report.derived_page import draw_derived
from agatha.report.detection_page import draw_detection
from agatha.report.drawing import Page
from agatha.report.key_images import key_slices
from agatha.report.page_frame import (
    CONTENT_BOTTOM,
    CONTENT_TOP,
    MARGIN,
    MUTED,
    PANEL,
    REFUSED,
    RULE,
    TEXT,
    WARNING,
    WIDTH,
    framed_page,
)
from agatha.report.page_tiles import LEFT_WIDTH, draw_tiles, spread_slices
from agatha.report.request import ReportRequest
from agatha.report.slice_tiles import CALCIUM_SCAN_WINDOW, CONTRAST_SCAN_WINDOW
from agatha.report.source_images import SourceImages
from coronary.calcium import (
    AGATSTON_THRESHOLD_HU,
    INTERVAL_CONFIDENCE,
    CalciumScore,
    ScoreInterval,
    Vessel,
    score_text,
)
from coronary.concordance import Concordance
from coronary.contract import CalciumFindings, ContrastFindings, Refusal
from coronary.ct_volume import CtVolume
from coronary.reasons import ZERO_CONFIRMED


def draw_summary(request: ReportRequest, sources: SourceImages) -> Image.Image:
    """Draw the page, RGB, 1280 x 1024."""
    terms = ANALYSIS_TERMS[request.analysis]
    page = framed_page(request, sources.header, terms.title)
    findings = request.calcium
    if request.derived is not None and request.volume is not None:
        draw_derived(page, request.volume, request.derived)
    elif request.detection is not None and request.volume is not None:
        draw_detection(page, sources, request.volume, request.detection)
    elif findings is not None and request.volume is not None:
        y = _draw_score(page, findings, y=CONTENT_TOP)
        y = _draw_table(page, findings, y=y + 14)
        if findings.contrast is not None:
            y = _draw_calibration(page, findings.contrast, y=y + 14)
        _draw_notes(page, findings, request.concordance, y=y + 14)
        _draw_tiles(page, sources, request.volume, findings)
    elif request.refusal is not None:
        _draw_refusal(page, request.refusal, terms)
    return page.image


def _draw_score(page: Page, findings: CalciumFindings, y: float) -> float:
    score, is_estimate = findings.score, findings.contrast is not None
    height = 132 if findings.interval is None else 158
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, y + height), PANEL)
    label = "Agatston equivalent (contrast CT)" if is_estimate else "Total Agatston score"
    page.text((MARGIN + 20, y + 12), label, 17, MUTED)
    page.text((MARGIN + 20, y + 40), score_text(score.agatston.total), 58, TEXT, bold=True)
    x = MARGIN + 380
    rows = (("Category", score.risk_category), ("CAC-DRS", score.cac_drs), ("Lesions", str(len(score.lesions))))
    for number, (name, value) in enumerate(rows):
        page.text((x, y + 16 + number * 32), name, 17, MUTED)
        page.text((x + 110, y + 12 + number * 32), value, 22, TEXT, bold=True)
    if findings.interval is not None:
        _draw_interval(page, findings.interval, y + 108)
    page.text((MARGIN + 20, y + height - 24), remark(findings), 13, MUTED, max_width=LEFT_WIDTH - 40)
    return y + height


def _draw_interval(page: Page, interval: ScoreInterval, y: float) -> None:
    """Limits of the score in one line, with what they were measured on."""
    text = f"{100 * INTERVAL_CONFIDENCE:.0f} % interval {score_text(interval.low, 0)}–{score_text(interval.high, 0)}"
    width = page.text((MARGIN + 20, y), text, 17, TEXT)
    room = LEFT_WIDTH - 52 - width
    page.text((MARGIN + 32 + width, y + 3), f"measured on {interval.data}", 13, MUTED, max_width=room)


def remark(findings: CalciumFindings) -> str:
    """What a reader must know beside the total: what zero means here, what it must not be compared with."""
    is_zero = findings.score.agatston.total == 0
    if findings.contrast is None:
        opinion = findings.second_opinion
        is_confirmed = opinion is not None and opinion.verdict.code == ZERO_CONFIRMED
        more = "; the independent detection sees none either" if is_confirmed else ""
        parts = (
            f"No calcium of {AGATSTON_THRESHOLD_HU} HU or more was assigned to a vessel{more}." if is_zero else "",
            "" if findings.is_comparable else "Not comparable with reference scores: see the notes.",
        )
        return " ".join(filter(None, parts))
    if is_zero:
        return "No calcium was found in or beside the contrast-filled lumen of the coronary arteries."
    return "Estimate of what a calcium-scoring CT would give; category and CAC-DRS are those of the estimate."


def _draw_table(page: Page, findings: CalciumFindings, y: float) -> float:
    """One row per vessel, zeros included, and the total."""
    columns = (250, 390, 534, 670)
    row_height = 38
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, y + row_height * 6 + 10), PANEL)
    agatston = "Agatston" if findings.contrast is None else "Agatston eq."
    heads = ("Lesions", agatston, "Volume mm³", "Mass mg")
    page.text((MARGIN + 20, y + 12), "Vessel", 15, MUTED)
    for x, head in zip(columns, heads, strict=True):
        page.text((MARGIN + x, y + 12), head, 15, MUTED, anchor="ra")
    for number, vessel in enumerate((*Vessel, None), start=1):
        top = y + number * row_height + 6
        page.line((MARGIN + 14, top - 3), (MARGIN + LEFT_WIDTH - 14, top - 3), RULE)
        if vessel is not None:
            page.draw.rectangle((MARGIN + 20, top + 8, MARGIN + 36, top + 24), fill=VESSEL_RGB[vessel])
        name = "Total" if vessel is None else vessel.name
        page.text((MARGIN + (20 if vessel is None else 46), top + 5), name, 19, TEXT, bold=True)
        for x, value in zip(columns, _cells(findings.score, vessel), strict=True):
            page.text((MARGIN + x, top + 5), value, 19, TEXT, bold=vessel is None, anchor="ra")
    return y + row_height * 6 + 10


def _cells(score: CalciumScore, vessel: Vessel | None) -> tuple[str, str, str, str]:
    key = "total" if vessel is None else vessel.name
    count = sum(vessel is None or lesion.vessel is vessel for lesion in score.lesions)
    mass = "–" if score.mass_mg is None else score_text(score.mass_mg.as_dict()[key])
    return str(count), score_text(score.agatston.as_dict()[key]), score_text(score.volume_mm3.as_dict()[key]), mass


def _draw_calibration(page: Page, contrast: ContrastFindings, y: float) -> float:
    """What the thresholds were adapted to, and how firm the estimate is."""
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, y + 64), PANEL)
    shift = f"{contrast.threshold_shift_hu:g} HU"
    cells = (
        ("Calibration factor", f"{contrast.calibration_factor_hu:.0f} HU"),
        ("Aorta, mean ± SD", f"{contrast.aorta_mean_hu:.0f} ± {contrast.aorta_sd_hu:.0f} HU"),
        (f"Score at −{shift}", score_text(contrast.agatston_at_lower_thresholds.total)),
        (f"Score at +{shift}", score_text(contrast.agatston_at_higher_thresholds.total)),
    )
    for number, (name, value) in enumerate(cells):
        x = MARGIN + 20 + number * 168
        page.text((x, y + 9), name, 14, MUTED, max_width=160)
        page.text((x, y + 31), value, 20, TEXT, bold=True, max_width=160)
    return y + 64


def _draw_notes(page: Page, findings: CalciumFindings, concordance: Concordance | None, y: float) -> None:
    """Comparison with the other scan of the study, quality notes, then how the score was made, down to the footer."""
    bottom = float(CONTENT_BOTTOM)
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, bottom), PANEL)
    x, width = MARGIN + 20, LEFT_WIDTH - 40
    y += 12
    if concordance is not None:
        colour = WARNING if concordance.is_discordant else TEXT
        page.text((x, y), "Contrast CT and calcium-scoring CT", 16, MUTED, bold=True)
        y = page.paragraph((x, y + 26), concordance.text, 15, colour, width=width, lines=2) + 8
    page.text((x, y), "Quality notes", 16, WARNING if findings.quality else MUTED, bold=True)
    y += 26
    room = bottom - 118
    if not findings.quality:
        page.text((x, y), "none", 15, MUTED)
        y += 22
    for number, note in enumerate(findings.quality):
        if y > room - 42:
            left = len(findings.quality) - number
            page.text((x, y), f"… and {left} more: see the measurement report", 15, WARNING)
            y += 22
            break
        y = page.paragraph((x, y), f"• {note.text}", 15, TEXT, width=width, lines=2) + 2
    y = max(y + 8, bottom - 118)
    page.text((x, y), "Method", 16, MUTED, bold=True)
    text = "; ".join(f"{name} {value}" for name, value in findings.parameters.items() if "SHA" not in name)
    page.paragraph((x, y + 24), text, 13, MUTED, width=width, lines=4)


def _draw_tiles(page: Page, sources: SourceImages, volume: CtVolume, findings: CalciumFindings) -> None:
    """Key slices in two columns; without calcium evenly spaced slices, so that a reader can check the zero."""
    window = CALCIUM_SCAN_WINDOW if findings.contrast is None else CONTRAST_SCAN_WINDOW
    if slices := key_slices(findings):
        heading = "Slices with scored calcium, outlined by vessel"
        draw_tiles(page, sources, volume, slices, heading, window, findings.vessel_labels)
    else:
        heading = "No scored calcium; slices across the volume"
        draw_tiles(page, sources, volume, spread_slices(volume), heading, window)


def _draw_refusal(page: Page, refusal: Refusal, terms: AnalysisTerms) -> None:
    page.box((MARGIN, 190, WIDTH - MARGIN, 520), PANEL, REFUSED)
    x, width = MARGIN + 32, WIDTH - 2 * MARGIN - 64
    page.text((x, 218), terms.not_done, 40, REFUSED, bold=True)
    page.text((x, 276), terms.not_meant, 22, TEXT, bold=True)
    y = page.paragraph((x, 330), refusal.text, 22, TEXT, width=width, lines=4)
    page.text((x, y + 14), f"Reason code {refusal.code}", 17, MUTED)
