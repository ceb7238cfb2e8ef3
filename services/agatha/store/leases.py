"""Leases: one worker at a time per series, job or delivery, decided by the database and not by the queue.

A lease is one UPDATE that succeeds for one caller. Each lease has a token of its own, and whatever its holder writes
later is conditional on that token: a worker that slept past its lease, whose row another one took, changes nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, or_, select

from agatha.store.records import DeliveryLease, JobLease, Lease, LeasedKind, SeriesLease
from agatha.store.rows import Unit, change, table_of, utc_now
from agatha.store.study_state import refresh_study_state
from agatha.store.tables import Delivery, Job, Series

# A task on the queue is taken for lost after this long and offered again. Longer only delays work after a broker was
# lost; shorter only queues more hints, for a second task of the same row finds the lease taken and ends.
REQUEUE_AFTER = timedelta(minutes=2)

NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_token": None, "lease_expires_at": None}
FRESH: dict[str, Any] = {**NO_LEASE, "attempts": 0, "next_attempt_at": None, "enqueued_at": None}


@dataclass(frozen=True)
class LeaseRule:
    """The states of one kind of work that leasing, retrying and giving up write."""

    entity: type[Series] | type[Job] | type[Delivery]
    due_states: tuple[str, ...]
    held_state: str
    retry_state: str
    parked_state: str

    @property
    def table(self) -> Table:
        """Return the table that holds this kind of work."""
        return table_of(self.entity)


# The held state is due as well: a row whose holder died is taken over when its lease has expired.
RULES: dict[LeasedKind, LeaseRule] = {
    "series": LeaseRule(Series, ("receiving", "assembling"), "assembling", "receiving", "failed"),
    "jobs": LeaseRule(Job, ("queued", "running"), "running", "queued", "failed"),
    "deliveries": LeaseRule(Delivery, ("pending", "sending"), "sending", "pending", "dead"),
}


def kind_of(lease: Lease) -> LeasedKind:
    """Return the kind of work a lease is for."""
    if isinstance(lease, SeriesLease):
        return "series"
    return "jobs" if isinstance(lease, JobLease) else "deliveries"


def is_free(table: Table, now: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody holds the row and its next attempt is due."""
    return and_(
        or_(table.c.lease_expires_at.is_(None), table.c.lease_expires_at <= now),
        or_(table.c.next_attempt_at.is_(None), table.c.next_attempt_at <= now),
    )


def is_due(kind: LeasedKind, now: datetime, requeue_after: timedelta) -> ColumnElement[bool]:
    """Return the condition that a row wants a task: right state, free, and not on the queue since `requeue_after`."""
    rule = RULES[kind]
    return and_(
        rule.table.c.state.in_(rule.due_states),
        is_free(rule.table, now),
        or_(rule.table.c.enqueued_at.is_(None), rule.table.c.enqueued_at <= now - requeue_after),
    )


def is_held(lease: Lease) -> ColumnElement[bool]:
    """Return the condition that the lease is still the row's lease."""
    table = RULES[kind_of(lease)].table
    return and_(table.c.id == lease.record.id, table.c.lease_token == lease.token)


class LeaseQueries(Unit):
    """Which rows want a task."""

    def due_jobs(self, now: datetime, limit: int, *, requeue_after: timedelta = REQUEUE_AFTER) -> list[int]:
        """Return ids of jobs that nobody runs and whose next attempt is due, oldest first."""
        return self._due("jobs", now, limit, requeue_after)

    def due_deliveries(self, now: datetime, limit: int, *, requeue_after: timedelta = REQUEUE_AFTER) -> list[int]:
        """Return ids of deliveries that nobody sends and whose next attempt is due, oldest first."""
        return self._due("deliveries", now, limit, requeue_after)

    def due_series(
        self,
        now: datetime,
        *,
        quiet_before: datetime,
        settle_before: datetime,
        limit: int,
        requeue_after: timedelta = REQUEUE_AFTER,
    ) -> list[int]:
        """Return ids of series worth a look: no instance since `settle_before`.

        Those quiet since `quiet_before` come first, for they will not grow any more; within either group oldest first.
        """
        table = RULES["series"].table
        statement = (
            select(table.c.id)
            .where(is_due("series", now, requeue_after), table.c.last_instance_at <= settle_before)
            .order_by(case((table.c.last_instance_at <= quiet_before, 0), else_=1), table.c.id)
            .limit(limit)
        )
        return list(self._connection.execute(statement).scalars())

    def _due(self, kind: LeasedKind, now: datetime, limit: int, requeue_after: timedelta) -> list[int]:
        table = RULES[kind].table
        statement = select(table.c.id).where(is_due(kind, now, requeue_after)).order_by(table.c.id).limit(limit)
        return list(self._connection.execute(statement).scalars())


