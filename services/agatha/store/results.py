"""Results: where a job's outcome, its objects and their deliveries become visible, all at once and exactly once.

Decides versions, and that an outcome of an older input never overtakes a newer one. The document is written by
agatha.report; only its `version` and `provisional` are set here, because only this transaction knows them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from agatha.store.deliveries import DeliveryChanges
from agatha.store.errors import ComparisonOutdated
from agatha.store.events import EventChanges
from agatha.store.leases import NO_LEASE, is_held
from agatha.store.paired_scores import current_score
from agatha.store.records import SUPERSEDED, ComparedWith, JobLease, NewOutput, OutputRecord, ResultRecord
from agatha.store.rows import Unit, change, select_record, table_of, utc_now
from agatha.store.study_state import refresh_study_state
from agatha.store.tables import Job, Output, Result, Series, Study


def select_results() -> Select[Any]:
    """Return the SELECT of result records."""
    statement = select_record(
        ResultRecord,
        Result,
        study_instance_uid=Study.study_instance_uid,
        series_instance_uid=Series.series_instance_uid,
    )
    return (
        statement.select_from(Result)
        .join(Series, Series.id == Result.series_id)
        .join(Study, Study.id == Result.study_id)
    )


class ResultQueries(Unit):
    """Reading results and outputs."""

    def results_of_study(self, study_instance_uid: str) -> list[ResultRecord]:
        """Return the results of a study, newest version first, and of equal versions the later one first."""
        statement = select_results().where(Study.study_instance_uid == study_instance_uid)
        return self._all(ResultRecord, statement.order_by(Result.version.desc(), Result.id.desc()))

    def result(self, result_id: int) -> ResultRecord | None:
        """Return one result, or None."""
        return self._first(ResultRecord, select_results().where(Result.id == result_id))

    def result_of_job(self, job_id: int) -> ResultRecord | None:
        """Return the result of a job, or None while it has none."""
        return self._first(ResultRecord, select_results().where(Result.job_id == job_id))

    def provisional_results(self, quiet_before: datetime) -> list[int]:
        """Return ids of provisional results whose input is still the series' input and quiet since `quiet_before`."""
        statement = (
            select(Result.id)
            .join(Job, Job.id == Result.job_id)
            .join(Series, Series.id == Result.series_id)
            .where(
                Result.provisional.is_(True),
                Job.input_version == Series.input_version,
                Series.last_instance_at <= quiet_before,
            )
            .order_by(Result.id)
        )
        return list(self._connection.execute(statement).scalars())

    def outputs_of_result(self, result_id: int) -> list[OutputRecord]:
        """Return the objects of a result in the order they were written."""
        statement = select_record(OutputRecord, Output).where(Output.result_id == result_id).order_by(Output.id)
        return self._all(OutputRecord, statement)

    def outputs_of_study(self, study_instance_uid: str) -> list[OutputRecord]:
        """Return the objects of all results of a study, oldest first."""
        statement = (
            select_record(OutputRecord, Output)
            .join(Result, Result.id == Output.result_id)
            .join(Study, Study.id == Result.study_id)
            .where(Study.study_instance_uid == study_instance_uid)
            .order_by(Output.id)
        )
        return self._all(OutputRecord, statement)

    def output(self, output_id: int) -> OutputRecord | None:
        """Return one object of the ledger, or None."""
        return self._first(OutputRecord, select_record(OutputRecord, Output).where(Output.id == output_id))

    def is_own_series(self, series_instance_uid: str) -> bool:
        """Return whether we wrote an object into this series."""
        statement = select(Output.id).where(Output.series_instance_uid == series_instance_uid).limit(1)
        return self._connection.execute(statement).first() is not None


