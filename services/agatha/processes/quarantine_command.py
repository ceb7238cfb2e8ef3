"""`agatha db quarantine`: what was received and set aside, and why; newest first."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from agatha.processes.settings import ConfigurationError, Settings
from agatha.processes.store_wiring import open_store, schema_problem


def list_quarantine(settings: Settings, *, limit: int, as_json: bool, console: Console) -> int:
    """Print the newest `limit` instances; 0.

    Raises
    ------
    ConfigurationError
        If the database has another schema.
    StoreError
        If it cannot be read.
    """
    database, files = open_store(settings)
    try:
        problem = schema_problem(settings)
        if problem is not None:
            raise ConfigurationError(problem)
        with database.reading() as tx:
            records = tx.quarantined(limit=limit)
    finally:
        database.close()
    rows = [
        asdict(record) | {"received_at": record.received_at.isoformat(), "path": str(files.path(record.storage_key))}
        for record in records
    ]
    if as_json:
        print(json.dumps(rows))
        return 0
    if not rows:
        console.print("Nothing was set aside.")
        return 0
    table = Table("received", "from", "why", "study", "file")
    for row in rows:
        why = f"{row['reason_text']} ({row['reason_code']})"
        cells = (
            row["received_at"][:19],
            row["calling_ae_title"],
            why,
            row["study_instance_uid"] or "not known",
            row["path"],
        )
        table.add_row(*map(str, cells))
    console.print(table)
    return 0
