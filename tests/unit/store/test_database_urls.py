"""Which databases are served, and what happens to a password in a URL that is not."""

import pytest

from agatha.store.engine import parse_database_url
from agatha.store.errors import UnsupportedStorage


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_postgresql_is_spoken_with_psycopg(scheme: str) -> None:
    assert parse_database_url(f"{scheme}://u@h/d").drivername == "postgresql+psycopg"


def test_sqlite_file_is_served() -> None:
    assert parse_database_url("sqlite:////srv/agatha.db").database == "/srv/agatha.db"


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hidden@h/d", "postgresql+asyncpg://u:hidden@h/d", "sqlite://", "sqlite:///:memory:", "no url: hidden"],
)
def test_other_databases_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(UnsupportedStorage) as caught:
        parse_database_url(url)
    assert "hidden" not in str(caught.value)
