"""The pages in a real browser: they render, run nothing that was smuggled in, and filter."""

import re

import numpy as np
import pytest
from PIL import Image

from builders.findings import STUDY_UID

PAGES = {
    "work list": "/",
    "scored study": f"/studies/{STUDY_UID}",
    "refused study": "/studies/1.2.4",
    "error": "/studies/9",
}
IN_THE_FILTER = "/?patient_id=%3Cscript%3Edocument.title=%22owned%22%3C/script%3E"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_drawn_with_its_style_and_the_research_mark(browser, site, tmp_path, name):
    picture = Image.open(browser.screenshot(site + PAGES[name], tmp_path / "page.png", width=1280, height=1400))
    pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape == (1400, 1280, 3)
    # The bar at the top has its dark colour and the mark its yellow one only when the style sheet was loaded.
    assert tuple(pixels[5, 640]) == (18, 40, 61)
    assert (pixels[:50] == (255, 215, 94)).all(axis=2).sum() > 2000
    # A drawn page has text: many different levels below the bar.
    assert len(np.unique(pixels[60:].reshape(-1, 3), axis=0)) > 50


def test_key_slices_are_shown_with_coloured_outlines(browser, site, tmp_path):
    picture = Image.open(browser.screenshot(f"{site}/studies/{STUDY_UID}", tmp_path / "page.png", height=2600))
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    orange = np.abs(pixels - (230, 110, 0)).sum(axis=2) < 40
    grey = (np.abs(pixels - 100) < 20).all(axis=2)
    assert orange.sum() > 100
    assert grey.sum() > 20000


def test_discordant_scores_stand_out_above_the_results_and_the_tree_is_shown_large(browser, paired_site, tmp_path):
    page = f"{paired_site}/studies/{STUDY_UID}"
    pixels = np.asarray(Image.open(browser.screenshot(page, tmp_path / "page.png", height=2600)).convert("RGB"))
    # The warning box and its flag: the ground of warnings, in the upper part of the page, nearly as wide as the card.
    warning = (pixels == (253, 238, 203)).all(axis=2)
    rows = np.flatnonzero(warning.sum(axis=1) > 900)
    assert len(rows) > 30
    assert rows[0] < 800
    # The card around it has a border in the colour of warnings: two lines of its whole width above, two below.
    assert ((pixels == (122, 75, 0)).all(axis=2).sum(axis=1) > 1100).sum() >= 4
    # The views of the tree lie on black (title and plots nearly so); nothing else on a light page is dark and as wide.
    dark = (pixels.max(axis=2) < 40) & (np.arange(len(pixels)) > 100)[:, None]
    wide = np.flatnonzero(dark.sum(axis=1) > 700)
    assert len(wide) > 400
    assert wide[0] > rows[0]


def test_the_flag_of_discordant_scores_is_in_the_work_list(browser, paired_site):
    rows = browser.dom(f"{paired_site}/")
    row = rows[rows.index("<tbody>") :]
    assert "PAIRED-1" in row
    assert "chip-discordant" in row
    assert "discordant scores" in row


def test_the_work_list_shows_every_study_and_the_filter_narrows_it(browser, site):
    everything = browser.dom(f"{site}/")
    assert "SCORED-1" in everything
    assert "REFUSED-1" in everything
    assert "4 slices, expected 20." in everything
    narrowed = browser.dom(f"{site}/?patient_id=SCORED-1&accession_number=&study_date=&state=")
    rows = narrowed[narrowed.index("<tbody>") :]
    assert "SCORED-1" in rows
    assert "REFUSED-1" not in rows


@pytest.mark.parametrize("page", ["/", "/studies/1.2.5", IN_THE_FILTER])
def test_smuggled_markup_is_text_and_does_not_run(browser, site, page):
    dom = browser.dom(site + page)
    title = dom[dom.index("<title>") : dom.index("</title>")]
    assert "owned" not in title
    assert "<script" not in dom
    assert "owned" in dom, "the hostile value is not on the page: the test would prove nothing"


def test_the_policy_stops_a_script_even_if_escaping_failed(browser, site):
    """Plant the fault: the same page with an unescaped script, once with our policy and once without."""
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse

    from agatha.serve.request_record import CONTENT_SECURITY_POLICY
    from builders.served_server import running

    app = FastAPI()
    page = "<!doctype html><title>clean</title><body><script>document.title='owned'</script>"

    @app.get("/guarded")
    def guarded() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    @app.get("/open")
    def unguarded() -> HTMLResponse:
        return HTMLResponse(page)

    with running(app) as base:
        assert "<title>clean</title>" in browser.dom(f"{base}/guarded")
        assert "<title>owned</title>" in browser.dom(f"{base}/open")


def test_a_scan_and_its_calcium_removed_series_are_shown_side_by_side_with_their_difference(
    browser, derived_site, tmp_path
):
    page = f"{derived_site}/studies/{STUDY_UID}"
    anchor = re.search(r'<figure id="([^"]+)" class="altered"', browser.dom(page)).group(1)
    shown = browser.screenshot(f"{page}#{anchor}", tmp_path / "page.png", width=1280, height=2000)
    pixels = np.asarray(Image.open(shown).convert("RGB")).astype(int)
    # Three squares side by side: grey scan, grey derived series, and a difference that is black but for the calcium.
    is_black = (pixels.max(axis=2) < 12) & (np.arange(pixels.shape[0]) > 100)[:, None]
    rows = np.flatnonzero(is_black.sum(axis=1) > 250)
    assert len(rows) > 200
    strip = pixels[rows[0] : rows[-1], :, :].max(axis=2)
    left, middle, right = np.array_split(strip[:, 60:1220], 3, axis=1)
    assert (left > 60).mean() > 0.3
    assert (middle > 60).mean() > 0.3
    assert (right < 12).mean() > 0.9
    assert (right > 60).sum() > 20
