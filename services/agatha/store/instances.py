"""Instances: one row per SOP Instance UID, whoever sends it how often.

Decides what is new, identical or in conflict, and that a new instance re-opens its series. Safe when many
associations bring the first instances of one study at once. It never looks into a file.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, select

from agatha.store.column_types import clean_text
from agatha.store.errors import StoreUnavailable
from agatha.store.events import EventChanges
from agatha.store.instance_description import InstanceDescription
from agatha.store.leases import FRESH, NO_LEASE
from agatha.store.records import Added, StoredFile
from agatha.store.rows import change, table_of, utc_now
from agatha.store.tables import Instance, Series, Study

MAX_UID_LENGTH = 64  # PS3.5 §9.1
# PS3.5 §6.2 allows 64 characters for the attributes kept here (LO); a longer value is cut, it identifies nothing.
MAX_TEXT_LENGTH = 256
# Rows are never deleted, so a row that exists at the first collision is there at the second look.
MAX_COLLISIONS = 3


class InstanceChanges(EventChanges):
    """Writing instances."""

    def add_instance(
        self, facts: InstanceDescription, stored: StoredFile, *, calling_ae_title: str, received_at: datetime
    ) -> Added:
        """Record a stored instance; make its study and series when they are new.

        - A known SOP Instance UID with the same SHA-256 in the same series is "identical": nothing is written.
        - A known SOP Instance UID with other bytes, or a Series Instance UID that belongs to another study, is a
          "conflict": nothing is written, the reason is returned, and the caller quarantines the file.
        - Anything else is "new": the series goes to receiving, its input version grows by one, a series that was
          settled is re-opened, and the timeline says so.

        Raises
        ------
        StoreUnavailable
            When the database did not answer; nothing was recorded and the same call may be repeated.
        """
        uids = (facts.study_instance_uid, facts.series_instance_uid, facts.sop_instance_uid)
        if not all(0 < len(uid) <= MAX_UID_LENGTH and uid == clean_text(uid) for uid in uids):
            text = f"expected UIDs of 1 to {MAX_UID_LENGTH} characters (PS3.5 9.1)"
            return Added("conflict", None, None, None, None, "INVALID_UID", text)
        for _ in range(MAX_COLLISIONS):
            known = self._compare_with_known(facts, stored)
            if known is not None:
                return known
            added = self._add_new(facts, stored, calling_ae_title, received_at)
            if added is not None:
                return added
        raise StoreUnavailable("the instance collided with concurrent writers; send it again")

    def _compare_with_known(self, facts: InstanceDescription, stored: StoredFile) -> Added | None:
        """Return "identical" or "conflict" when the SOP Instance UID or the series is known, None when all is well."""
        statement = (
            select(
                Instance.id,
                Instance.sha256,
                Instance.series_id,
                Series.study_id,
                Series.input_version,
                Series.series_instance_uid,
                Study.study_instance_uid,
            )
            .join(Series, Series.id == Instance.series_id)
            .join(Study, Study.id == Series.study_id)
            .where(Instance.sop_instance_uid == facts.sop_instance_uid)
        )
        row = self._connection.execute(statement).first()
        if row is None:
            return None
        ids = (row.study_id, row.series_id, row.id, row.input_version)
        same_place = (row.series_instance_uid, row.study_instance_uid) == (
            facts.series_instance_uid,
            facts.study_instance_uid,
        )
        if row.sha256 == stored.sha256 and same_place:
            return Added("identical", *ids)
        text = "the SOP Instance UID is known with other bytes; the first instance stays"
        return Added("conflict", *ids, "SOP_INSTANCE_CONFLICT", text)

    def _add_new(
        self, facts: InstanceDescription, stored: StoredFile, calling_ae_title: str, received_at: datetime
    ) -> Added | None:
        """Insert the instance and what it needs; None when another transaction inserted the same instance first."""
        series = self._lock_series(facts.series_instance_uid)
        if series is not None and series.study_instance_uid != facts.study_instance_uid:
            return self._series_elsewhere(series)
        savepoint = None
        if series is None:
            savepoint = self._connection.begin_nested()
            self._create_series(facts, calling_ae_title, received_at)
            series = self._lock_series(facts.series_instance_uid)
            if series is None:
                raise StoreUnavailable("a series vanished while an instance was added; send it again")
            if series.study_instance_uid != facts.study_instance_uid:
                savepoint.rollback()
                return self._series_elsewhere(series)
        instance_id = self._insert_if_absent(
            Instance,
            {
                "series_id": series.id,
                "sop_instance_uid": facts.sop_instance_uid,
                "sop_class_uid": facts.sop_class_uid[:MAX_TEXT_LENGTH],
                "transfer_syntax_uid": facts.transfer_syntax_uid[:MAX_TEXT_LENGTH],
                "sha256": stored.sha256,
                "size_bytes": stored.size_bytes,
                "storage_key": stored.key,
                "instance_number": facts.instance_number,
                "received_at": received_at,
                "calling_ae_title": calling_ae_title,
            },
        )
        if instance_id is None:
            if savepoint is not None:
                savepoint.rollback()
            return None
        if savepoint is not None:
            savepoint.commit()
        self._reopen_series(series, calling_ae_title, received_at)
        return Added("new", series.study_id, series.id, instance_id, series.input_version + 1)

    def _lock_series(self, series_instance_uid: str) -> Any:
        """Return the series' row with its study's UID, locked against other writers; None when it is unknown."""
        statement = (
            select(
                Series.id,
                Series.study_id,
                Series.state,
                Series.input_version,
                Study.study_instance_uid,
            )
            .join(Study, Study.id == Series.study_id)
            .where(Series.series_instance_uid == series_instance_uid)
            .with_for_update(of=table_of(Series), key_share=True)
        )
        return self._connection.execute(statement).first()

    def _series_elsewhere(self, series: Any) -> Added:
        text = "the Series Instance UID belongs to another study; the first binding stays"
        return Added(
            "conflict", series.study_id, series.id, None, series.input_version, "SERIES_IN_ANOTHER_STUDY", text
        )

    def _create_series(self, facts: InstanceDescription, calling_ae_title: str, received_at: datetime) -> None:
        """Make the study and the series unless another transaction just did; input version 0 as yet."""
        now = utc_now()
        by_uid = select(Study.id).where(Study.study_instance_uid == facts.study_instance_uid)
        study_id = self._connection.execute(by_uid).scalar_one_or_none()
        if study_id is None:
            study_id = self._insert_if_absent(Study, study_columns(facts) | {"created_at": now, "updated_at": now})
        if study_id is None:
            study_id = self._connection.execute(by_uid).scalar_one()
        columns = {
            "study_id": study_id,
            "series_instance_uid": facts.series_instance_uid,
            "modality": _short(facts.modality),
            "series_number": facts.series_number,
            "description": _short(facts.series_description),
            "state": "receiving",
            "input_version": 0,
            "instance_count": 0,
            "last_instance_at": received_at,
            "calling_ae_title": calling_ae_title,
        }
        series_id = self._insert_if_absent(Series, columns)
        if series_id is not None:
            self.record_event(
                study_id=study_id, series_id=series_id, kind="SERIES_RECEIVING", text="the first instance arrived"
            )

    def _reopen_series(self, series: Any, calling_ae_title: str, received_at: datetime) -> None:
        """Count the new instance and send the series back to receiving; a lease in force can no longer settle it."""
        table = table_of(Series)
        waiting = {name: value for name, value in FRESH.items() if name not in NO_LEASE}
        changes: Mapping[str, Any] = waiting | {
            "state": "receiving",
            "reason_code": None,
            "reason_text": None,
            "input_version": table.c.input_version + 1,
            "instance_count": table.c.instance_count + 1,
            "last_instance_at": case(
                (table.c.last_instance_at > received_at, table.c.last_instance_at), else_=received_at
            ),
            "calling_ae_title": calling_ae_title,
        }
        self._connection.execute(change(Series).where(table.c.id == series.id).values(changes))
        studies = table_of(Study)
        self._connection.execute(
            change(Study)
            .where(studies.c.id == series.study_id, studies.c.state != "receiving")
            .values(state="receiving", updated_at=utc_now())
        )
        if series.state not in ("receiving", "assembling"):
            self.record_event(
                study_id=series.study_id,
                series_id=series.id,
                kind="SERIES_REOPENED",
                text=f"an instance arrived after the series was {series.state}; it is looked at again",
                detail={"input_version": series.input_version + 1},
            )


def study_columns(facts: InstanceDescription) -> dict[str, Any]:
    """Return the columns of a study that its first instance decides."""
    return {
        "study_instance_uid": facts.study_instance_uid,
        "patient_id": _short(facts.patient_id),
        "patient_birth_date": _short(facts.patient_birth_date),
        "patient_sex": _short(facts.patient_sex),
        "accession_number": _short(facts.accession_number),
        "study_date": _short(facts.study_date),
        "study_description": _short(facts.study_description),
        "state": "receiving",
    }


def _short(value: str) -> str:
    return clean_text(value)[:MAX_TEXT_LENGTH]
