"""Inserts of a physical phantom beside their truth: the one place where a real score meets a real truth."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agatha.processes.cli import app

REPOSITORY = Path(__file__).parents[3]
PHANTOM = REPOSITORY.parent / "shared" / "data" / "real" / "csct_qrm_phantom_canon"
INSERTS = REPOSITORY / "docs" / "how-to" / "qrm-cci-inserts.toml"


@pytest.fixture(scope="module")
def measured():
    if not PHANTOM.is_dir():
        pytest.skip("the real scans are not here: ../shared/data/real")
    result = CliRunner().invoke(app, ["analyze", str(PHANTOM), "--inserts", str(INSERTS), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)["series"][0]


def test_mass_factor_comes_from_the_calibration_rods(measured):
    assert measured["mass_calibration"]["factor_mg_per_hu_cm3"] == pytest.approx(0.72, abs=0.05)


def test_all_six_inserts_are_seen_and_their_integrated_mass_is_near_the_truth(measured):
    assert len(measured["inserts"]) == 6
    for insert in measured["inserts"]:
        assert insert["volume_mm3"] > insert["true_volume_mm3"]  # blooming
        tolerance = 0.10 if insert["true_mass_mg"] > 5 else 0.25
        assert insert["integrated_mass_mg"] == pytest.approx(insert["true_mass_mg"], rel=tolerance)


def test_inserts_rank_by_mass_as_in_truth(measured):
    by_truth = sorted(measured["inserts"], key=lambda insert: insert["true_mass_mg"])
    masses = [insert["mass_mg"] for insert in by_truth]
    assert masses == sorted(masses)


def test_truth_without_a_calibration_is_a_usage_error(tmp_path):
    if not PHANTOM.is_dir():
        pytest.skip("the real scans are not here: ../shared/data/real")
    truth = tmp_path / "inserts.toml"
    truth.write_text('name = "no rods"\n')
    result = CliRunner().invoke(app, ["analyze", str(PHANTOM), "--inserts", str(truth)])
    assert result.exit_code == 2
    assert "calibration" in result.output
