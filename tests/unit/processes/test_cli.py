"""The command line: help with an example for every command, exit statuses, machine-readable output."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from agatha.processes.cli import app
from agatha.processes.settings import Settings
from agatha.processes.store_wiring import open_store
from builders.ct_series import build_ct_series


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("AGATHA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGATHA_DATA_DIR", str(tmp_path / "data"))
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def run():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL_COMMANDS = sorted(commands(get_command(app)))


def test_the_commands_are_those_of_the_architecture():
    visible = {" ".join(path) for path in ALL_COMMANDS}
    promised = {
        "serve", "listener", "worker", "scheduler", "api", "analyze", "phantom", "send", "db upgrade", "db check",
    }  # fmt: skip
    assert promised <= visible


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_help_has_an_example(run, path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert "$ " in result.output


def test_an_unknown_flag_is_a_usage_error(run):
    assert run("serve", "--colour", "red").exit_code == 2


@pytest.mark.parametrize("command", ["serve", "listener", "worker", "scheduler", "api"])
def test_a_wrong_configuration_is_a_usage_error_with_one_sentence(run, monkeypatch, command):
    monkeypatch.setenv("AGATHA_QUITE_S", "3")
    result = run(command)
    assert result.exit_code == 2
    assert "did you mean AGATHA_QUIET_S?" in result.output
    assert "Traceback" not in result.output


def test_the_http_side_does_not_start_in_public_without_a_token(run, monkeypatch):
    monkeypatch.setenv("AGATHA_HTTP_BIND", "0.0.0.0")
    result = run("api")
    assert result.exit_code == 2
    assert "AGATHA_API_TOKEN" in result.output


def test_db_check_says_what_is_missing_and_upgrade_mends_it(run):
    before = run("db", "check", "--json")
    assert (before.exit_code, bool(json.loads(before.stdout)["pending"])) == (1, True)
    assert run("db", "upgrade").exit_code == 0
    after = run("db", "check", "--json")
    assert (after.exit_code, json.loads(after.stdout)["pending"]) == (0, [])


def test_what_was_set_aside_is_listed_with_its_reason_and_its_file(run, tmp_path):
    assert run("db", "quarantine").exit_code == 2  # there is no database yet
    run("db", "upgrade")
    assert "Nothing was set aside" in run("db", "quarantine").output
    database, files = open_store(Settings())
    with files.begin() as incoming:
        incoming.write(b"no DICOM")
        stored = incoming.quarantine("1.2.3")
    with database.writing() as tx:
        tx.quarantine(
            stored,
            reason_code="NOT_READABLE",
            reason_text="The data set is cut short.",
            calling_ae_title="SCANNER",
            received_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
            study_instance_uid="1.2",
        )
    database.close()
    table = " ".join(run("db", "quarantine").output.split())
    assert "SCANNER" in table
    assert "2026-01-31" in table
    (row,) = json.loads(run("db", "quarantine", "--json").stdout)
    assert (row["reason_code"], row["study_instance_uid"]) == ("NOT_READABLE", "1.2")
    assert Path(row["path"]).read_bytes() == b"no DICOM"
    assert row["received_at"].startswith("2026-01-31T09:30")


def test_the_database_is_readable_by_its_owner_only(run, tmp_path):
    run("db", "upgrade")
    assert (tmp_path / "data" / "agatha.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_analyze_of_a_refused_series_exits_3_with_the_reason(run, tmp_path):
    build_ct_series(tmp_path / "study", slices=4, PatientName="CANARY^PHI")
    result = run("analyze", tmp_path / "study", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 3
    (series,) = json.loads(result.stdout)["series"]
    assert series["reason"]["code"] == "TOO_FEW_SLICES"
    assert series["results"][0]["calcium"] is None
    assert (tmp_path / "out" / "01-csct-scoring" / "sr.dcm").read_bytes()[128:132] == b"DICM"
    assert "CANARY" not in result.output


def test_analyze_of_a_folder_without_dicom_exits_3(run, tmp_path):
    (tmp_path / "note.txt").write_text("no image")
    result = run("analyze", tmp_path)
    assert result.exit_code == 3
    assert "no readable DICOM series" in result.output


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--kind", "mri", "expected one of csct, ccta, chest_ncct, other"),
        ("--analysis", "stress-test", "no analysis is called"),
        ("--region", "1,2,3", "expected x,y,z,radius in mm, or heart"),
        ("--region", "1,2,3,-4", "expected a positive number"),
    ],
)
def test_analyze_explains_a_wrong_flag(run, tmp_path, flag, value, said):
    build_ct_series(tmp_path, slices=24)
    result = run("analyze", tmp_path, flag, value)
    assert result.exit_code == 2
    assert said in result.output


def test_a_region_is_measured_object_by_object(run, tmp_path):
    """The one calcified artery of the builder: 480 HU, 10 mm across, on five slices of 3 mm."""
    build_ct_series(tmp_path, slices=30, rows=160)
    result = run("analyze", tmp_path, "--region=-30,-45,0,25", "--mass-factor", "0.8", "--json")
    assert result.exit_code == 0, result.output
    (series,) = json.loads(result.stdout)["series"]
    (artery,) = series["regions"][0]["objects"]
    assert artery["volume_mm3"] == pytest.approx(3.14159 * 25 * 15, rel=0.15)
    assert artery["mean_hu"] == pytest.approx(480, abs=10)
    assert artery["mass_mg"] == pytest.approx(0.8e-3 * artery["mean_hu"] * artery["volume_mm3"], rel=1e-6)
    assert artery["center_lps_mm"] == pytest.approx([-30, -45, 0], abs=2)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--truth", "inserts.json"], "--truth: needs --region"),
        (["--mass-factor", "0.8"], "--mass-factor: needs --region"),
        (["--region", "heart", "--out", "out"], "--out: has no effect with --region"),
        (["--region", "heart", "--kind", "csct"], "--kind: has no effect with --region"),
        (
            ["--region", "heart", "--analysis", "csct-scoring", "--out", "out"],
            "--analysis, --out: has no effect with --region",
        ),
        (["--region", "heart", "--mass-factor", "0"], "--mass-factor 0: expected a positive number"),
        (["--region", "heart", "--mass-factor", "nan"], "--mass-factor nan: expected a positive number"),
        (["--region=-30,-45,500,25"], "--region -30,-45,500,25: no voxel lies in it; LPS mm of the series: x -150 to"),
        (["--region=-30,-45,0,25", "--region=-30,-45,500,25", "--json"], "--region -30,-45,500,25: no voxel"),
    ],
)
def test_a_flag_without_effect_and_a_region_without_voxels_are_refused(run, tmp_path, flags, said):
    build_ct_series(tmp_path, slices=24, rows=16)
    result = run("analyze", tmp_path, *flags)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.output


def test_a_region_of_a_folder_without_dicom_is_a_usage_error(run, tmp_path):
    (tmp_path / "study").mkdir()
    result = run("analyze", tmp_path / "study", "--region", "heart")
    assert result.exit_code == 2
    assert "study: no readable DICOM series" in result.output


def moved_by_1_m(datasets):
    for dataset in datasets:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 1000]
    return datasets


def test_a_region_outside_one_series_is_measured_in_the_other(run, tmp_path):
    build_ct_series(tmp_path / "near", slices=24, rows=16, SeriesInstanceUID="1.2.3")
    build_ct_series(tmp_path / "far", slices=24, rows=16, SeriesInstanceUID="1.2.4", change=moved_by_1_m)
    result = run("analyze", tmp_path, "--region=-30,-45,0,25", "--json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["series"]) == 2


def test_send_to_nobody_fails_without_a_traceback(run, tmp_path):
    build_ct_series(tmp_path, slices=1)
    result = run("send", tmp_path, "--to", "NOBODY@127.0.0.1:1")
    assert result.exit_code == 1
    assert "DeliveryFailed" in result.output


def test_send_to_a_misspelt_destination_is_a_usage_error(run, tmp_path):
    build_ct_series(tmp_path, slices=1)
    assert run("send", tmp_path, "--to", "PACS").exit_code == 2


def test_a_demo_never_empties_a_folder_that_it_did_not_make(run, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years of work")
    result = run("demo", "--data-dir", tmp_path / "precious")
    assert result.exit_code == 2
    assert (tmp_path / "precious" / "thesis.txt").exists()