class ResultChanges(ResultQueries, DeliveryChanges, EventChanges):
    """Writing results and outputs."""

    def complete_job(
        self,
        lease: JobLease,
        *,
        state: str,
        provisional: bool,
        document: Mapping[str, Any],
        outputs: Sequence[NewOutput],
        destinations: Sequence[str],
        compared_with: ComparedWith | None = None,
    ) -> ResultRecord | None:
        """Record a job's result, its objects and their deliveries; the one place where a result comes into being.

        The job takes over `state` and the document's ``reason``. The version is one more than the last of the same
        series and analysis. An object that an earlier result wrote under the same SOP Instance UID now belongs to
        this one and is delivered again.

        Parameters
        ----------
        compared_with
            What the report was compared with, where it has a partner: of two jobs of a study that end at once, the
            second to get here must have seen the first.

        Returns
        -------
        ResultRecord or None
            None, with no result recorded, when the lease was lost, or when a result of a newer input is there
            already: the job then ends as failed with reason SUPERSEDED.

        Raises
        ------
        ComparisonOutdated
            When that is not the study's current score; the transaction is to be given up.
        """
        job = lease.record
        self._connection.execute(select(Series.id).where(Series.id == job.series_id).with_for_update(key_share=True))
        reason = document.get("reason") or {}
        jobs = table_of(Job)
        closed = (
            change(Job)
            .where(is_held(lease))
            .values(
                NO_LEASE
                | {
                    "state": state,
                    "reason_code": reason.get("code"),
                    "reason_text": reason.get("text"),
                    "finished_at": utc_now(),
                    "next_attempt_at": None,
                    "enqueued_at": None,
                }
            )
        )
        row = self._connection.execute(closed.returning(jobs.c.input_version, jobs.c.provisional)).first()
        if row is None:
            return None
        if self._newest_input(job.series_id, job.analysis) > row.input_version:
            self._supersede(lease)
            return None
        if compared_with is not None:
            self._require_current(job.study_id, job.study_instance_uid, compared_with)
        result_id = self._insert_result(lease, state, document, provisional=provisional and row.provisional)
        for output in outputs:
            self._record_output(result_id, output, destinations)
        refresh_study_state(self._connection, job.study_id)
        return self.result(result_id)

    def finalise_result(self, result_id: int) -> bool:
        """End the provisional state of a result, in its row and its document; False when it was not provisional."""
        results = table_of(Result)
        statement = select(results.c.document, results.c.job_id).where(
            results.c.id == result_id, results.c.provisional.is_(True)
        )
        row = self._connection.execute(statement.with_for_update(key_share=True)).first()
        if row is None:
            return False
        document = row.document | {"provisional": False}
        self._connection.execute(
            change(Result).where(results.c.id == result_id).values(provisional=False, document=document)
        )
        self._connection.execute(change(Job).where(table_of(Job).c.id == row.job_id).values(provisional=False))
        return True

    def _require_current(self, study_id: int, study_instance_uid: str, compared_with: ComparedWith) -> None:
        # The lock is held until the commit. What a transaction that held it before has written is seen here: READ
        # COMMITTED takes a new snapshot per statement. On SQLite a writing transaction excludes all others anyway.
        self._connection.execute(select(Study.id).where(Study.id == study_id).with_for_update(key_share=True))
        current = current_score(self.results_of_study(study_instance_uid), compared_with.analysis)
        if (None if current is None else current.id) != compared_with.result_id:
            raise ComparisonOutdated(f"the current result of {compared_with.analysis} is another one")

    def _newest_input(self, series_id: int, analysis: str) -> int:
        """Return the newest input version that has a result for this analysis; 0 when none has."""
        statement = (
            select(func.max(Job.input_version))
            .join(Result, Result.job_id == Job.id)
            .where(Result.series_id == series_id, Result.analysis == analysis)
        )
        return int(self._connection.execute(statement).scalar_one() or 0)

    def _supersede(self, lease: JobLease) -> None:
        text = "a result of a newer input of the series was there first"
        is_this = table_of(Job).c.id == lease.record.id
        self._connection.execute(
            change(Job).where(is_this).values(state="failed", reason_code=SUPERSEDED, reason_text=text)
        )
        self.record_event(job_id=lease.record.id, kind="JOB_SUPERSEDED", text=text)
        refresh_study_state(self._connection, lease.record.study_id)

    def _insert_result(self, lease: JobLease, state: str, document: Mapping[str, Any], *, provisional: bool) -> int:
        job = lease.record
        last = select(func.max(Result.version)).where(
            Result.series_id == job.series_id, Result.analysis == job.analysis
        )
        version = int(self._connection.execute(last).scalar_one() or 0) + 1
        return self._insert(
            Result,
            {
                "job_id": job.id,
                "study_id": job.study_id,
                "series_id": job.series_id,
                "analysis": job.analysis,
                "version": version,
                "state": state,
                "provisional": provisional,
                "document": dict(document) | {"version": version, "provisional": provisional},
                "created_at": utc_now(),
            },
        )

    def _record_output(self, result_id: int, output: NewOutput, destinations: Sequence[str]) -> None:
        names = tuple(name for name in OutputRecord.__dataclass_fields__ if name not in ("id", "result_id"))
        values = {"result_id": result_id} | {name: getattr(output, name) for name in names}
        rewritten = {name: value for name, value in values.items() if name != "sop_instance_uid"}
        output_id = self._insert_or_update(Output, values, ("sop_instance_uid",), rewritten)
        self._request_deliveries(output_id, destinations)