class LeaseChanges(Unit):
    """Taking, keeping and giving back."""

    def renew(self, lease: Lease, now: datetime, duration: timedelta) -> bool:
        """Extend a lease to `now + duration`; False when another worker holds the row or it was settled meanwhile."""
        rule = RULES[kind_of(lease)]
        return self._update(change(rule.entity).where(is_held(lease)).values(lease_expires_at=now + duration)) == 1

    def release_for_retry(
        self, lease: Lease, *, next_attempt_at: datetime, reason_text: str, dimse_status: int | None = None
    ) -> bool:
        """Give the row back for another attempt; False when the lease was lost.

        A series that received an instance meanwhile does not wait: its new input has not been tried yet.
        """
        wait: Any = next_attempt_at
        if isinstance(lease, SeriesLease):
            wait = case((table_of(Series).c.input_version == lease.record.input_version, next_attempt_at), else_=None)
        values = {**NO_LEASE, "enqueued_at": None, "next_attempt_at": wait}
        rule = RULES[kind_of(lease)]
        return self._give_back(lease, rule.retry_state, values | self._reason(lease, None, reason_text, dimse_status))

    def park(self, lease: Lease, *, reason_code: str, reason_text: str, dimse_status: int | None = None) -> bool:
        """Give up on the row until a person or a new input moves it; False when the lease was lost.

        A series that received an instance meanwhile goes back to receiving instead. A delivery has no column for the
        code: it is put in front of the text.
        """
        rule = RULES[kind_of(lease)]
        values = {**NO_LEASE, "enqueued_at": None, "next_attempt_at": None}
        values |= self._reason(lease, reason_code, reason_text, dimse_status)
        if isinstance(lease, JobLease):
            values["finished_at"] = utc_now()
        if isinstance(lease, SeriesLease):
            is_same_input = table_of(Series).c.input_version == lease.record.input_version
            values |= {name: case((is_same_input, values[name]), else_=None) for name in ("reason_code", "reason_text")}
            values["state"] = case((is_same_input, rule.parked_state), else_=rule.retry_state)
        return self._give_back(lease, rule.parked_state, values)

    def mark_enqueued(self, kind: LeasedKind, ids: Sequence[int], now: datetime) -> None:
        """Note that tasks for these rows are on the queue, so that the sweep does not queue them again at once."""
        rule = RULES[kind]
        self._connection.execute(change(rule.entity).where(rule.table.c.id.in_(ids)).values(enqueued_at=now))

    def _take(self, kind: LeasedKind, row_id: int, owner: str, now: datetime, duration: timedelta) -> str | None:
        """Take the lease if the row is free; return the new token."""
        rule = RULES[kind]
        token = uuid.uuid4().hex
        statement = (
            change(rule.entity)
            .where(rule.table.c.id == row_id, rule.table.c.state.in_(rule.due_states), is_free(rule.table, now))
            .values(
                lease_owner=owner,
                lease_token=token,
                lease_expires_at=now + duration,
                attempts=rule.table.c.attempts + 1,
                enqueued_at=None,
                state=rule.held_state,
            )
        )
        return token if self._update(statement) == 1 else None

    def _give_back(self, lease: Lease, state: str, values: dict[str, Any]) -> bool:
        rule = RULES[kind_of(lease)]
        if self._update(change(rule.entity).where(is_held(lease)).values({"state": state} | values)) == 0:
            return False
        if not isinstance(lease, DeliveryLease):
            refresh_study_state(self._connection, lease.record.study_id)
        return True

    def _reason(self, lease: Lease, code: str | None, text: str, dimse_status: int | None) -> dict[str, Any]:
        if isinstance(lease, DeliveryLease):
            return {"last_error": f"{code}: {text}" if code else text, "dimse_status": dimse_status}
        return {"reason_code": code, "reason_text": text}
