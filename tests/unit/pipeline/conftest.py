"""A migrated SQLite database with one series in it, and a pipeline context around it. No peer, no DICOM."""

import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from agatha.dicom.facts import InstanceFacts
from agatha.pipeline.context import PipelineConfig, PipelineContext
from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles
from agatha.store.records import StoredFile
from coronary.registry import FAMILIES

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)

FACTS = InstanceFacts(
    study_instance_uid="1.2.1",
    series_instance_uid="1.2.1.1",
    sop_instance_uid="1.2.1.1.1",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    patient_id="CANARY^PHI",
    patient_birth_date="19500101",
    patient_sex="F",
    accession_number="CANARY-ACC",
    study_date="20240501",
    study_description="",
    modality="CT",
    series_number=1,
    series_description="",
    instance_number=1,
)


@dataclass
class Clock:
    """A clock that stands still until it is told to go on."""

    now: datetime = NOON

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


@dataclass
class Hints:
    """Remembers what was hinted at."""

    given: list

    def __call__(self, kind, ids):
        self.given.append((kind, list(ids)))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    file = tmp_path_factory.mktemp("migrated") / "agatha.db"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def database(migrated, tmp_path):
    shutil.copy(migrated, tmp_path / "agatha.db")
    database = Database(f"sqlite:///{tmp_path / 'agatha.db'}")
    yield database
    database.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def context(database, tmp_path, clock):
    def no_runtime():
        raise AssertionError("no analysis runs in this test")

    return PipelineContext(
        config=PipelineConfig(broker_url=f"embedded://{tmp_path / 'broker'}"),
        owner="worker-1",
        database=database,
        files=LocalInstanceFiles(tmp_path / "instances"),
        families=FAMILIES,
        runtime=no_runtime,
        hint=Hints([]),
        clock=clock,
    )


def add_instance(database, number=1, at=NOON):
    """Record one instance of the series; returns the series' id."""
    facts = replace(FACTS, sop_instance_uid=f"1.2.1.1.{number}", instance_number=number)
    with database.writing() as tx:
        added = tx.add_instance(
            facts, StoredFile(f"key-{number}", f"{number:064d}", 10), calling_ae_title="CT1", received_at=at
        )
    assert added.outcome == "new"
    return added.series_id


def add_job(database, series_id, *, provisional=False, **changed):
    """Record one job of the series; returns its id."""
    with database.writing() as tx:
        columns = {
            "analysis": "csct-scoring",
            "input_version": tx.series(series_id).input_version,
            "src_digest": "d" * 64,
            "model_name": "m",
            "model_version": "1",
            "model_sha256": "a" * 64,
            "config_digest": "c" * 64,
        }
        return tx.create_job(series_id, provisional=provisional, **{**columns, **changed}).id


@pytest.fixture
def series_id(database):
    return add_instance(database)


@pytest.fixture
def job_id(database, series_id):
    return add_job(database, series_id)
