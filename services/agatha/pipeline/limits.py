"""The numbers of the pipeline that depend on one another, computed from the few that are configured.

Decides time limits, pauses between attempts and how many attempts there are. Reads no settings: the composition root
hands the configured numbers in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agatha.deliver import BackoffPolicy, delay_before_retry
from agatha.store.records import LeasedKind

#: Between the soft limit (an exception inside the task, which can still record why) and the kill of its process, s.
GRACE_S: Final = 30

#: A lease lives this long without a heartbeat: what a killed worker held is free again after it, s.
LEASE_S: Final = 20.0

#: Heartbeats in the life of a lease: three may be lost (a restarting database) before the lease is.
HEARTBEATS_PER_LEASE: Final = 4

#: A task that was put on the queue and not started is put there again after this long, s (the broker lost it).
REQUEUE_AFTER_S: Final = 30.0

#: The first pause after a transient error doubles with every further attempt, up to a ceiling, s.
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 300.0

#: Deliveries wait by the policy of `agatha.deliver`: an archive may be down for a weekend.
DELIVERY_POLICY: Final = BackoffPolicy()

#: Leases a row may use up before it is parked. An outage or workers that are killed are no fault of the row: with the
#: pauses above, 20 attempts span more than an hour.
MAX_ATTEMPTS: Final[dict[LeasedKind, int]] = {
    "series": 20,
    "jobs": 20,
    "deliveries": DELIVERY_POLICY.max_attempts,
}

#: The ceiling for errors that are probably the row's own fault and come again each time.
MAX_ATTEMPTS_OWN_FAULT: Final = 5


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """Celery's limits, all derived from how long one stage may take."""

    soft_s: int
    hard_s: int
    visibility_timeout_s: int

    @classmethod
    def from_stage_limit(cls, stage_limit_s: int) -> TaskLimits:
        """Soft limit = the stage's, kill a grace later; Redis re-delivers what nobody acknowledged after twice that."""
        hard_s = stage_limit_s + GRACE_S
        return cls(soft_s=stage_limit_s, hard_s=hard_s, visibility_timeout_s=2 * hard_s)


def pause_before_next_attempt(kind: LeasedKind, attempts: int, random_share: float) -> timedelta:
    """How long to wait after attempt number `attempts` (1 is the first) failed for a transient reason.

    Parameters
    ----------
    random_share
        Uniform in [0, 1): deliveries that failed together do not come back together.
    """
    if kind == "deliveries":
        return delay_before_retry(attempts, random_share, DELIVERY_POLICY) or DELIVERY_POLICY.ceiling
    doublings = min(max(attempts - 1, 0), 16)
    return timedelta(seconds=min(FIRST_PAUSE_S * 2**doublings, LONGEST_PAUSE_S))
