"""The backlog: how many rows are in which state, and how long the oldest due one has waited. For metrics only."""

from sqlalchemy import func, select

from agatha.store.leases import RULES, is_free
from agatha.store.records import DELIVERY_STATES, JOB_STATES, SERIES_STATES, STUDY_STATES
from agatha.store.rows import Unit, table_of, utc_now
from agatha.store.tables import Delivery, Job, Output, Result, Series, Study

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
