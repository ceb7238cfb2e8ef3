"""Bringing a database to the schema of this version, and saying what is missing. The steps themselves are migrations.

Decides where the migrations lie: in a checkout the folder ``alembic`` at its root, in an installed wheel the folder
``migrations`` beside this module, which is the same folder put there by the build.
"""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from agatha.store.engine import open_engine
from agatha.store.tables import Base


def migrations_folder() -> Path:
    """Return the folder of env.py and versions/."""
    installed = Path(__file__).parent / "migrations"
    in_checkout = Path(__file__).parents[3] / "alembic"
    return installed if (installed / "env.py").is_file() else in_checkout


def migration_config(url: str) -> Config:
    """Return the alembic configuration for one database; env.py reads the URL from its attributes."""
    config = Config()
    # A percent sign would start an interpolation of the configuration parser.
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Bring the database to the newest revision; safe when several processes start at once.

    Raises
    ------
    StoreUnavailable
        When the database does not answer.
    UnsupportedStorage
        For a URL that is not served.
    """
    command.upgrade(migration_config(url), "head")


def head_revision() -> str:
    """Return the revision that this version of the code expects."""
    head = ScriptDirectory(str(migrations_folder())).get_current_head()
    if head is None:
        raise FileNotFoundError("the installation holds no migrations")
    return head


def current_revision(url: str) -> str | None:
    """Return the revision that the database is at; None when it was never migrated."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def pending_changes(url: str) -> list[str]:
    """Return what separates the database from this version, one readable line each; empty when nothing does.

    Compares the revision and then the tables, as ``alembic check`` does: a changed declaration without a migration
    shows up here as well.
    """
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            current, head = context.get_current_revision(), head_revision()
            lines = [] if current == head else [f"revision: expected {head}, the database is at {current or 'none'}"]
            return lines + [describe(difference) for difference in compare_metadata(context, Base.metadata)]
    finally:
        engine.dispose()


def describe(difference: object) -> str:
    """Return one difference as text; alembic gives a tuple, or a list of tuples for one column."""
    if isinstance(difference, list):
        return "; ".join(describe(part) for part in difference)
    if isinstance(difference, tuple):
        return " ".join(str(part) for part in difference if part is not None)
    return str(difference)
