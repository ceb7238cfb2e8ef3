"""A migrated SQLite database with one series in it, and a pipeline context around it. No peer, no DICOM."""

import shutil
from dataclasses import dataclass
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


@pytest.fixture
def series_id(database):
    """A series with one recorded instance."""
    with database.writing() as tx:
        stored = StoredFile("key-1", "1" * 64, 10)
        return tx.add_instance(FACTS, stored, calling_ae_title="CT1", received_at=NOON).series_id


@pytest.fixture
def make_job(database):
    """Record one job of a series; returns its id."""

    def make(series_id, *, provisional=False, **changed):
        columns = {
            "analysis": "csct-scoring",
            "src_digest": "d" * 64,
            "model_name": "m",
            "model_version": "1",
            "model_sha256": "a" * 64,
            "config_digest": "c" * 64,
        }
        with database.writing() as tx:
            version = tx.series(series_id).input_version
            return tx.create_job(series_id, input_version=version, provisional=provisional, **(columns | changed)).id

    return make


@pytest.fixture
def job_id(series_id, make_job):
    return make_job(series_id)
