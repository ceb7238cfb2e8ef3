"""How shares and whole numbers are written for a person."""

import pytest

from agatha.serve.display_text import percent, probabilities, whole


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.9, "90 %"), (0.006, "1 %"), (0.994, "99 %"), (0.996, "> 99 %"), (1.0, "> 99 %"), (0.5, "50 %")],
)
def test_a_share_is_whole_percent_and_never_certain(share, text):
    assert percent(share) == text


def test_probabilities_come_likeliest_first_without_those_that_would_read_as_none():
    shares = {"0": 0.0, "1-10": 0.005, "11-100": 0.07, "101-400": 0.92, ">400": 0.006}
    assert probabilities(shares) == "101-400: 92 %, 11-100: 7 %, >400: 1 %"
    assert probabilities({"0": 1.0, "1-10": 0.0}) == "0: > 99 %"


def test_a_whole_number_reads_as_zero_only_when_it_is_zero():
    assert [whole(value) for value in (0.0, 0.04, 0.33, 0.6, 97.6, 1234.4)] == ["0", "< 0.1", "0.3", "1", "98", "1234"]
