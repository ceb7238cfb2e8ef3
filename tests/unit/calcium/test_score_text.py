"""Nothing above zero reads as zero."""

import pytest

from coronary.calcium import score_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.004, "< 0.1"), (0.049, "< 0.1"), (0.06, "0.1"), (0.1, "0.1"), (9.96, "10.0"), (1412.34, "1412.3")],
)
def test_one_decimal_and_no_false_zero(value: float, text: str) -> None:
    assert score_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.04, "< 0.1"), (0.33, "0.3"), (0.6, "1"), (9.96, "10"), (412.34, "412")]
)
def test_without_decimals_what_would_read_as_zero_gets_one(value: float, text: str) -> None:
    assert score_text(value, 0) == text
