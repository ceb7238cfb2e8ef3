"""`agatha evaluate results`: what the service scored, from its database, against a hospital's own table."""

import csv
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from agatha.processes.cli import app
from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.records import StoredFile

CSCT, CCTA = "csct-scoring", "ccta-scoring"
MINUTE = timedelta(minutes=1)
MODEL = {"name": "unet", "version": "1.2.3", "sha256": "m1"}


class Service:
    """A database filled as the service fills it: received series, jobs, and what became of them."""

    def __init__(self, url):
        migrate.upgrade(url)
        self.database = Database(url)

    def receive(self, study, accession_number, number=1):
        """One more series of a study; returns its id."""
        series = f"{study}.{number}"
        facts = SimpleNamespace(
            study_instance_uid=study,
            series_instance_uid=series,
            sop_instance_uid=f"{series}.1",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            patient_id="CANARY^PHI",
            patient_birth_date="19500102",
            patient_sex="F",
            accession_number=accession_number,
            study_date="20240501",
            study_description="Calcium score",
            modality="CT",
            series_number=number,
            series_description="CaSc 3.0",
            instance_number=1,
        )
        stored = StoredFile(f"instances/{series}.dcm", series * 8, 100)
        with self.database.writing() as tx:
            return tx.add_instance(facts, stored, calling_ae_title="SCANNER", received_at=datetime.now(UTC)).series_id

    def finish(self, series_id, document, analysis=CSCT, generation="d1"):
        """Record the outcome of one analysis of the series."""
        now = datetime.now(UTC)
        with self.database.writing() as tx:
            lease = tx.lease_series(series_id, "worker", now, MINUTE)
            if lease is not None:
                tx.settle_series(lease, state="routed", kind="csct")
            job = tx.create_job(
                series_id,
                analysis=analysis,
                input_version=tx.series(series_id).input_version,
                src_digest=generation,
                model_name=MODEL["name"],
                model_version=MODEL["version"],
                model_sha256=MODEL["sha256"],
                config_digest="c1",
                provisional=False,
            )
        with self.database.writing() as tx:
            lease = tx.lease_job(job.id, "worker", now, MINUTE)
            tx.complete_job(
                lease,
                state="refused" if document["calcium"] is None else "completed",
                provisional=False,
                document=document,
                outputs=[],
                destinations=(),
            )


def score(lm, lad, lcx, rca, *, quality=()):
    agatston = {"total": lm + lad + lcx + rca, "LM": lm, "LAD": lad, "LCX": lcx, "RCA": rca}
    return {
        "model": MODEL,
        "reason": None,
        "calcium": {
            "agatston": agatston,
            "interval": {"low": 0.8 * agatston["total"], "high": 1.2 * agatston["total"]},
        },
        "quality": [{"code": code, "text": code} for code in quality],
    }


def refusal(code):
    return {"model": MODEL, "reason": {"code": code, "text": code}, "calcium": None, "quality": []}


@pytest.fixture
def service(database_url, tmp_path, monkeypatch):
    """Studies 1.1 to 1.8: right, false zero, refused, scored anew, other analysis, not asked for, moving; right."""
    monkeypatch.setenv("AGATHA_DATABASE_URL", database_url)
    monkeypatch.setenv("AGATHA_DATA_DIR", str(tmp_path / "data"))
    service = Service(database_url)
    service.finish(service.receive("1.1", "A1"), score(0, 0, 0, 0))
    service.finish(service.receive("1.2", "A2"), score(0, 0, 0, 0, quality=["ZERO_UNCERTAIN"]))
    service.finish(service.receive("1.3", "A3"), refusal("GAP_BETWEEN_SLICES"))
    again = service.receive("1.4", "A4")
    service.finish(again, score(1, 2, 3, 4))
    service.finish(again, score(10, 20, 30, 40), generation="d2")
    service.finish(service.receive("1.5", "A5"), score(5, 5, 5, 5), analysis=CCTA)
    service.finish(service.receive("1.6", "A6"), score(7, 0, 0, 0))
    service.receive("1.7", "A7")
    service.finish(service.receive("1.8", "A8"), score(100, 200, 150, 50))
    yield service
    service.database.close()


REFERENCE = {
    "1": "0,0,0,0,0",
    "2": "12,0,12,0,0",
    "3": "40,0,40,0,0",
    "4": "110,10,25,35,40",
    "5": "20,5,5,5,5",
    "7": "0,0,0,0,0",
    "8": "480,100,190,140,50",
    "9": "3,0,0,0,3",
}


def reference(path, key, prefix, extra=None):
    """Write the reference: studies named by `key`, `prefix` before the number; `extra` is a column and its prefix."""
    heading = f"{key},total,LM,LAD,LCX,RCA" + (f",{extra[0]}" if extra else "")
    lines = [
        f"{prefix}{number},{values}" + (f",{extra[1]}{number}" if extra else "") for number, values in REFERENCE.items()
    ]
    path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
    return path


def case_rows(folder):
    return list(csv.DictReader((folder / "out" / "csct-scoring-cases.csv").read_text(encoding="utf-8").splitlines()))


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", "results", *map(str, arguments)])


