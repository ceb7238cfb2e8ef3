"""`agatha analyze` on a folder with a calcium-scoring CT and a contrast scan of one study."""

import json

import pytest
from pydicom import dcmread
from pydicom.uid import EnhancedSRStorage
from typer.testing import CliRunner

from agatha.pipeline.examination import Examination
from agatha.processes import analyze_command
from agatha.processes.analyze_command import score_table
from agatha.processes.cli import app
from builders.findings import calcified_volume, write_ct_series
from builders.paired_flows import CCTA, CSCT, stand_in, two_series
from builders.paired_studies import NARROW, WIDE
from coronary.contract import Refusal

#: Sorted by UID, the calcium scan (...1.2) is the first of these and the second of those.
AFTER, BEFORE = "1.2.826.0.1.3680043.8.498.1.7", "1.2.826.0.1.3680043.8.498.1.1"


@pytest.fixture
def analyze(tmp_path, monkeypatch):
    """Run the command on both series; the stages before the report are fakes."""
    monkeypatch.setenv("AGATHA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("AGATHA_ANALYSES", f"{CSCT},{CCTA}")

    def run(*flags, limits=NARROW, uid=AFTER, refused=None):
        series = two_series(tmp_path / "study", uid)
        for path in (tmp_path / "study").rglob("written/*.dcm"):
            path.unlink()
        if refused is not None:
            series.findings[refused] = Refusal("STENT", "A stent.")
        stand_in(monkeypatch, series, analyze_command, tmp_path, limits)
        return CliRunner().invoke(app, ["analyze", str(tmp_path / "study"), *flags])

    return run


@pytest.mark.parametrize(("uid", "second"), [(AFTER, CCTA), (BEFORE, CSCT)], ids=["calcium first", "contrast first"])
def test_the_second_result_holds_the_comparison_whichever_series_comes_first(analyze, tmp_path, uid, second):
    out = tmp_path / "out"
    answer = analyze("--json", "--out", str(out), uid=uid)
    assert answer.exit_code == 0, answer.output
    first, last = (report["results"][0] for report in json.loads(answer.stdout)["series"])
    assert (first["concordance"], last["analysis"]) == (None, second)
    assert last["concordance"]["is_discordant"] is True
    assert (last["concordance"]["csct"]["total"], last["concordance"]["ccta"]["total"]) == (88.0, 121.625)
    assert json.loads((out / f"02-{second}" / "result.json").read_text("utf-8")) == last


def test_the_sentence_is_printed_and_the_estimate_is_called_one(analyze):
    answer = analyze()
    assert answer.exit_code == 0, answer.output
    printed = " ".join(answer.output.split())
    assert "discordant: The contrast scan gives 122, the calcium-scoring CT 88: outside the limits" in printed
    assert "ccta-scoring, estimated from contrast CT (Agatston equivalent)" in printed
    assert printed.count("Agatston equivalent") == 2, "in the title and over the column, of one series only"


def test_the_interval_of_the_measured_score_is_printed_and_the_estimate_has_none(analyze):
    printed = " ".join(analyze().output.split())
    assert "CAC-DRS A1/N3 90 % interval 71 to 115 (measured on virtual patients, n = 120)" in printed
    assert printed.count("interval") == 1


def test_scores_that_agree_say_so(analyze):
    printed = " ".join(analyze(limits=WIDE).output.split())
    assert "concordant: The contrast scan gives 122, the calcium-scoring CT 88: within the limits" in printed


def test_the_report_has_the_sop_class_of_the_configuration(analyze, monkeypatch, tmp_path):
    monkeypatch.setenv("AGATHA_SR_SOP_CLASS", "enhanced")
    assert analyze("--out", str(tmp_path / "out")).exit_code == 0
    classes = {dcmread(path).SOPClassUID for path in (tmp_path / "out").glob("*/sr.dcm")}
    assert classes == {EnhancedSRStorage}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((), ["csct-scoring", "calcium-inpainting"]), (("--analysis", "lumen-extraction"), ["lumen-extraction"])],
)
def test_the_analyses_are_those_of_the_configuration_unless_named(monkeypatch, tmp_path, flags, expected):
    monkeypatch.setenv("AGATHA_ANALYSES", "csct-scoring,calcium-inpainting")
    write_ct_series(tmp_path / "study", calcified_volume((5, 24, 32))[0])
    asked = []

    def examine(_paths, families, **_options):
        asked.append([family.name for family in families])
        return Examination(None, None, Refusal("NOT_CT", "No CT."), False, ())

    monkeypatch.setattr(analyze_command, "examine_series", examine)
    assert CliRunner().invoke(app, ["analyze", str(tmp_path / "study"), *flags]).exit_code == 3
    assert asked == [expected]


@pytest.mark.parametrize("refused", [CSCT, CCTA])
def test_a_refused_series_is_compared_with_nothing(analyze, refused):
    answer = analyze("--json", refused=refused)
    assert answer.exit_code == 0, answer.output
    assert [report["results"][0]["concordance"] for report in json.loads(answer.stdout)["series"]] == [None, None]


def test_the_table_of_a_result_has_no_false_zero() -> None:
    tiny = dict.fromkeys(("total", "LM", "LAD", "LCX", "RCA"), 0.04)
    calcium = {"agatston": tiny, "volume_mm3": tiny, "mass_mg": tiny, "risk_category": "1-10", "cac_drs": "A1/N4"}
    for column in score_table({"calcium": calcium}, "series 1", truth=tiny).columns[1:]:
        assert set(column.cells) == {"< 0.1"}
