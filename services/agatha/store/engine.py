"""Engines: how one connection to SQLite or PostgreSQL is set up, and which database errors are worth waiting for.

Decides durability, isolation, time limits and the translation of driver errors. It knows no table.
"""

import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from agatha.store.errors import SchemaMismatch, StatementRefused, StoreError, StoreUnavailable, UnsupportedStorage

# How long a writer waits for another one, and a caller for an answer, before the sender is told to come back later.
# C-STORE peers commonly give up on a response after 30 s to 60 s; a later answer would reach nobody. On SQLite a writer
# can wait twice, for the writers of its own process and then for those of others: twice this is still in time.
SQLITE_BUSY_TIMEOUT_S = 10
POSTGRES_CONNECT_TIMEOUT_S = 5
POSTGRES_STATEMENT_TIMEOUT_MS = 30_000
POSTGRES_LOCK_TIMEOUT_MS = 15_000
POSTGRES_IDLE_TRANSACTION_TIMEOUT_MS = 120_000
POOL_SIZE = 8
POOL_OVERFLOW = 24
POOL_TIMEOUT_S = 15

# Marks a connection of a writing transaction, so that SQLite takes the write lock at BEGIN instead of in the middle.
WRITES = "agatha_writes"

# SQLITE_ERROR is left out: it stands for a wrong statement or a missing table, which no waiting cures.
SQLITE_TRANSIENT = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_CANTOPEN",
    "SQLITE_IOERR",
    "SQLITE_FULL",
    "SQLITE_READONLY",
    "SQLITE_NOMEM",
    "SQLITE_INTERRUPT",
    "SQLITE_PROTOCOL",
    "SQLITE_SCHEMA",
)

# NaN and Infinity have no form in JSON (RFC 8259): PostgreSQL would refuse them, SQLite would keep them.
to_json = partial(json.dumps, allow_nan=False, ensure_ascii=False)


def open_engine(url: str) -> Engine:
    """Return an engine for `url`; nothing is connected yet.

    SQLite: write-ahead log, every commit fsynced, foreign keys on. PostgreSQL (psycopg 3): dead connections are noticed
    before use, connecting, locks and statements have time limits. Values are kept out of error texts on both.

    Raises
    ------
    UnsupportedStorage
        For any other database, and for SQLite in memory, which processes and threads cannot share.
    """
    parsed = parse_database_url(url)
    engine = sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else postgres_engine(parsed)
    event.listen(engine, "handle_error", translate_error)
    return engine


def parse_database_url(url: str) -> URL:
    """Return the URL with its driver spelled out; refuse what is not served, without repeating a password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UnsupportedStorage("the database URL cannot be read; expected sqlite:///… or postgresql://…") from None
    backend = parsed.get_backend_name()
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return parsed
    if backend != "sqlite":
        raise UnsupportedStorage(f"expected a sqlite:/// or postgresql:// database URL, got {parsed.drivername}")
    if parsed.database in (None, "", ":memory:") or "mode=memory" in url:
        raise UnsupportedStorage("expected a SQLite file; a database in memory cannot be shared")
    return parsed


def sqlite_file(url: URL) -> Path:
    """Return the file that a SQLite URL names."""
    if url.database is None:
        raise UnsupportedStorage("expected a SQLite file")
    return Path(url.database)


def sqlite_engine(url: URL) -> Engine:
    """Return an engine that begins its own transactions; the driver's implicit ones would start too late to be safe."""
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
        json_serializer=to_json,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S, "isolation_level": None},
    )
    event.listen(engine, "connect", prepare_sqlite_connection)
    event.listen(engine, "begin", begin_sqlite_transaction)
    return engine


def prepare_sqlite_connection(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    """Set what SQLite keeps per connection. FULL: a commit has reached the disk when it returns, also in WAL mode."""
    cursor = connection.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def begin_sqlite_transaction(connection: Connection) -> None:
    """Begin; a writer takes the write lock at once, because upgrading a read lock fails instead of waiting."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def postgres_engine(url: URL) -> Engine:
    """Return an engine whose connections are checked before use and cannot hang."""
    limits: dict[str, Any] = {
        "statement_timeout": POSTGRES_STATEMENT_TIMEOUT_MS,
        "lock_timeout": POSTGRES_LOCK_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": POSTGRES_IDLE_TRANSACTION_TIMEOUT_MS,
        "timezone": "UTC",
    }
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,
        json_serializer=to_json,
        connect_args={
            "connect_timeout": POSTGRES_CONNECT_TIMEOUT_S,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": POSTGRES_STATEMENT_TIMEOUT_MS,
        },
    )


def translate_error(context: ExceptionContext) -> BaseException | None:
    """Turn a driver's error into the store's.

    Drivers quote values (PostgreSQL's DETAIL shows the whole row), so none of their texts goes on: neither in the
    message nor in the error that stays attached as the cause.
    """
    error = context.original_exception
    if isinstance(error, sqlite3.Error):
        return translate_sqlite_error(error)
    if isinstance(error, psycopg.Error):
        translated = translate_postgres_error(error, is_disconnect=context.is_disconnect)
        error.args = (type(error).__name__,)
        return translated
    # A value that has no form in its column: a naive datetime, a NaN in JSON.
    return error if isinstance(error, ValueError) else None


def translate_sqlite_error(error: sqlite3.Error) -> StoreError:
    """Sort by SQLite's own result code."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if name.startswith(SQLITE_TRANSIENT):
        return StoreUnavailable(f"the SQLite database did not answer: {name}")
    if name == "SQLITE_ERROR" and str(error).startswith(("no such table", "no such column")):
        return SchemaMismatch("a table or column is missing; run `agatha db upgrade`")
    return StatementRefused(f"SQLite refused a statement: {name}")


def translate_postgres_error(error: psycopg.Error, *, is_disconnect: bool) -> StoreError:
    """Sort by exception class: OperationalError covers connection loss, time limits, deadlocks and full disks."""
    reason = f"{type(error).__name__} ({error.sqlstate or 'no SQLSTATE'})"
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return SchemaMismatch("a table or column is missing; run `agatha db upgrade`")
    is_transient = is_disconnect or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    # An operational error by class, but one that says the row is too large, which no waiting changes.
    if is_transient and not isinstance(error, psycopg.errors.ProgramLimitExceeded):
        return StoreUnavailable(f"PostgreSQL did not answer: {reason}")
    place = " ".join(filter(None, (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)))
    return StatementRefused(f"PostgreSQL refused a statement: {reason} {place}".rstrip())
