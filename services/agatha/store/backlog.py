"""Counts for metrics only: rows per state, how long the oldest due one has waited, and how analyses ended."""

from collections.abc import Mapping

from sqlalchemy import func, or_, select

from agatha.store.leases import RULES, is_free
from agatha.store.records import (
    DELIVERY_STATES,
    JOB_STATES,
    RESULT_STATES,
    SCORES_AGREE,
    SCORES_DISCORDANT,
    SERIES_STATES,
    STUDY_STATES,
    SUPERSEDED,
)
from agatha.store.rows import Unit, table_of, utc_now
from agatha.store.tables import Delivery, Event, Job, Output, Result, Series, Study

STATES = {
    "studies": (Study, STUDY_STATES),
    "series": (Series, SERIES_STATES),
    "jobs": (Job, JOB_STATES),
    "deliveries": (Delivery, DELIVERY_STATES),
}


class BacklogQueries(Unit):
    """Counting."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Return rows per table and state (every state, also at 0), and the wait of the oldest due row.

        Returns
        -------
        dict
            ``{"studies": {...}, "series": {...}, "jobs": {...}, "deliveries": {...}, "oldest_due_seconds":
            {"series": s, "jobs": s, "deliveries": s}}``; 0 s where nothing is due.
        """
        counted = {}
        for name, (entity, states) in STATES.items():
            table = table_of(entity)
            rows = self._connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
            counted[name] = dict.fromkeys(states, 0) | {state: int(number) for state, number in rows}
        return counted | {"oldest_due_seconds": self._oldest_due_seconds()}

    def outcomes(self) -> Mapping[tuple[str, str, str], int]:
        """Return how the last analysis of each series ended: counts by analysis, state and reason code.

        The code is "" for a completed one. A job that was overtaken by newer input says nothing and is left out; one
        that was given up without a result (it killed its workers) counts as failed.
        """
        jobs = table_of(Job)
        is_outcome = (
            jobs.c.state.in_(RESULT_STATES),
            or_(jobs.c.reason_code.is_(None), jobs.c.reason_code != SUPERSEDED),
        )
        last = select(func.max(jobs.c.id)).where(*is_outcome).group_by(jobs.c.series_id, jobs.c.analysis)
        code = func.coalesce(jobs.c.reason_code, "")
        counted = (
            select(jobs.c.analysis, jobs.c.state, code, func.count())
            .where(jobs.c.id.in_(last))
            .group_by(jobs.c.analysis, jobs.c.state, code)
        )
        rows = self._connection.execute(counted)
        return {(analysis, state, reason): int(number) for analysis, state, reason, number in rows}

    def discordant_studies(self) -> int:
        """Return in how many studies the last comparison of the two scores found them discordant."""
        last = (
            select(func.max(Event.id)).where(Event.kind.in_((SCORES_AGREE, SCORES_DISCORDANT))).group_by(Event.study_id)
        )
        is_discordant = (Event.id.in_(last), Event.kind == SCORES_DISCORDANT)
        return int(self._connection.execute(select(func.count()).where(*is_discordant)).scalar_one())

    def _oldest_due_seconds(self) -> dict[str, int]:
        """Return how long the longest-waiting due row of each kind has been due, in whole seconds."""
        now = utc_now()
        jobs = table_of(Job)
        since = {
            "series": select(func.min(func.coalesce(Series.next_attempt_at, Series.last_instance_at))),
            "jobs": select(func.min(func.coalesce(jobs.c.next_attempt_at, jobs.c.created_at))),
            # A delivery becomes due with its result; it has no time of its own.
            "deliveries": select(func.min(func.coalesce(Delivery.next_attempt_at, Result.created_at)))
            .join(Output, Output.id == Delivery.output_id)
            .join(Result, Result.id == Output.result_id),
        }
        waited = {}
        for kind, rule in RULES.items():
            is_due = (rule.table.c.state.in_(rule.due_states), is_free(rule.table, now))
            oldest = self._connection.execute(since[kind].where(*is_due)).scalar_one()
            waited[str(kind)] = 0 if oldest is None else max(0, int((now - oldest).total_seconds()))
        return waited
