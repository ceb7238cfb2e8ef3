"""Agreement reports from a table, as a researcher would run them."""

import json

import pytest
from typer.testing import CliRunner

from agatha.processes.cli import app

HEADER = "case_id,true_total,true_LM,true_LAD,true_LCX,true_RCA," + (
    "predicted_total,predicted_LM,predicted_LAD,predicted_LCX,predicted_RCA,refusal"
)
ROWS = [
    "a,0,0,0,0,0,0,0,0,0,0,",
    "b,12,0,12,0,0,0,0,0,0,0,",
    "c,150,10,100,20,20,140,8,100,16,16,",
    "d,900,100,500,100,200,880,90,500,90,200,",
    "e,40,0,40,0,0,,,,,,KVP_NOT_120",
]


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", "table", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


def test_report_names_its_data_and_counts_zero_errors(table, tmp_path):
    result = run(table, "--out", tmp_path / "report", "--data-name", "four made-up cases", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["n"] == 5
    text = (tmp_path / "report" / "scores.md").read_text()
    assert "four made-up cases" in text
    assert "KVP_NOT_120" in text
    assert "1/3" in text.replace(" ", "")  # one of three cases with calcium was scored zero


def test_missing_column_is_a_usage_error_that_names_it(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("case_id,true_total\na,1\n")
    result = run(path, "--out", tmp_path, "--data-name", "x")
    assert result.exit_code == 2
    assert "line 2" in result.output


def test_value_that_is_no_number_is_a_usage_error_with_its_line(table, tmp_path):
    table.write_text(table.read_text().replace("c,150", "c,many"))
    result = run(table, "--out", tmp_path, "--data-name", "x")
    assert result.exit_code == 2
    assert "line 4" in result.output
