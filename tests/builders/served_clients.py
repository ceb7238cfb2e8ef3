"""Fixtures: clients of the application over real SQLite databases; a conftest imports them by name."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agatha.serve import create_app
from builders.served_studies import Store, open_store, write_scored_study

with warnings.catch_warnings():
    # starlette announces a successor of httpx for its own client; the client works the same.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

ClientOf = Callable[..., TestClient]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One scored study with real objects; tests only read from it."""
    opened = open_store(tmp_path_factory.mktemp("scored"))
    write_scored_study(opened)
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def client_of() -> ClientOf:
    def make(store: Store, **options: Any) -> TestClient:
        settings: dict[str, Any] = {"checks": {}, "version": "1.2.3", **options}
        return TestClient(create_app(database=store.database, files=store.files, **settings))

    return make


@pytest.fixture
def client(store: Store, client_of: ClientOf) -> TestClient:
    return client_of(store)


@pytest.fixture(scope="session")
def scored_client(scored: Store, client_of: ClientOf) -> TestClient:
    return client_of(scored)
