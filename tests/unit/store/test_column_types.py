"""Values on their way into a column: text that no database refuses."""

from enum import StrEnum

from agatha.store.column_types import clean_text


class State(StrEnum):
    ROUTED = "routed"


def test_text_loses_only_what_a_database_refuses() -> None:
    assert clean_text("Müller^Jürgen 山田") == "Müller^Jürgen 山田"
    assert clean_text("A\x00B") == "AB"
    assert clean_text("A\udcffB") == "A?B"
    assert clean_text("") == ""


def test_enum_member_is_stored_by_its_value() -> None:
    assert type(clean_text(State.ROUTED)) is str
    assert clean_text(State.ROUTED) == "routed"
