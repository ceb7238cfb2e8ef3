"""Agreement reports from tables, as a researcher or a hospital would run them."""

import csv
import importlib.util
import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agatha.processes.cli import app
from coronary.evaluation import clopper_pearson

SCORES = "{0}total,{0}LM,{0}LAD,{0}LCX,{0}RCA"
HEADER = f"case_id,{SCORES.format('true_')},{SCORES.format('predicted_')},refusal"
ROWS = [
    "a,0,0,0,0,0,0,0,0,0,0,",
    "b,12,0,12,0,0,0,0,0,0,0,",
    "c,150,10,100,20,20,140,8,100,16,16,",
    "d,900,100,500,100,200,880,90,500,90,200,",
    "e,40,0,40,0,0,,,,,,KVP_NOT_120",
]
#: The same cases as two tables, f only in ours, g only in the reference; b was handed over as needs reading.
OURS = [
    f"case_id,{SCORES.format('')},refusal,needs_reading,site",
    "a,0,0,0,0,0,,,north",
    "b,0,0,0,0,0,,yes,south",
    "f,7,0,7,0,0,,,south",
    "c,140,8,100,16,16,,,north",
    "d,880,90,500,90,200,,,south",
    "e,,,,,,KVP_NOT_120,,north",
]
REFERENCE = [
    f"case_id,{SCORES.format('')},reader",
    "a,0,0,0,0,0,1",
    "g,8,8,0,0,0,1",
    "d,900,100,500,100,200,2",
    "b,12,0,12,0,0,1",
    "c,150,10,100,20,20,2",
    "e,40,0,40,0,0,2",
]
NEEDS_PICTURES = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="pip install 'agatha[evaluation]'"
)


