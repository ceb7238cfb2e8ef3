"""A peer's status decides between delivered, later and never; retries follow the policy and end."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agatha.deliver import BackoffPolicy, Verdict, delay_before_retry, verdict_of_status


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (0x0000, Verdict.DELIVERED),
        (0xB000, Verdict.DELIVERED),
        (0xB006, Verdict.DELIVERED),
        (0xB007, Verdict.DELIVERED),
        (0x0107, Verdict.DELIVERED),
        (0xA700, Verdict.RETRY),
        (0xA7FF, Verdict.RETRY),
        (0x0213, Verdict.RETRY),
        (0xA900, Verdict.REFUSED),
        (0xC000, Verdict.REFUSED),
        (0xC123, Verdict.REFUSED),
        (0x0110, Verdict.REFUSED),
        (0x0122, Verdict.REFUSED),
        (0x0124, Verdict.REFUSED),
        (0xA800, Verdict.REFUSED),
        (0xFE00, Verdict.REFUSED),
    ],
)
def test_status_is_sorted_by_what_has_to_be_done(status: int, verdict: Verdict) -> None:
    assert verdict_of_status(status) is verdict


def test_the_delay_doubles_up_to_the_ceiling() -> None:
    seconds = [delay_before_retry(attempts, 0.0) for attempts in range(1, 11)]
    assert seconds == [timedelta(seconds=s) for s in (10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800)]


def test_jitter_cuts_up_to_half_of_the_delay() -> None:
    assert delay_before_retry(1, 0.5) == timedelta(seconds=7.5)
    assert delay_before_retry(1, 0.9999) > timedelta(seconds=5)


def test_the_last_attempt_makes_a_dead_letter() -> None:
    policy = BackoffPolicy(max_attempts=3)
    assert delay_before_retry(2, 0.0, policy) is not None
    assert delay_before_retry(3, 0.0, policy) is None
    assert delay_before_retry(400, 0.0, policy) is None


def test_the_default_policy_survives_a_weekend() -> None:
    delays = [delay_before_retry(attempts, 0.5) for attempts in range(1, BackoffPolicy().max_attempts)]
    assert sum((delay for delay in delays if delay), timedelta(0)) > timedelta(hours=64)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_positive_and_never_above_the_ceiling(attempts: int, share: float) -> None:
    policy = BackoffPolicy(max_attempts=20_000)
    delay = delay_before_retry(attempts, share, policy)
    assert delay is not None
    assert timedelta(0) < delay <= policy.ceiling


@pytest.mark.parametrize(("attempts", "share"), [(0, 0.0), (-1, 0.0), (1, 1.0), (1, -0.1)])
def test_senseless_arguments_are_refused(attempts: int, share: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        delay_before_retry(attempts, share)


@pytest.mark.parametrize(
    "wrong",
    [{"factor": 0.5}, {"max_attempts": 0}, {"jitter_share": 1.5}, {"first_delay": timedelta(0)}],
)
def test_a_senseless_policy_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected|must be"):
        BackoffPolicy(**wrong)  # type: ignore[arg-type]
