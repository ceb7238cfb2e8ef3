"""The databases of the integration tests: one PostgreSQL server for all of them, an empty database for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.postgres import fresh_database, postgres_server_url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server; only a test that asks for it starts one."""
    with postgres_server_url() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'agatha.db'}"
    else:
        with fresh_database(request.getfixturevalue("postgres_url")) as url:
            yield url
