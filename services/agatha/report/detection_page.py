"""The page of the detection of calcium: whether there is any, and in which slices.

Decides the layout. Every number comes from the findings as it is; nothing is computed here.
"""

from __future__ import annotations

import numpy as np

from agatha.report.drawing import Page
from agatha.report.page_frame import CONTENT_BOTTOM, CONTENT_TOP, MARGIN, MUTED, PANEL, RULE, TEXT, WARNING
from agatha.report.page_tiles import LEFT_WIDTH, MAXIMUM_TILES, draw_tiles, spread_slices
from agatha.report.slice_tiles import CALCIUM_SCAN_WINDOW
from agatha.report.source_images import SourceImages
from coronary.ct_volume import CtVolume
from coronary.detection_findings import DECISION_PROBABILITY, DetectionFindings, presence_text

_CURVE_HEIGHT = 210
_BAR = (96, 165, 250)


def draw_detection(page: Page, sources: SourceImages, volume: CtVolume, findings: DetectionFindings) -> None:
    """Draw the content of the page: verdict, probability per slice and notes on the left, slices on the right."""
    x, width, y = MARGIN + 20, LEFT_WIDTH - 40, CONTENT_TOP
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, y + 126), PANEL)
    page.text((x, y + 12), "Coronary calcium, without a score", 17, MUTED)
    page.text((x, y + 42), presence_text(findings.presence).capitalize(), 26, TEXT, bold=True, max_width=width)
    page.text((x, y + 92), f"Probability of any calcium {findings.probability:.2f}", 17, TEXT)
    y += 140
    _draw_curve(page, findings, y)
    _draw_notes(page, findings, y + _CURVE_HEIGHT + 14)
    likely = findings.positive_slices
    shown = sorted(sorted(likely, key=lambda z: -findings.slice_probability[z])[:MAXIMUM_TILES])
    heading = "Slices in which calcium is likeliest" if likely else "No slice with calcium; slices across the volume"
    draw_tiles(page, sources, volume, shown or spread_slices(volume), heading, CALCIUM_SCAN_WINDOW)


def _draw_curve(page: Page, findings: DetectionFindings, y: float) -> None:
    """One bar per slice; a slice without heart has none, but a line below."""
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, y + _CURVE_HEIGHT), PANEL)
    left, right, top, bottom = MARGIN + 60, MARGIN + LEFT_WIDTH - 20, y + 42, y + _CURVE_HEIGHT - 34
    page.text((MARGIN + 20, y + 10), "Probability of calcium, slice by slice", 16, TEXT, bold=True)
    for share in (0.0, DECISION_PROBABILITY, 1.0):
        height = bottom - share * (bottom - top)
        page.line((left, height), (right, height), WARNING if share == DECISION_PROBABILITY else RULE)
        page.text((left - 8, height - 8), f"{share:g}", 13, MUTED, anchor="ra")
    count = len(findings.slice_probability)
    step = (right - left) / count
    for z, probability in enumerate(findings.slice_probability.tolist()):
        start = left + z * step
        end = max(start + 1, start + step - (1 if step > 3 else 0))
        if np.isnan(probability):
            page.draw.rectangle((start, bottom + 2, end, bottom + 4), fill=RULE)
        elif probability > 0:
            page.draw.rectangle((start, bottom - probability * (bottom - top), end, bottom), fill=_BAR)
    page.text((left, bottom + 9), "slice 1", 13, MUTED)
    page.text((right, bottom + 9), f"slice {count}", 13, MUTED, anchor="ra")
    page.text(((left + right) / 2, bottom + 9), "grey below: no heart seen between the lungs", 13, MUTED, anchor="ma")


def _draw_notes(page: Page, findings: DetectionFindings, y: float) -> None:
    page.box((MARGIN, y, MARGIN + LEFT_WIDTH, CONTENT_BOTTOM), PANEL)
    x, width = MARGIN + 20, LEFT_WIDTH - 40
    text = (
        "This says whether there is calcium, not how much: the score is another result. Small amounts are missed more "
        "often: see the model card."
    )
    y = page.paragraph((x, y + 12), text, 15, TEXT, width=width, lines=3) + 8
    page.text((x, y), "Quality notes", 16, WARNING if findings.quality else MUTED, bold=True)
    y += 26
    if not findings.quality:
        page.text((x, y), "none", 15, MUTED)
        y += 22
    for note in findings.quality:
        y = page.paragraph((x, y), f"• {note.text}", 15, TEXT, width=width, lines=2) + 2
    page.text((x, y + 12), "Method", 16, MUTED, bold=True)
    text = "; ".join(f"{name} {value}" for name, value in findings.parameters.items() if "SHA" not in name)
    page.paragraph((x, y + 36), text, 13, MUTED, width=width, lines=4)