class Page(HTMLParser):
    """What a page holds: text, tags with attributes, sections by their id, and its pictures."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sections, self._section, self._open, self._hidden = [], {"": ""}, "", [], False
        self.feed(text)
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "section":
            self._section = dict(attributes)["id"]
            self.sections[self._section] = ""
        if tag not in {"meta", "img", "br", "link"}:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.sections[self._section] += " " + data

    def text(self, section):
        return " ".join(self.sections[section].split())

    def pictures(self):
        return [attributes for tag, attributes in self.tags if tag == "img"]


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", "table", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "scores.csv", [HEADER, *ROWS])


@pytest.fixture
def ours(tmp_path):
    return write(tmp_path / "ours.csv", OURS)


@pytest.fixture
def reference(tmp_path):
    return write(tmp_path / "readers.csv", REFERENCE)


def write(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def joined(ours, reference, tmp_path):
    """The folder with the report of the two tables."""
    result = run(ours, "--reference", reference, "--data-name", "five <cases>", "--stratum", "site", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    return tmp_path


@pytest.fixture
def page(joined):
    return Page((joined / "ours.html").read_text(encoding="utf-8"))


def case_rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def figures(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_report_names_its_data_and_counts_zero_errors(table, tmp_path):
    result = run(table, "--out", tmp_path / "report", "--data-name", "four made-up cases", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert (summary["n"], summary["left_out"]) == (5, 0)
    assert [path for path in summary["files"] if not Path(path).stat().st_size] == []
    assert {Path(path).name for path in summary["files"]} >= {
        "scores.html", "scores.md", "scores.json", "scores-cases.csv",
    }  # fmt: skip
    text = (tmp_path / "report" / "scores.md").read_text()
    assert "four made-up cases" in text
    assert "KVP_NOT_120" in text
    assert "1/3" in text.replace(" ", "")  # one of three cases with calcium was scored zero


def test_two_tables_are_joined_on_the_case_and_none_is_dropped(joined, table):
    found = figures(joined / "ours.json")
    assert (found["n_cases"], found["n_scored"]) == (5, 4)
    assert found["left_out"] == [
        {"case_id": "f", "why": "not in readers.csv"},
        {"case_id": "g", "why": "not in ours.csv"},
    ]
    assert found["false_zero_ids_flagged"] == ["b"]
    assert found["refusals"] == {"KVP_NOT_120": 1}
    run(table, "--data-name", "five <cases>", "--out", joined)
    same = figures(joined / "scores.json")
    assert found["total"] == same["total"]
    assert found["vessels"] == same["vessels"]


def test_what_is_left_out_is_printed(ours, reference, tmp_path):
    output = run(ours, "--reference", reference, "--data-name", "x", "--out", tmp_path).output
    assert "left out: f (not in readers.csv)" in output
    assert "left out: g (not in ours.csv)" in output


def test_figures_are_written_unrounded(joined):
    found = figures(joined / "ours.json")
    rate = clopper_pearson(1, 3)
    assert found["total"]["zero"]["false_zero_rate"] == {
        "successes": 1, "n": 3, "value": rate.value, "low": rate.low, "high": rate.high, "confidence": 0.95,
    }  # fmt: skip
    assert found["total"]["bland_altman"]["mean_difference"]["value"] == (-12 - 10 - 20) / 4
    assert found["risk_classes"]["counts"][2] == [1, 0, 0, 0, 0]  # 12 is in 11-100, and was scored 0
    assert found["risk_classes"]["classes"] == ["0", "1-10", "11-100", "101-400", ">400"]
    assert [row["level"] for row in found["strata"]] == ["north", "south"]
    assert set(found["vessels"]) == {"LM", "LAD", "LCX", "RCA"}


def test_case_table_gives_the_same_figures_again(joined, tmp_path):
    again = tmp_path / "again"
    result = run(joined / "ours-cases.csv", "--data-name", "five <cases>", "--stratum", "site", "--out", again)
    assert result.exit_code == 0, result.output
    first, second = figures(joined / "ours.json"), figures(again / "ours-cases.json")
    for one in (first, second):
        del one["sources"], one["left_out"]
    assert first == second
    rows = case_rows(joined / "ours-cases.csv")
    assert [row["case_id"] for row in rows] == ["a", "b", "c", "d", "e"]
    assert rows[1]["needs_reading"] == "yes"
    assert (rows[2]["difference"], rows[2]["true_category"]) == ("-10.0", "101-400")
    assert (rows[4]["predicted_total"], rows[4]["predicted_category"], rows[4]["refusal"]) == ("", "", "KVP_NOT_120")


def test_page_needs_no_other_file_and_no_script(page):
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            if name in {"src", "href", "srcset", "data", "action", "background"}:
                assert value.startswith(("data:image/svg+xml;base64,", "#")), (tag, name, value[:60])
            assert not name.startswith("on")


def test_style_of_the_page_loads_nothing(joined):
    text = (joined / "ours.html").read_text(encoding="utf-8")
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_page_says_wrong_zeros_first_and_in_plain_words(page):
    text = page.text("headlines")
    assert text.startswith("In plain words Wrong zeros 1 of 3 Cases with calcium in the reference that were scored 0")
    assert list(page.sections)[1:3] == ["headlines", "zeros"]
    assert "Wrong zeros: b (needs reading)" in page.text("zeros")


def test_page_has_every_part_and_each_names_its_data_and_its_mark(page):
    parts = ("zeros", "agreement", "categories", "detection", "vessels", "strata", "worst", "refusals")
    assert [part for part in parts if part not in page.sections] == []
    for part in ("headlines", *parts):
        text = page.text(part)
        assert "five <cases>; here n = " in text, part
        assert "Research use only – not for diagnostic use." in text, part
    assert "33.3 % [0.8, 90.6]" in page.text("zeros")
    assert "t(3) = " in page.text("agreement")
    assert "Kappa, linear weights" in page.text("categories")
    assert "KVP_NOT_120: 1" in page.text("refusals")
    assert "f: not in readers.csv" in page.text("refusals")
    worst = page.text("worst").split(" b ")[1]
    assert worst.startswith("12.0 0.0 −12.0 11-100 → 0 0 → 0 12 → 0 0 → 0 0 → 0 wrong zero ; needs reading")


@NEEDS_PICTURES
def test_page_holds_four_pictures_with_a_description_each(page):
    pictures = page.pictures()
    assert [picture["alt"].split(":")[0] for picture in pictures] == [
        "Every case", "Bland–Altman", "Risk categories", "Detection of calcium",
    ]  # fmt: skip
    assert all(len(picture["src"]) > 4000 for picture in pictures)


def test_without_matplotlib_the_page_says_how_to_get_pictures(ours, reference, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(ours, "--reference", reference, "--data-name", "x", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    page = Page((tmp_path / "ours.html").read_text(encoding="utf-8"))
    assert page.pictures() == []
    assert "pip install 'agatha[evaluation]'" in page.text("headlines")


@NEEDS_PICTURES
def test_a_name_in_another_script_is_no_trouble(ours, reference, tmp_path):
    result = run(ours, "--reference", reference, "--data-name", "当院の症例 2025", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "当院の症例 2025; here n = 4" in Page((tmp_path / "ours.html").read_text(encoding="utf-8")).text("zeros")


def test_semicolons_bring_decimal_commas(reference, tmp_path):
    lines = [line.replace(",", ";").replace("140;", "140,5;") for line in OURS]
    ours = write(tmp_path / "ours.csv", lines)
    assert run(ours, "--reference", reference, "--data-name", "x", "--out", tmp_path).exit_code == 0
    rows = case_rows(tmp_path / "ours-cases.csv")
    assert rows[2]["predicted_total"] == "140.5"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ours.csv", "c,140", "c,many", "ours.csv, line 5: column total is 'many', expected a number"),
        ("ours.csv", "c,140", "c,", "ours.csv, line 5: column total is '', expected a number"),
        ("ours.csv", "c,140", "c,-1", "ours.csv, line 5: column total is '-1', expected a finite number from 0"),
        ("ours.csv", "c,140", "c,nan", "ours.csv, line 5: column total is 'nan', expected a finite number from 0"),
        ("readers.csv", "c,150", "a,150", "readers.csv, line 6: case_id a is there already (readers.csv, line 2)"),
        ("readers.csv", "c,150", ",150", "readers.csv, line 6: column case_id is empty"),
        ("readers.csv", "g,8", "g,eight", "readers.csv, line 3: column total is 'eight', expected a number"),
        ("readers.csv", "reader", "total2,LCX2", "readers.csv, line 1: column LCX is missing"),
        ("readers.csv", "reader", "total2,LCX2", "is missing; expected all or none of LM, LAD, LCX, RCA"),
        ("readers.csv", "LM,LAD,LCX,RCA", "lm,lad,lcx,rca", "readers.csv, line 1: column LM, LAD, LCX, RCA is missing"),
        (
            "readers.csv",
            "b,12,0,12,0,0,1",
            "b,12,0,12,,0,1",
            "readers.csv, line 5: column LCX is '', expected a number",
        ),
        ("ours.csv", "LM,LAD,LCX,RCA", "1,2,3,4", "ours.csv, line 1: column LM, LAD, LCX, RCA is missing"),
        ("readers.csv", "b,12,0,12,0,0,1", "b,12,0,12,0,0,1,9", "readers.csv, line 5: more cells than the 7"),
        ("ours.csv", "e,,", "e,40,", "ours.csv, line 7: a refused case has a score in column total"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error_that_names_file_and_line(
    ours, reference, tmp_path, file, old, new, message
):
    path = tmp_path / file
    text = path.read_text().replace("LCX", "Cx", 1) if "LCX2" in new else path.read_text()
    path.write_text(text.replace(old, new, 1))
    result = run(ours, "--reference", reference, "--data-name", "x", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_a_file_in_another_encoding_is_a_usage_error(ours, reference, tmp_path):
    reference.write_bytes(reference.read_bytes().replace(b"reader", "Prüfer".encode("latin-1")))
    result = run(ours, "--reference", reference, "--data-name", "x", "--out", tmp_path)
    assert result.exit_code == 2
    assert "readers.csv is not UTF-8 text" in result.output


def test_tables_without_a_common_case_say_so(ours, reference, tmp_path):
    reference.write_text(reference.read_text().replace("\n", "\nz", 5))
    result = run(ours, "--reference", reference, "--data-name", "x", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "0 scored cases of 1, expected at least 3. Left out: a: not in readers.csv; b: not in" in result.output
    assert "and 5 more" in result.output


def test_a_misspelt_stratum_is_a_usage_error(ours, reference, tmp_path):
    result = run(ours, "--reference", reference, "--data-name", "x", "--stratum", "sites", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "no case has a column sites; there are: reader, site" in result.output


def test_missing_column_of_one_table_is_a_usage_error_that_names_it(tmp_path):
    path = write(tmp_path / "scores.csv", ["case_id,true_total", "a,1"])
    result = run(path, "--out", tmp_path, "--data-name", "x")
    assert result.exit_code == 2
    assert "scores.csv, line 1: column predicted_total is missing" in result.output


def test_vessels_of_one_side_alone_are_a_usage_error(tmp_path):
    path = write(tmp_path / "scores.csv", [f"case_id,{SCORES.format('true_')},predicted_total", "a,1,0,1,0,0,1"])
    result = run(path, "--out", tmp_path, "--data-name", "x")
    assert result.exit_code == 2
    assert "line 1: column predicted_LM, predicted_LAD, predicted_LCX, predicted_RCA is missing" in result.output


@pytest.fixture
def totals(ours, tmp_path):
    """The folder with the report of ours beside a reference that has no vessels."""
    lines = [",".join([*line.split(",")[:2], line.split(",")[-1]]) for line in REFERENCE]
    assert lines[:2] == ["case_id,total,reader", "a,0,1"]
    reference = write(tmp_path / "totals.csv", lines)
    out = tmp_path / "totals"
    result = run(ours, "--reference", reference, "--data-name", "five <cases>", "--stratum", "site", "--out", out)
    assert result.exit_code == 0, result.output
    return out


def test_a_reference_with_totals_alone_gives_the_same_figures_of_the_total(joined, totals):
    full, alone = figures(joined / "ours.json"), figures(totals / "ours.json")
    assert alone.pop("vessels") == {}
    for one in (full, alone):
        del one["sources"], one["left_out"]
    del full["vessels"]
    assert alone == full


def test_page_of_totals_alone_says_why_and_names_no_vessel_elsewhere(totals):
    page = Page((totals / "ours.html").read_text(encoding="utf-8"))
    assert page.text("vessels").startswith(
        "Per vessel The reference gives a total alone, without LM, LAD, LCX and RCA: nothing is compared per vessel. "
        "five <cases>; here n = 4"
    )
    for section in page.sections:
        if section != "vessels":
            assert not set(page.text(section).split()) & {"LM", "LAD", "LCX", "RCA"}, section
    worst = page.text("worst").split(" b ")[1]
    assert worst.startswith("12.0 0.0 −12.0 11-100 → 0 wrong zero ; needs reading")


def test_case_table_of_totals_alone_has_no_vessels_and_gives_the_same_figures_again(totals, tmp_path):
    table = totals / "ours-cases.csv"
    assert table.read_text(encoding="utf-8").splitlines()[:3] == [
        "case_id,true_total,predicted_total,refusal,needs_reading,difference,true_category,predicted_category,reader,site",
        "a,0.0,0.0,,no,0.0,0,0,1,north",
        "b,12.0,0.0,,yes,-12.0,11-100,0,1,south",
    ]
    result = run(table, "--data-name", "five <cases>", "--stratum", "site", "--out", tmp_path / "again")
    assert result.exit_code == 0, result.output
    first, second = figures(totals / "ours.json"), figures(tmp_path / "again" / "ours-cases.json")
    for one in (first, second):
        del one["sources"], one["left_out"]
    assert first == second


def test_the_smallest_tables_of_the_how_to_make_a_report(tmp_path):
    guide = (Path(__file__).parents[3] / "docs/how-to/evaluate.md").read_text(encoding="utf-8")
    readers, ours = (
        write(tmp_path / f"{name}.csv", block.strip().splitlines())
        for name, block in zip(("readers", "ours"), guide.split("The smallest two")[1].split("```")[1:4:2], strict=True)
    )
    result = run(ours, "--reference", readers, "--data-name", "three", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = figures(tmp_path / "out" / "ours.json")
    assert (found["n_scored"], found["vessels"]) == (3, {})
    assert found["total"]["bland_altman"]["mean_difference"]["value"] == pytest.approx(-13 / 3)  # 0, −3, −10


def test_value_that_is_no_number_is_a_usage_error_with_its_line(table, tmp_path):
    table.write_text(table.read_text().replace("c,150", "c,many"))
    result = run(table, "--out", tmp_path, "--data-name", "x")
    assert result.exit_code == 2
    assert "line 4" in result.output
