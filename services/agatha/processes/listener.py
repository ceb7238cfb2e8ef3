"""The listener: the DICOM storage SCP. Writes instances and rows; knows no queue and no stage."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from agatha.processes.life import BEAT_S, SignOfLife, stop_on_signal
from agatha.processes.observability import configure_logging
from agatha.processes.settings import Settings
from agatha.processes.store_wiring import open_store, schema_problem
from agatha.receive import StorageScp

_log = structlog.get_logger("agatha.processes.listener")

#: A temporary file older than this belongs to a listener that died: no transfer takes as long.
ORPHANED_AFTER: Final = timedelta(hours=1)


def run(settings: Settings) -> int:
    """Receive until SIGTERM, drain, and return the exit status."""
    configure_logging("listener", settings.log_level)
    stop = stop_on_signal()
    problem = schema_problem(settings)
    if problem is not None:
        _log.error("schema_mismatch", reason=problem)
        return 1
    database, files = open_store(settings)
    swept = files.sweep_temporary(ORPHANED_AFTER)
    scp = StorageScp(config=settings.receive_config(), database=database, files=files)
    scp.start()
    _log.info("listener_started", bind=settings.dicom_bind, port=scp.port, rows=swept)
    life = SignOfLife(settings.data_path, "listener")
    while not stop.wait(BEAT_S):
        life.beat()
    scp.stop()
    database.close()
    return 0