@pytest.mark.parametrize(("key", "prefix"), [("study_instance_uid", "1."), ("accession_number", "A")])
def test_results_are_set_beside_the_reference_and_nothing_is_dropped(service, tmp_path, key, prefix):
    result = run("--reference", reference(tmp_path / "ref.csv", key, prefix), "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["data"] == "studies of ref.csv"
    found = json.loads((tmp_path / "out" / "csct-scoring.json").read_text(encoding="utf-8"))
    assert (found["n_cases"], found["n_scored"]) == (5, 4)
    assert found["refusals"] == {"GAP_BETWEEN_SLICES": 1}
    assert found["false_zero_ids"] == found["false_zero_ids_flagged"] == [f"{prefix}2"]
    assert found["sources"]["model"] == "unet 1.2.3"
    assert {(one["case_id"], one["why"]) for one in found["left_out"]} == {
        (f"{prefix}5", "no result of csct-scoring (state of the study: completed)"),
        (f"{prefix}7", "no result of csct-scoring (state of the study: receiving)"),
        (f"{prefix}9", "not in the database"),
        (f"{prefix}6", "not in ref.csv"),
    }
    held = found["interval"]["with_calcium"]
    assert (held["successes"], held["n"]) == (2, 3)  # all but the false zero
    assert "Interval of the score" in (tmp_path / "out" / "csct-scoring.html").read_text(encoding="utf-8")
    rows = {row["case_id"]: row for row in case_rows(tmp_path)}
    assert float(rows[f"{prefix}4"]["predicted_total"]) == 100.0  # the newest version, not the first
    assert rows[f"{prefix}2"]["needs_reading"] == "yes"
    assert rows[f"{prefix}3"]["refusal"] == "GAP_BETWEEN_SLICES"


def test_a_reference_with_totals_alone_is_compared_without_vessels(service, tmp_path):
    lines = [f"A{number},{values.split(',')[0]}" for number, values in REFERENCE.items()]
    table = tmp_path / "ref.csv"
    table.write_text("\n".join(["accession_number,total", *lines]) + "\n", encoding="utf-8")
    result = run("--reference", table, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out" / "csct-scoring.json").read_text(encoding="utf-8"))
    assert (found["n_scored"], found["vessels"], found["false_zero_ids"]) == (4, {}, ["A2"])
    assert found["total"]["bland_altman"]["mean_difference"]["value"] == (0 - 12 - 10 + 20) / 4
    rows = {row["case_id"]: row for row in case_rows(tmp_path)}
    assert rows["A8"]["predicted_total"] == "500"
    assert [name for name in rows["A8"] if name.endswith(("LM", "LAD", "LCX", "RCA"))] == []


def test_a_reference_with_some_vessels_or_an_empty_cell_is_a_usage_error(service, tmp_path):
    table = reference(tmp_path / "ref.csv", "study_instance_uid", "1.")
    text = table.read_text(encoding="utf-8")
    for old, new, message in (
        ("LCX", "Cx", "ref.csv, line 1: column LCX is missing; expected all or none of LM, LAD, LCX, RCA"),
        ("1.4,110,10,25,35", "1.4,110,10,25,", "ref.csv, line 5: column LCX is '', expected a number"),
    ):
        table.write_text(text.replace(old, new), encoding="utf-8")
        result = run("--reference", table, "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert message in result.output


def test_no_file_of_the_report_names_a_patient(service, tmp_path):
    table = reference(tmp_path / "ref.csv", "study_instance_uid", "1.", ("case_id", "case-"))
    assert run("--reference", table, "--out", tmp_path / "out", "--data-name", "ours").exit_code == 0
    for path in (tmp_path / "out").iterdir():
        assert b"CANARY" not in path.read_bytes(), path.name
    rows = case_rows(tmp_path)
    assert [row["case_id"] for row in rows] == ["case-1", "case-2", "case-3", "case-4", "case-8"]


def test_another_analysis_has_its_own_results(service, tmp_path):
    table = reference(tmp_path / "ref.csv", "study_instance_uid", "1.")
    result = run("--reference", table, "--out", tmp_path / "out", "--analysis", CCTA)
    assert result.exit_code == 2
    assert "1 scored cases of 1, expected at least 3. Left out: 1.1: no result of ccta-scoring" in result.output


def test_an_accession_number_of_two_studies_is_a_usage_error(service, tmp_path):
    service.receive("2.1", "A4")
    table = reference(tmp_path / "ref.csv", "accession_number", "A")
    result = run("--reference", table, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "ref.csv, line 5: accession number A4 names more than one study" in result.output


def test_a_reference_without_a_key_is_a_usage_error(service, tmp_path):
    table = reference(tmp_path / "ref.csv", "patient", "P")
    result = run("--reference", table, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "expected a column study_instance_uid or accession_number" in result.output


def test_a_database_of_another_schema_is_a_usage_error(tmp_path, monkeypatch):
    monkeypatch.setenv("AGATHA_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    result = run("--reference", reference(tmp_path / "ref.csv", "study_instance_uid", "1."), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "agatha db upgrade" in result.output
