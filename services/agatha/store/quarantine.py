"""Quarantine: instances that contradict what is stored, or that cannot be read, kept aside with the reason.

Decides that setting one aside is visible on the timeline. What is quarantined, and why, is the receiver's decision.
"""

from datetime import datetime

from sqlalchemy import select

from agatha.store.events import EventChanges
from agatha.store.instances import MAX_TEXT_LENGTH
from agatha.store.records import QuarantineRecord, StoredFile
from agatha.store.rows import Unit, select_record, table_of
from agatha.store.tables import QuarantinedInstance, Series, Study


class QuarantineQueries(Unit):
    """Reading the quarantine."""

    def quarantined(self, study_instance_uid: str | None = None, limit: int = 100) -> list[QuarantineRecord]:
        """Return quarantined instances, newest first."""
        statement = select_record(QuarantineRecord, QuarantinedInstance).order_by(QuarantinedInstance.id.desc())
        if study_instance_uid is not None:
            statement = statement.where(QuarantinedInstance.study_instance_uid == study_instance_uid)
        return self._all(QuarantineRecord, statement.limit(limit))


class QuarantineChanges(EventChanges):
    """Writing the quarantine."""

    def quarantine(
        self,
        stored: StoredFile,
        *,
        reason_code: str,
        reason_text: str,
        calling_ae_title: str,
        received_at: datetime,
        sop_instance_uid: str | None = None,
        study_instance_uid: str | None = None,
        series_instance_uid: str | None = None,
    ) -> int:
        """Record an instance that was set aside, with an INSTANCE_QUARANTINED event on its study's timeline.

        The same bytes quarantined again for the same reason keep their row and make no second event.

        Returns
        -------
        int
            The id of the quarantine row.
        """
        table = table_of(QuarantinedInstance)
        same = select(table.c.id).where(table.c.storage_key == stored.key, table.c.reason_code == reason_code)
        known = self._connection.execute(same).scalars().first()
        if known is not None:
            return int(known)
        claims = {
            "sop_instance_uid": sop_instance_uid,
            "study_instance_uid": study_instance_uid,
            "series_instance_uid": series_instance_uid,
        }
        row_id = self._insert(
            QuarantinedInstance,
            {name: None if uid is None else uid[:MAX_TEXT_LENGTH] for name, uid in claims.items()}
            | {
                "sha256": stored.sha256,
                "size_bytes": stored.size_bytes,
                "storage_key": stored.key,
                "reason_code": reason_code,
                "reason_text": reason_text,
                "received_at": received_at,
                "calling_ae_title": calling_ae_title,
            },
        )
        study_id, series_id = self._claimed(study_instance_uid, series_instance_uid)
        detail = {"quarantine_id": row_id, "reason_code": reason_code}
        self.record_event(
            study_id=study_id, series_id=series_id, kind="INSTANCE_QUARANTINED", text=reason_text, detail=detail
        )
        return row_id

    def _claimed(self, study_uid: str | None, series_uid: str | None) -> tuple[int | None, int | None]:
        """Return the ids of the study and the series that a quarantined instance claims, where they belong together."""
        by_study = select(Study.id).where(Study.study_instance_uid == study_uid)
        study_id = self._connection.execute(by_study).scalar_one_or_none()
        by_series = select(Series.id, Series.study_id).where(Series.series_instance_uid == series_uid)
        series = self._connection.execute(by_series).first()
        if series is None:
            return study_id, None
        if study_id is None:
            return series.study_id, series.id
        return study_id, series.id if series.study_id == study_id else None
