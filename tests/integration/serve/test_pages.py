"""The pages as HTML: what they say, that everything is escaped, and that every link works."""

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from builders.findings import STUDY_UID
from builders.paired_studies import WIDE, write_contrast_result, write_paired_study
from builders.served_studies import GAP, facts, receive, settle, write_scored_study, write_zero_study
from coronary.contract import Refusal

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
MARK = "Research use only – not for diagnostic use"


class Elements(HTMLParser):
    """Collects start tags with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_an_empty_work_list_says_so_under_the_research_mark(client):
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "No study has been received yet" in page.text
    assert MARK in page.text


def test_the_work_list_shows_score_category_and_reason(scored_client, store, client):
    listed = text_of(scored_client.get("/").text)
    assert "88.0" in listed
    assert "11-100" in listed
    write_scored_study(store, refusal=GAP)
    refused = text_of(client.get("/").text)
    assert GAP.text in refused
    assert "none" in refused


def test_the_work_list_filters_and_keeps_what_was_typed(store, client):
    receive(store, facts("1.2.1", "1.2.1.1", "1.2.1.1.1", patient_id="ALPHA"))
    receive(store, facts("1.2.2", "1.2.2.1", "1.2.2.1.1", patient_id="BETA", study_date="20260202"))
    page = client.get("/?patient_id=BETA&accession_number=&study_date=2026-02-02&state=").text
    assert ("BETA" in text_of(page), "ALPHA" in text_of(page)) == (True, False)
    typed = {field["name"]: field.get("value") for field in Elements(page).all("input")}
    assert (typed["patient_id"], typed["study_date"]) == ("BETA", "2026-02-02")
    assert "No study matches this filter" in client.get("/?state=completed").text


def test_the_work_list_pages_with_its_filter(store, client):
    for n in range(5):
        receive(store, facts(f"1.2.{n}", f"1.2.{n}.1", f"1.2.{n}.1.1", patient_id="P"))
    address, seen = "/?limit=2&patient_id=P", []
    while address:
        elements = Elements(client.get(address).text)
        seen += re.findall(r"/studies/([\d.]+)", " ".join(a["href"] for a in elements.all("a")))[::2]
        address = next((a["href"] for a in elements.all("a") if a.get("rel") == "next"), None)
    assert seen == [f"1.2.{n}" for n in (4, 3, 2, 1, 0)]


def test_the_work_list_loads_itself_again_only_when_asked(client):
    assert not any(meta.get("http-equiv") for meta in Elements(client.get("/").text).all("meta"))
    metas = Elements(client.get("/?refresh=30").text).all("meta")
    assert [meta["content"] for meta in metas if meta.get("http-equiv") == "refresh"] == ["30"]


def test_the_study_page_shows_scores_lesions_convention_quality_model_and_timeline(scored_client):
    shown = text_of(scored_client.get(f"/studies/{STUDY_UID}").text)
    for expected in (
        "88.0", "11-100", "CAC-DRS A1/N3", "Convention: agatston-1990 per slice", "NON_REFERENCE_THICKNESS",
        "csct-scoring-unetpp 1.2.0", "ab" * 32, "SERIES_ROUTED", "Where it stands.", "Measurement report (SR)", MARK,
        "mg/(HU cm³)", "image 11",
    ):  # fmt: skip
        assert expected.lower() in shown.lower(), expected


def test_every_picture_and_link_of_the_pages_works(scored_client):
    followed = 0
    for page in ("/", f"/studies/{STUDY_UID}"):
        elements = Elements(scored_client.get(page).text)
        targets = {a["href"] for a in elements.all("a")} | {i["src"] for i in elements.all("img")}
        targets |= {link["href"] for link in elements.all("link")}
        for target in sorted(target for target in targets if not target.startswith("#")):
            assert scored_client.get(target).status_code == 200, target
            followed += 1
        assert all(image["alt"] for image in elements.all("img"))
    assert followed > 15


def test_a_score_without_calibration_says_not_calibrated(store, client):
    write_scored_study(store, calibration=None)
    page = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "Mass (mg) not calibrated" in page
    assert "Mass calibration:" not in page


def test_the_study_page_says_how_sure_a_score_is_and_the_work_list_does_not(scored_client):
    shown = text_of(scored_client.get(f"/studies/{STUDY_UID}").text)
    assert "90 % interval 71 to 115 Probability of 11-100: 78 %, 101-400: 22 % measured on virtual patients" in shown
    assert "interval" not in text_of(scored_client.get("/").text)


def test_a_score_of_zero_is_a_plain_zero(store, client):
    write_scored_study(store, vessels=())
    page = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "No calcified lesion was found" in page
    assert "Agatston total 0 0 CAC-DRS A0/N0" in page
    assert "90 % interval 0 to 5 Probability of 0: 80 %, 1-10: 19 %, 11-100: 1 %" in page


def test_a_refusal_is_shown_as_no_score_with_its_reason(store, client):
    write_scored_study(store, refusal=GAP)
    page = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "No score was computed. This is not a score of zero." in page
    assert GAP.text in page
    assert GAP.code in page
    assert "Agatston total" not in page


def test_a_provisional_result_says_so(store, client):
    write_scored_study(store, refusal=GAP, provisional=True)
    assert "Provisional: it is not certain" in client.get(f"/studies/{STUDY_UID}").text


def test_hostile_attribute_values_are_shown_as_text(store, client):
    hostile = dict.fromkeys(
        ("patient_id", "accession_number", "study_date", "study_description", "series_description", "patient_sex",
         "patient_birth_date", "modality"), HOSTILE)  # fmt: skip
    settle(store, receive(store, facts(**hostile)), "refused", reason_code=HOSTILE, reason_text=HOSTILE)
    for page in (client.get("/"), client.get("/", params={"patient_id": HOSTILE}), client.get("/studies/1.2.3")):
        assert page.status_code == 200
        elements = Elements(page.text)
        assert not elements.all("script")
        assert not any(image.get("src") == "x" for image in elements.all("img"))
        assert not any(name.startswith("on") for _, attributes in elements.found for name in attributes)
        assert "&lt;script&gt;" in page.text


def test_pages_hold_no_script_and_no_inline_style(scored_client):
    for page in ("/", f"/studies/{STUDY_UID}", "/studies/9.9"):
        elements = Elements(scored_client.get(page, headers={"Accept": "text/html"}).text)
        assert not elements.all("script")
        assert not elements.all("style")
        assert not any("style" in attributes for _, attributes in elements.found)
        for attributes in elements.all("link") + elements.all("img"):
            assert (attributes.get("href") or attributes.get("src")).startswith("/")


def test_the_button_reopens_the_study_and_leads_back(store, client):
    settle(store, receive(store, facts()), "refused", reason_code="X", reason_text="Because.")
    form = Elements(client.get("/studies/1.2.3").text).all("form")[0]
    answer = client.post(form["action"], follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/studies/1.2.3")
    after = client.get("/studies/1.2.3").text
    assert "is being received" in text_of(after)
    assert not Elements(after).all("form")


@pytest.mark.parametrize("address", ["/studies/9.9", "/?limit=9999", "/?state=nonsense"])
def test_errors_are_pages_for_a_browser(client, address):
    answer = client.get(address, headers={"Accept": "text/html"})
    assert answer.status_code in (404, 422)
    assert "Back to the work list" in answer.text


def test_discordant_scores_are_flagged_on_the_study_page_and_in_the_work_list(store, client):
    write_paired_study(store)
    page = client.get(f"/studies/{STUDY_UID}")
    shown = text_of(page.text)
    for expected in (
        "Two scores of this study discordant scores",
        "The scores contradict each other. Look at both before using either.",
        "The contrast scan gives 122, the calcium-scoring CT 88: outside the limits of agreement (79 to 98).",
        "measured · series 3 (CaScSeq 3.0 Qr36) 88.0 22.0 36.0 0 30.0 11-100",
        "estimated · series 7 (CorCTA 0.6 Bv40) 121.6 0 81.4 0 40.2 101-400",
        "contrast CT minus calcium-scoring CT +33.6 −22.0 +45.4 0 +10.2",
        "95 % limits of agreement 78.9 to 97.6",
        "Limits of agreement measured on: virtual patients, n = 60.",
        "The two scores are discordant.",
    ):
        assert expected in shown, expected
    card, first_result = page.text.index("Two scores of this study"), page.text.index('class="card result"')
    assert card < first_result
    assert "discordant scores" in text_of(client.get("/").text)


def test_scores_that_agree_are_shown_without_a_flag(store, client):
    write_paired_study(store, WIDE)
    shown = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "Two scores of this study scores agree" in shown
    assert "within the limits of agreement (47 to 153)" in shown
    assert "contradict" not in shown
    assert "discordant" not in shown + text_of(client.get("/").text)


def test_an_estimate_is_called_one_wherever_it_is_shown(store, client):
    write_contrast_result(store)
    shown = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "Agatston total" not in shown
    assert "Agatston score 121.6" not in shown
    for expected in (
        "Estimated from contrast CT.", "Agatston equivalent 121.6", "estimated Agatston equivalent 121.6",
        "with the threshold −25 HU 151.5", "with the threshold +25 HU 88.5", "as segmented in the contrast CT 14.5",
        "Calibration factor 373.2 HU", "Aorta, mean ± SD 410.5 ± 21.1 HU", "Tube voltage 100 kV",
        "Threshold: certain calcium, lowest 512.5 HU", "Arteries found: 5, right dominance",
        "LAD LM 2, 3", "Coronary tree and aorta (SEG)", "Coronary tree views (SC)", "Window 350/1200 HU",
    ):  # fmt: skip
        assert expected in shown, expected
    assert "Two scores of this study" not in shown
    assert "interval" not in shown
    assert "est. 121.6" in text_of(client.get("/").text)


def test_the_views_of_the_tree_are_open_and_the_summary_page_is_folded(store, client):
    write_contrast_result(store)
    page = client.get(f"/studies/{STUDY_UID}").text
    folded = "".join(re.findall(r"<details>.*?</details>", page, re.DOTALL))
    tree = next(image["src"] for image in Elements(page).all("img") if "coronary tree" in image["alt"])
    summary = next(image["src"] for image in Elements(page).all("img") if "Summary page" in image["alt"])
    assert tree not in folded
    assert summary in folded
    assert tree != summary
    assert client.get(tree).headers["content-type"] == "image/png"


def test_key_slices_of_a_calcium_scan_keep_their_window_beside_a_contrast_scan(store, client):
    write_paired_study(store)
    assert re.findall(r"Window ([\d/]+) HU", text_of(client.get(f"/studies/{STUDY_UID}").text)) == [
        "350/1200",
        "120/700",
    ]


def test_every_picture_and_link_of_a_paired_study_works(store, client):
    write_paired_study(store)
    elements = Elements(client.get(f"/studies/{STUDY_UID}").text)
    targets = {a["href"] for a in elements.all("a")} | {i["src"] for i in elements.all("img")}
    for target in sorted(target for target in targets if not target.startswith("#")):
        assert client.get(target).status_code == 200, target


def test_the_contrast_in_a_key_slice_is_grey_and_not_as_white_as_the_calcium(store, client):
    """410 HU in the aorta: level (410 - 349.5) / 1199 + 0.5 of 255; in the window of a calcium scan it would be 233."""
    write_contrast_result(store)
    page = Elements(client.get(f"/studies/{STUDY_UID}").text)
    address = next(image["src"] for image in page.all("img") if "key-slices" in image["src"])
    pixels = np.asarray(Image.open(io.BytesIO(client.get(address).content)).convert("RGB"))
    assert (pixels == 140).all(axis=2).sum() > 500
    assert (pixels == 233).all(axis=2).sum() < 50, "some are left where the calcium was smoothed"


def test_a_contradicted_zero_stands_out_in_the_work_list_and_says_why(store, client):
    write_zero_study(store, 0.9)
    listed = text_of(client.get("/").text)
    assert "zero needs reading" in listed
    assert "calcium seen (score of 20 or more expected)" in listed
    page = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "zero needs reading" in page
    assert "the independent detection sees coronary calcium (probability 0.90, most likely in slice 5)" in page
    assert "Coronary calcium, without a score" in page
    assert "Probability of any calcium 90 %" in page


def test_a_confirmed_zero_is_marked_on_its_page_and_not_in_the_work_list(store, client):
    write_zero_study(store, 0.1)
    assert "needs reading" not in text_of(client.get("/").text)
    page = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "zero confirmed" in page
    assert "no calcium seen" in page


def test_a_zero_whose_detection_was_refused_needs_reading(store, client):
    write_zero_study(store, Refusal("HEART_NOT_FOUND", "No heart was seen between two lungs."))
    page = text_of(client.get(f"/studies/{STUDY_UID}").text)
    assert "zero needs reading" in page
    assert "Calcium was not looked for. This does not mean that there is none." in page
    assert "No heart was seen between two lungs." in page
