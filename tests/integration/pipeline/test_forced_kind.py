"""A kind given on the command line against the measured blood pool: scored, but never without saying so."""

import json

from pydicom import dcmread
from typer.testing import CliRunner

from agatha.processes.cli import app
from integration.pipeline.small_studies import small_study


def test_a_contrast_scan_taken_for_a_calcium_score_says_so_in_result_and_sr(tmp_path):
    small_study(tmp_path / "study", slices=12, blood_pool_hu=350)
    arguments = ["analyze", str(tmp_path / "study"), "--kind", "csct", "--out", str(tmp_path / "out"), "--json"]
    printed = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert printed.exit_code == 0, printed.output
    ((result,),) = (series["results"] for series in json.loads(printed.stdout)["series"])
    note = result["quality"][0]
    assert note["code"] == "KIND_FORCED_AGAINST_MEASUREMENT"
    assert " HU" in note["text"]

    report = dcmread(tmp_path / "out" / "01-csct-scoring" / "sr.dcm")
    assert note["text"] in {element.value for element in report.iterall() if element.keyword == "TextValue"}
