"""The state machine, typed out a second time: every pair of states is either on this list or illegal."""

from itertools import product

import pytest

from agatha.pipeline.lifecycle import IllegalTransition, check_transition
from agatha.store.records import DELIVERY_STATES, JOB_STATES, SERIES_STATES

STATES = {"series": SERIES_STATES, "jobs": JOB_STATES, "deliveries": DELIVERY_STATES}

LEGAL = {
    "series": {
        ("receiving", "receiving"),
        ("receiving", "assembling"),
        ("assembling", "assembling"),
        ("assembling", "receiving"),
        ("assembling", "routed"),
        ("assembling", "refused"),
        ("assembling", "not_applicable"),
        ("assembling", "failed"),
        ("routed", "receiving"),
        ("refused", "receiving"),
        ("not_applicable", "receiving"),
        ("failed", "receiving"),
    },
    "jobs": {
        ("queued", "running"),
        ("running", "running"),
        ("running", "queued"),
        ("running", "completed"),
        ("running", "refused"),
        ("running", "failed"),
    },
    "deliveries": {
        ("pending", "sending"),
        ("sending", "sending"),
        ("sending", "pending"),
        ("sending", "delivered"),
        ("sending", "dead"),
    },
}

ALL_PAIRS = [(subject, *pair) for subject, states in STATES.items() for pair in product(states, repeat=2)]


@pytest.mark.parametrize(("subject", "source", "target"), ALL_PAIRS)
def test_exactly_the_listed_steps_are_legal(subject, source, target):
    if (source, target) in LEGAL[subject]:
        check_transition(subject, source, target)
    else:
        with pytest.raises(IllegalTransition, match=f"{source} -> {target}"):
            check_transition(subject, source, target)


def test_an_unknown_state_is_illegal():
    with pytest.raises(IllegalTransition, match="no states"):
        check_transition("jobs", "forgotten", "running")


def test_a_finished_job_is_never_touched_again():
    for end in ("completed", "refused", "failed"):
        for target in JOB_STATES:
            with pytest.raises(IllegalTransition):
                check_transition("jobs", end, target)
