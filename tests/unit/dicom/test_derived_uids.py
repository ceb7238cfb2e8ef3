"""UIDs of outputs: the same inputs give the same UID, any difference another one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agatha.dicom.uids import config_digest, derive_uid, src_digest

KEY = ("csct-scoring/sr", "instance", "digest", "bundle 1", "config")


def test_the_uid_of_a_key_never_changes() -> None:
    # A changed number here means that every archive would get twins of what it already has.
    assert derive_uid(*KEY) == "2.25.325188852969994323202339996210764856484"


@pytest.mark.parametrize("position", range(5))
def test_every_component_changes_the_uid(position: int) -> None:
    other = [*KEY]
    other[position] += "x"
    assert derive_uid(*other) != derive_uid(*KEY)


def test_text_cannot_move_between_components() -> None:
    assert derive_uid("a", "b", "cd", "e", "f") != derive_uid("a", "b", "c", "de", "f")
    with pytest.raises(ValueError, match="separator"):
        derive_uid("sr|instance", "x", "digest", "bundle", "config")


@pytest.mark.parametrize("key", [("", "series", "", "", ""), ("sr", "", "", "", "")])
def test_kind_and_part_are_never_empty(key: tuple[str, str, str, str, str]) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        derive_uid(*key)


plain_text = st.text(st.characters(exclude_characters="|", exclude_categories=("Cs",)), min_size=1, max_size=30)


@given(st.tuples(plain_text, plain_text, plain_text, plain_text, plain_text))
def test_every_uid_is_valid(key: tuple[str, str, str, str, str]) -> None:
    uid = derive_uid(*key)
    assert len(uid) <= 44
    assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", uid)


def test_src_digest_ignores_the_order_and_sees_frames() -> None:
    first, second = ("1.2.3", None), ("1.2.4", None)
    assert src_digest([first, second]) == src_digest([second, first])
    assert src_digest([first]) != src_digest([first, second])
    assert src_digest([("1.2.3", 1)]) != src_digest([("1.2.3", 2)])
    assert src_digest([("1.2.3", 1)]) != src_digest([("1.2.3", None)])


def test_config_digest_ignores_the_order_of_keys_and_sees_values() -> None:
    assert config_digest({"a": 1, "b": [2, 3]}) == config_digest({"b": [2, 3], "a": 1})
    assert config_digest({"a": 1}) != config_digest({"a": 2})


@pytest.mark.parametrize("value", [object(), {1, 2}])
def test_config_digest_refuses_what_has_no_json_form(value: object) -> None:
    with pytest.raises(TypeError):
        config_digest({"a": value})
