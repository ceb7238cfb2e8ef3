"""Jobs: one analysis of one input, requested any number of times and made once.

Decides when a request is the same work (the unique key) and which worker runs it. Its outcome is written in `results`.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from agatha.store.errors import NotFound
from agatha.store.leases import LeaseChanges
from agatha.store.records import JobLease, JobRecord
from agatha.store.rows import Unit, change, select_record, table_of, utc_now
from agatha.store.study_state import refresh_study_state
from agatha.store.tables import Job, Series, Study


def select_jobs() -> Select[Any]:
    """Return the SELECT of job records."""
    statement = select_record(
        JobRecord,
        Job,
        study_id=Series.study_id,
        study_instance_uid=Study.study_instance_uid,
        series_instance_uid=Series.series_instance_uid,
    )
    return statement.select_from(Job).join(Series, Series.id == Job.series_id).join(Study, Study.id == Series.study_id)


class JobQueries(Unit):
    """Reading jobs."""

    def jobs_of_study(self, study_instance_uid: str) -> list[JobRecord]:
        """Return the jobs of a study in order of creation."""
        statement = select_jobs().where(Study.study_instance_uid == study_instance_uid).order_by(Job.id)
        return self._all(JobRecord, statement)

    def job(self, job_id: int) -> JobRecord:
        """Return one job.

        Raises
        ------
        NotFound
            When there is none with this id.
        """
        found = self._first(JobRecord, select_jobs().where(Job.id == job_id))
        if found is None:
            raise NotFound(f"no job with id {job_id}")
        return found


class JobChanges(JobQueries, LeaseChanges):
    """Writing jobs."""

    def create_job(
        self,
        series_id: int,
        *,
        analysis: str,
        input_version: int,
        src_digest: str,
        model_name: str,
        model_version: str,
        model_sha256: str,
        config_digest: str,
        provisional: bool,
    ) -> JobRecord:
        """Return the job for this work, making it when it is not there yet.

        The same series, analysis, sources, model, configuration and generation are the same work. A job that is there
        already moves on to `input_version` when that is newer (an instance arrived that is no source of the analysis).
        `provisional` describes a new job; `finalise_result` ends it for one that has its result.

        Raises
        ------
        NotFound
            When there is no such series.
        """
        owner = select(Series.study_id, Series.generation).where(Series.id == series_id)
        series = self._connection.execute(owner.with_for_update(key_share=True)).first()
        if series is None:
            raise NotFound(f"no series with id {series_id}")
        key = {
            "series_id": series_id,
            "analysis": analysis,
            "src_digest": src_digest,
            "model_sha256": model_sha256,
            "config_digest": config_digest,
            "generation": series.generation,
        }
        described = {"input_version": input_version, "model_name": model_name, "model_version": model_version}
        fresh = {"state": "queued", "provisional": provisional, "created_at": utc_now()}
        job_id = self._insert_if_absent(Job, key | described | fresh)
        if job_id is None:
            job_id = self._adopt(key, input_version, provisional=provisional)
        refresh_study_state(self._connection, series.study_id)
        return self.job(job_id)

    def lease_job(self, job_id: int, owner: str, now: datetime, duration: timedelta) -> JobLease | None:
        """Take a job: state running, held until `now + duration`.

        None when another worker holds it, its next attempt is not due, or it is finished.
        """
        token = self._take("jobs", job_id, owner, now, duration)
        if token is None:
            return None
        self._connection.execute(change(Job).where(table_of(Job).c.id == job_id).values(started_at=now))
        return JobLease(owner, token, now + duration, self.job(job_id))

    def _adopt(self, key: dict[str, Any], input_version: int, *, provisional: bool) -> int:
        """Bring the job with this key up to the present input and return its id."""
        table = table_of(Job)
        same_work: list[ColumnElement[bool]] = [table.c[name] == value for name, value in key.items()]
        job_id = int(self._connection.execute(select(table.c.id).where(*same_work)).scalar_one())
        is_this = table.c.id == job_id
        self._connection.execute(
            change(Job).where(is_this, table.c.input_version < input_version).values(input_version=input_version)
        )
        if not provisional:
            unfinished = table.c.state.in_(("queued", "running"))
            self._connection.execute(change(Job).where(is_this, unfinished).values(provisional=False))
        return job_id
