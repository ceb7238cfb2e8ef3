"""Limits that depend on one another, and the pauses between attempts."""

from datetime import timedelta

import pytest

from agatha.pipeline.limits import (
    HEARTBEATS_PER_LEASE,
    MAX_ATTEMPTS,
    TaskLimits,
    pause_before_next_attempt,
)


@pytest.mark.parametrize("stage_limit_s", [10, 600, 3600])
def test_the_task_can_say_why_before_it_is_killed_and_is_killed_before_it_is_redelivered(stage_limit_s):
    limits = TaskLimits.from_stage_limit(stage_limit_s)
    assert stage_limit_s == limits.soft_s < limits.hard_s < limits.visibility_timeout_s


def test_pauses_double_up_to_a_ceiling():
    pauses = [pause_before_next_attempt("jobs", attempt, 0.0).total_seconds() for attempt in range(1, 10)]
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_deliveries_wait_by_their_own_policy_and_never_all_at_once():
    early = pause_before_next_attempt("deliveries", 3, 0.99)
    late = pause_before_next_attempt("deliveries", 3, 0.0)
    assert timedelta(0) < early < late


def test_even_the_last_attempt_of_a_delivery_has_a_pause():
    assert pause_before_next_attempt("deliveries", MAX_ATTEMPTS["deliveries"], 0.5) > timedelta(0)


def test_a_lease_survives_one_lost_heartbeat():
    assert HEARTBEATS_PER_LEASE >= 3
