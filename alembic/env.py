"""Runs migrations: one at a time per database, in one transaction, the same for `alembic` and for `agatha db upgrade`.

Decides which database is meant and how concurrent runs exclude one another. The steps are in versions/.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from filelock import FileLock
from sqlalchemy import Connection, text

from agatha.store.column_types import CleanText, UtcDateTime
from agatha.store.engine import WRITES, open_engine, parse_database_url, sqlite_file
from agatha.store.tables import Base

# Any number that no other program uses as an advisory lock in the same PostgreSQL database: "agatha" in ASCII.
ADVISORY_LOCK = int.from_bytes(b"agatha", "big")
LOCK_TIMEOUT_S = 300


def database_url() -> str:
    """Return the URL from the caller, from `-x url=`, or from AGATHA_DATABASE_URL, in this order."""
    given = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    url = given or os.environ.get("AGATHA_DATABASE_URL")
    if not url:
        raise SystemExit("which database? give `-x url=sqlite:////path/agatha.db` or set AGATHA_DATABASE_URL")
    return str(url)


def render_type(kind: str, item: object, _autogenerate: object) -> str | bool:
    """Write our column types into a migration as what they are in the database; migrations import nothing of ours."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, CleanText):
        return "sa.String()"
    return False


@contextmanager
def migrating(url: str) -> Iterator[Connection]:
    """Open the connection that migrates, and let no second process migrate meanwhile."""
    parsed = parse_database_url(url)
    engine = open_engine(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            file = sqlite_file(parsed)
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{file}.migrating", timeout=LOCK_TIMEOUT_S), engine.connect() as connection:
                # SQLite alters a table by copying and dropping it; with foreign keys on, referring rows would go too.
                connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
                try:
                    yield connection.execution_options(**{WRITES: True})
                finally:
                    connection.connection.cursor().execute("PRAGMA foreign_keys=ON")
        else:
            with engine.connect() as connection:
                yield connection
    finally:
        engine.dispose()


def run_migrations() -> None:
    """Migrate inside one transaction; on PostgreSQL it begins by waiting for any other migration."""
    with migrating(database_url()) as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            render_item=render_type,
            compare_type=True,
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
                connection.execute(text(f"SET LOCAL statement_timeout = '{LOCK_TIMEOUT_S}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("migrations need a database to run against; `--sql` is not supported")
run_migrations()
