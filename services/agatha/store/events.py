"""The timeline: what happened to a study, step by step.

Decides how an event finds its study. Kinds are codes chosen by whoever records them; texts hold no patient's name.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from agatha.store.records import EventRecord
from agatha.store.rows import Unit, select_record, utc_now
from agatha.store.tables import Event, Job, Series, Study


class EventQueries(Unit):
    """Reading the timeline."""

    def timeline(self, study_instance_uid: str) -> list[EventRecord]:
        """Return the events of a study and of its series and jobs, oldest first."""
        statement = (
            select_record(EventRecord, Event, series_instance_uid=Series.series_instance_uid)
            .select_from(Event)
            .join(Study, Study.id == Event.study_id)
            .outerjoin(Series, Series.id == Event.series_id)
            .where(Study.study_instance_uid == study_instance_uid)
            .order_by(Event.id)
        )
        return self._all(EventRecord, statement)


class EventChanges(Unit):
    """Writing the timeline."""

    def record_event(
        self,
        *,
        study_id: int | None = None,
        series_id: int | None = None,
        job_id: int | None = None,
        kind: str,
        text: str,
        detail: Mapping[str, Any] | None = None,
    ) -> int:
        """Record what happened to a study, a series or a job, and return the event's id.

        Naming the job is enough to place the event under its series and study, naming the series under its study.
        """
        if job_id is not None and series_id is None:
            series_id = self._connection.execute(select(Job.series_id).where(Job.id == job_id)).scalar_one_or_none()
        if series_id is not None and study_id is None:
            study_id = self._connection.execute(
                select(Series.study_id).where(Series.id == series_id)
            ).scalar_one_or_none()
        values = {
            "study_id": study_id,
            "series_id": series_id,
            "job_id": job_id,
            "at": utc_now(),
            "kind": kind,
            "text": text,
            "detail": None if detail is None else dict(detail),
        }
        return self._insert(Event, values)
