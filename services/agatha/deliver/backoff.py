"""When to try a failed delivery again, and when to stop trying.

The policy, before the code. A peer that is restarted comes back within a minute: the first retries are quick. A peer
that is down stays down for hours: the delay doubles, so that an outage costs it few connections, up to a ceiling, so
that recovery is noticed within that time. A hundred deliveries that failed in the same second must not come back in the
same second: each delay is shortened at random by up to half. The attempts are counted so that a closed weekend is
survived; after the last one the delivery becomes a dead letter, which a person sees and can send again.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """The numbers of the policy; with the defaults, attempts are spread over about three days.

    Sum of the delays before jitter: 10 s · (2⁸ − 1) ≈ 43 min for the first eight, then 30 min each; 200 of them are
    about 96 h, and about 72 h after the mean jitter of a quarter.
    """

    first_delay: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    ceiling: timedelta = timedelta(minutes=30)
    max_attempts: int = 200
    jitter_share: float = 0.5

    def __post_init__(self) -> None:
        if not timedelta(0) < self.first_delay <= self.ceiling:
            raise ValueError(f"0 < first_delay <= ceiling expected, got {self.first_delay} and {self.ceiling}")
        if self.factor < 1 or self.max_attempts < 1 or not 0 <= self.jitter_share <= 1:
            raise ValueError("factor and max_attempts must be at least 1, jitter_share between 0 and 1")


def delay_before_retry(attempts: int, random_share: float, policy: BackoffPolicy | None = None) -> timedelta | None:
    """Return how long to wait after the given number of failed attempts; None when it is a dead letter.

    Pure: the caller brings the randomness.

    Parameters
    ----------
    attempts
        Failed attempts so far, the one that just failed included.
    random_share
        Uniform in [0, 1): 0 waits the full delay, 1 would cut all of `jitter_share` off.
    """
    if attempts < 1 or not 0 <= random_share < 1:
        raise ValueError(f"attempts >= 1 and 0 <= random_share < 1 expected, got {attempts} and {random_share}")
    policy = policy or BackoffPolicy()
    if attempts >= policy.max_attempts:
        return None
    full = policy.first_delay
    for _ in range(attempts - 1):
        full = min(full * policy.factor, policy.ceiling)
        if full == policy.ceiling:
            break
    return full * (1 - policy.jitter_share * random_share)
