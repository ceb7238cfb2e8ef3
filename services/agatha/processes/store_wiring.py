"""The store from settings, for every process; nothing of queue, stages or models is loaded for it."""

from __future__ import annotations

from agatha.processes.settings import Settings
from agatha.store.database import Database
from agatha.store.errors import StoreError
from agatha.store.instance_files import InstanceFiles, open_instance_files
from agatha.store.migrate import current_revision, head_revision


def open_store(settings: Settings) -> tuple[Database, InstanceFiles]:
    """Return database and instance files."""
    settings.data_path.mkdir(parents=True, exist_ok=True)
    return Database(settings.database), open_instance_files(settings.storage)


def schema_problem(settings: Settings) -> str | None:
    """Say what is wrong with the database's schema; None when it is right, or nobody can tell now."""
    try:
        current = current_revision(settings.database)
    except StoreError:
        return None
    expected = head_revision()
    if current == expected:
        return None
    return f"the database is at revision {current or 'none'}, expected {expected}: run `agatha db upgrade`"
