"""`agatha analyze` on a folder with a calcium-scoring CT and a contrast scan of one study."""

import json

import pytest
from typer.testing import CliRunner

from agatha.processes import analyze_command
from agatha.processes.cli import app
from builders.paired_flows import CCTA, CSCT, stand_in, two_series
from builders.paired_studies import NARROW, WIDE
from coronary.contract import Refusal

#: Sorted by UID, the calcium scan (...1.2) is the first of these and the second of those.
AFTER, BEFORE = "1.2.826.0.1.3680043.8.498.1.7", "1.2.826.0.1.3680043.8.498.1.1"


@pytest.fixture
def analyze(tmp_path, monkeypatch):
    """Run the command on both series; the stages before the report are fakes."""
    monkeypatch.setenv("AGATHA_DATA_DIR", str(tmp_path / "data"))

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


def test_scores_that_agree_say_so(analyze):
    printed = " ".join(analyze(limits=WIDE).output.split())
    assert "concordant: The contrast scan gives 122, the calcium-scoring CT 88: within the limits" in printed


@pytest.mark.parametrize("refused", [CSCT, CCTA])
def test_a_refused_series_is_compared_with_nothing(analyze, refused):
    answer = analyze("--json", refused=refused)
    assert answer.exit_code == 0, answer.output
    assert [report["results"][0]["concordance"] for report in json.loads(answer.stdout)["series"]] == [None, None]
