"""A migrated database of its own for every test, once on SQLite and once on PostgreSQL, and rows to begin with."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.records import Added, ComparedWith, JobLease, JobRecord, NewOutput, ResultRecord, StoredFile
from agatha.store.units_of_work import Writing
from peers.postgres import fresh_database

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating takes longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "agatha.db"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """The name of a migrated PostgreSQL database to copy."""
    with fresh_database(postgres_url) as url:
        migrate.upgrade(url)
        name = make_url(url).database
        assert name is not None
        yield name


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database without rows."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "agatha.db")
            url = f"sqlite:///{tmp_path / 'agatha.db'}"
        else:
            template = request.getfixturevalue("migrated_postgres")
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_url"), template))
        database = Database(url)
        stack.callback(database.close)
        yield database


@dataclass(frozen=True)
class Facts:
    """What agatha.dicom reads from an instance, with values that a test does not care about."""

    study_instance_uid: str = "1.2.1"
    series_instance_uid: str = "1.2.1.1"
    sop_instance_uid: str = "1.2.1.1.1"
    sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.2"
    transfer_syntax_uid: str = "1.2.840.10008.1.2.1"
    patient_id: str = "P1"
    patient_birth_date: str = "19500102"
    patient_sex: str = "F"
    accession_number: str = "A1"
    study_date: str = "20240501"
    study_description: str = "Calcium score"
    modality: str = "CT"
    series_number: int | None = 3
    series_description: str = "CaSc 3.0"
    instance_number: int | None = 1


class Rows:
    """Makes the rows that a test begins with, through the public interface only."""

    noon = NOON
    minute = MINUTE

    def __init__(self, database: Database) -> None:
        self.database = database

    def facts(self, **given: str | int | None) -> Facts:
        return Facts(**given)  # type: ignore[arg-type]

    def stored(self, content: str = "a") -> StoredFile:
        return StoredFile(key=f"instances/{content}.dcm", sha256=content * 8, size_bytes=100)

    def add(self, *, content: str = "a", at: datetime = NOON, **given: str | int | None) -> Added:
        with self.database.writing() as tx:
            return tx.add_instance(
                self.facts(**given), self.stored(content), calling_ae_title="SCANNER", received_at=at
            )

    def job(
        self, series_id: int, *, src_digest: str = "d1", provisional: bool = False, analysis: str = "csct-scoring"
    ) -> JobRecord:
        """Route the series as the pipeline does, and request one analysis of its present input."""
        with self.database.writing() as tx:
            lease = tx.lease_series(series_id, "worker", datetime.now(UTC), MINUTE)
            assert lease is not None
            assert tx.settle_series(lease, state="routed", kind="csct")
            return tx.create_job(
                series_id,
                analysis=analysis,
                input_version=lease.record.input_version,
                src_digest=src_digest,
                model_name="unet",
                model_version="1",
                model_sha256="m1",
                config_digest="c1",
                provisional=provisional,
            )

    def lease(self, job: JobRecord) -> JobLease:
        with self.database.writing() as tx:
            lease = tx.lease_job(job.id, "worker", datetime.now(UTC), MINUTE)
        assert lease is not None
        return lease

    def output(self, sop_instance_uid: str = "2.1", sha256: str = "o1") -> NewOutput:
        return NewOutput(
            kind="sr",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
            study_instance_uid="1.2.1",
            series_instance_uid="2.0",
            sop_instance_uid=sop_instance_uid,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            storage_key=f"outputs/{sha256}.dcm",
            sha256=sha256,
            size_bytes=10,
        )

    def complete(
        self,
        lease: JobLease,
        *,
        outputs: Sequence[NewOutput] | None = None,
        destinations: Sequence[str] = ("PACS",),
        provisional: bool = False,
        compared_with: ComparedWith | None = None,
    ) -> ResultRecord | None:
        with self.database.writing() as tx:
            return tx.complete_job(
                lease,
                state="completed",
                provisional=provisional,
                document={"reason": None, "provisional": provisional, "calcium": {"agatston": {"total": 12.5}}},
                outputs=[self.output()] if outputs is None else outputs,
                destinations=destinations,
                compared_with=compared_with,
            )


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)


class Adding:
    """Adds the n-th instance of one series to any database, also inside a unit of work of the test."""

    def __call__(self, database: Database, number: int) -> Added:
        with database.writing() as tx:
            return self.within(tx, number)

    def within(self, tx: Writing, number: int) -> Added:
        facts = Facts(sop_instance_uid=f"1.2.1.1.{number}")
        stored = StoredFile(key=f"instances/{number}.dcm", sha256=f"{number}" * 8, size_bytes=100)
        return tx.add_instance(facts, stored, calling_ae_title="SCANNER", received_at=NOON)


@pytest.fixture
def adding() -> Adding:
    return Adding()
