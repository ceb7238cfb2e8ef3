"""The scheduler: sweeps the database for due rows. One is enough; a second does no harm."""

from __future__ import annotations

from agatha.pipeline.sweep import run_sweep
from agatha.processes.life import SignOfLife, stop_on_signal
from agatha.processes.observability import configure_logging
from agatha.processes.settings import Settings
from agatha.processes.store_wiring import open_store
from agatha.processes.wiring import make_publisher, pipeline_config


def run(settings: Settings) -> int:
    """Sweep until SIGTERM; return the exit status."""
    configure_logging("scheduler", settings.log_level)
    stop = stop_on_signal()
    database, _ = open_store(settings)
    try:
        run_sweep(
            database,
            make_publisher(settings),
            pipeline_config(settings),
            interval_s=settings.sweep_interval_s,
            stop=stop,
            on_pass=SignOfLife(settings.data_path, "scheduler").beat,
        )
    finally:
        database.close()
    return 0
