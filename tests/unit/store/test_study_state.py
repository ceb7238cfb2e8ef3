"""A study's state follows from its series and jobs: the table is typed out here on its own."""

import pytest

from agatha.store.study_state import derive_study_state

CASES = [
    ({"receiving", "routed"}, {"completed"}, "receiving"),
    ({"assembling"}, set(), "processing"),
    ({"routed"}, {"queued", "completed"}, "processing"),
    ({"routed"}, {"running", "failed"}, "processing"),
    ({"routed", "failed"}, {"completed"}, "failed"),
    ({"routed"}, {"completed", "failed"}, "failed"),
    ({"routed", "refused", "not_applicable"}, {"completed", "refused"}, "completed"),
    ({"routed"}, {"refused"}, "refused"),
    ({"refused", "not_applicable"}, set(), "refused"),
    ({"not_applicable"}, set(), "refused"),
]


@pytest.mark.parametrize(("series", "jobs", "expected"), CASES)
def test_study_state(series: set[str], jobs: set[str], expected: str) -> None:
    assert derive_study_state(series, jobs) == expected
