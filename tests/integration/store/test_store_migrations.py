"""Migrations: up from empty, complete, and safe when several processes start at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from agatha.store import migrate
from agatha.store.database import Database
from agatha.store.errors import SchemaMismatch
from agatha.store.tables import Base

REPOSITORY = Path(__file__).parents[3]


def test_upgrade_from_empty_leaves_nothing_pending(database_url: str) -> None:
    assert migrate.current_revision(database_url) is None
    assert any("revision" in line for line in migrate.pending_changes(database_url))
    migrate.upgrade(database_url)
    assert migrate.current_revision(database_url) == migrate.head_revision()
    assert migrate.pending_changes(database_url) == []


def test_upgrade_of_an_upgraded_database_changes_nothing(database_url: str) -> None:
    migrate.upgrade(database_url)
    migrate.upgrade(database_url)
    assert migrate.pending_changes(database_url) == []


def test_a_column_without_migration_is_named_as_pending(database_url: str) -> None:
    migrate.upgrade(database_url)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE studies DROP COLUMN study_description"))
    engine.dispose()
    (line,) = migrate.pending_changes(database_url)
    assert "add_column studies" in line
    assert "study_description" in line


def test_state_constraints_are_those_of_the_declarations(database_url: str) -> None:
    """Autogeneration does not compare CHECK constraints, so the migration is compared here."""
    migrate.upgrade(database_url)
    engine = create_engine(database_url)
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            declared = {str(c.name) for c in table.constraints if str(c.name).startswith("ck_")}
            found = {str(c["name"]) for c in _inspect(connection).get_check_constraints(table.name)}
            assert found == declared
    engine.dispose()


def _inspect(connection):  # type: ignore[no-untyped-def]
    from sqlalchemy import inspect

    return inspect(connection)


def test_concurrent_upgrades_of_several_processes_all_succeed(database_url: str) -> None:
    program = "import sys; from agatha.store import migrate; migrate.upgrade(sys.argv[1])"

    def upgrade(_: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", program, database_url]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    with ThreadPoolExecutor(3) as pool:
        finished = list(pool.map(upgrade, range(3)))
    assert [process.returncode for process in finished] == [0, 0, 0], [process.stderr for process in finished]
    assert migrate.pending_changes(database_url) == []


def test_alembic_command_upgrades_from_the_repository_root(database_url: str) -> None:
    for arguments in (["upgrade", "head"], ["check"]):
        command = [sys.executable, "-m", "alembic", "-x", f"url={database_url}", *arguments]
        process = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
        assert process.returncode == 0, process.stderr
    assert migrate.current_revision(database_url) == migrate.head_revision()


def test_downgrade_removes_every_table(database_url: str) -> None:
    from alembic import command

    migrate.upgrade(database_url)
    command.downgrade(migrate.migration_config(database_url), "base")
    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert set(_inspect(connection).get_table_names()) == {"alembic_version"}
    engine.dispose()


def test_database_that_was_never_migrated_says_what_to_do(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(SchemaMismatch, match="agatha db upgrade"), database.reading() as tx:
        tx.find_studies()
    database.close()
