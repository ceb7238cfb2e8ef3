"""Series: reading them, leasing one for assembly, and recording where it was routed or why not.

Decides that only the lease's holder settles a series, and only for the input it looked at.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select

from agatha.store.errors import NotFound
from agatha.store.leases import NO_LEASE, LeaseChanges, is_held
from agatha.store.records import InstanceRecord, SeriesLease, SeriesRecord
from agatha.store.rows import Unit, change, select_record, table_of
from agatha.store.study_state import refresh_study_state
from agatha.store.tables import Instance, Series, Study


def select_series() -> Select[Any]:
    """Return the SELECT of series records."""
    statement = select_record(SeriesRecord, Series, study_instance_uid=Study.study_instance_uid)
    return statement.select_from(Series).join(Study)


class SeriesQueries(Unit):
    """Reading series and their instances."""

    def series_of_study(self, study_instance_uid: str) -> list[SeriesRecord]:
        """Return the series of a study in order of arrival."""
        statement = select_series().where(Study.study_instance_uid == study_instance_uid).order_by(Series.id)
        return self._all(SeriesRecord, statement)

    def series(self, series_id: int) -> SeriesRecord:
        """Return one series.

        Raises
        ------
        NotFound
            When there is none with this id.
        """
        found = self._first(SeriesRecord, select_series().where(Series.id == series_id))
        if found is None:
            raise NotFound(f"no series with id {series_id}")
        return found

    def series_by_uid(self, series_instance_uid: str) -> SeriesRecord | None:
        """Return the series with this UID, or None."""
        return self._first(SeriesRecord, select_series().where(Series.series_instance_uid == series_instance_uid))

    def instances_of_series(self, series_id: int) -> list[InstanceRecord]:
        """Return the instances of a series in order of arrival."""
        statement = select_record(InstanceRecord, Instance).where(Instance.series_id == series_id).order_by(Instance.id)
        return self._all(InstanceRecord, statement)


class SeriesChanges(SeriesQueries, LeaseChanges):
    """Writing series."""

    def lease_series(self, series_id: int, owner: str, now: datetime, duration: timedelta) -> SeriesLease | None:
        """Take a series for assembly: state assembling, held until `now + duration`.

        None when another worker holds it, its next attempt is not due, or it is settled already.
        """
        token = self._take("series", series_id, owner, now, duration)
        if token is None:
            return None
        record = self.series(series_id)
        refresh_study_state(self._connection, record.study_id)
        return SeriesLease(owner, token, now + duration, record)

    def settle_series(
        self,
        lease: SeriesLease,
        *,
        state: str,
        kind: str | None = None,
        reason_code: str | None = None,
        reason_text: str | None = None,
        route_detail: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record the outcome of assembling and routing, and end the lease.

        Returns
        -------
        bool
            False, with nothing recorded, when the lease was lost or an instance arrived since it was taken. In the
            second case the lease is ended, so that the series is looked at again with all its instances.
        """
        table = table_of(Series)
        settled = self._update(
            change(Series)
            .where(is_held(lease), table.c.input_version == lease.record.input_version)
            .values(
                NO_LEASE
                | {
                    "state": state,
                    "kind": kind,
                    "reason_code": reason_code,
                    "reason_text": reason_text,
                    "route_detail": None if route_detail is None else dict(route_detail),
                    "attempts": 0,
                    "next_attempt_at": None,
                    "enqueued_at": None,
                }
            )
        )
        if settled == 0:
            self._update(change(Series).where(is_held(lease)).values(NO_LEASE))
            return False
        refresh_study_state(self._connection, lease.record.study_id)
        return True
