"""A physical phantom from a real scanner: inserts of known mass, measured by the command line, beside their truth."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agatha.processes.cli import app

REPOSITORY = Path(__file__).parents[3]
PHANTOM = REPOSITORY.parent / "shared" / "data" / "real" / "csct_qrm_phantom_canon"
TRUTH = REPOSITORY / "benchmarks" / "qrm_canon_inserts.json"

pytestmark = pytest.mark.skipif(not PHANTOM.is_dir(), reason="the real scans are not beside this checkout")


@pytest.fixture(scope="module")
def measured():
    result = CliRunner().invoke(
        app, ["analyze", str(PHANTOM), "--region", "heart", "--truth", str(TRUTH), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0
    (series,) = json.loads(result.stdout)["series"]
    return {row["insert"]["name"]: row for row in series["regions"][0]["inserts"]}


def test_all_six_inserts_of_3_and_5_mm_are_found(measured):
    assert len(measured) == 6
    assert all(row["object"] is not None for row in measured.values())


def test_mass_is_near_the_truth(measured):
    """Integrated mass within 15 %, the threshold's mass within 20 %: what one scan with 3 mm slices allows."""
    for row in measured.values():
        true_mg = row["insert"]["mass_mg"]
        assert row["integrated_mass_mg"] == pytest.approx(true_mg, rel=0.15), row["insert"]["name"]
        assert row["object"]["mass_mg"] == pytest.approx(true_mg, rel=0.20), row["insert"]["name"]


def test_volume_at_130_hu_blooms_with_density(measured):
    """The reason why volume is printed beside mass: 3 mm slices make dense inserts look up to four times as large."""
    for size in ("3 mm", "5 mm"):
        volumes = [measured[f"{density} mg/cm3, {size}"]["object"]["volume_mm3"] for density in (200, 400, 800)]
        assert volumes == sorted(volumes)
        assert volumes[0] > measured[f"200 mg/cm3, {size}"]["insert"]["volume_mm3"]


def test_the_table_for_people_names_every_insert(measured):
    result = CliRunner().invoke(app, ["analyze", str(PHANTOM), "--region", "heart", "--truth", str(TRUTH)])
    assert result.exit_code == 0
    for name in measured:
        assert name in result.output
