"""The way into the database: a unit of work for reading or for writing, each one transaction.

Decides where a transaction begins and ends. What can be done inside one is `units_of_work`.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from agatha.store.engine import SQLITE_BUSY_TIMEOUT_S, WRITES, open_engine
from agatha.store.errors import StoreUnavailable
from agatha.store.units_of_work import Reading, Writing


class Database:
    """One database, shared by all threads of a process.

    Nothing is connected before the first unit of work. Values inside a unit of work are only good until it ends;
    what leaves it are frozen records.

    Parameters
    ----------
    url
        ``sqlite:////absolute/file.db`` or ``postgresql://…``.

    Raises
    ------
    UnsupportedStorage
        For any other URL.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._writer_gate = threading.Lock() if self._engine.dialect.name == "sqlite" else None

    @property
    def dialect(self) -> str:
        """Return "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Open a transaction for queries; it is rolled back at the end.

        Raises
        ------
        StoreUnavailable
            When the database cannot be reached or does not answer in time.
        """
        with self._connection(writes=False) as connection:
            yield Reading(connection)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Open ONE transaction; it is durable when the block ends cleanly, and undone when an exception leaves it.

        Keep it short: on SQLite nobody else can write meanwhile. Units of work do not nest.

        Raises
        ------
        StoreUnavailable
            When the database cannot be reached, stays locked or does not confirm the commit. After a failed commit
            on PostgreSQL the outcome can be unknown; every write here may be repeated.
        """
        with self._exclusive(), self._connection(writes=True) as connection, connection.begin():
            yield Writing(connection)

    def ping(self) -> None:
        """Ask the database for a trivial answer.

        Raises
        ------
        StoreUnavailable
            When it gives none.
        """
        with self._connection(writes=False) as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close the idle connections."""
        self._engine.dispose()

    @contextmanager
    def _connection(self, *, writes: bool) -> Iterator[Connection]:
        options: dict[str, Any] = {WRITES: writes}
        if not writes and self.dialect == "postgresql":
            options["postgresql_readonly"] = True
        try:
            connection = self._engine.connect()
        except PoolTimeoutError:
            raise StoreUnavailable("no database connection became free in time") from None
        with connection:
            yield connection.execution_options(**options)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Queue the writers of this process in line; left to SQLite they would poll for the lock, and some starve."""
        if self._writer_gate is None:
            yield
            return
        if not self._writer_gate.acquire(timeout=SQLITE_BUSY_TIMEOUT_S):
            raise StoreUnavailable(f"another writer held the database for {SQLITE_BUSY_TIMEOUT_S} s")
        try:
            yield
        finally:
            self._writer_gate.release()
