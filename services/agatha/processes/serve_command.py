"""`agatha serve`: everything in one place, until a signal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from agatha.processes.life import stop_on_signal
from agatha.processes.observability import configure_logging
from agatha.processes.settings import Settings
from agatha.processes.standalone import Supervisor, child_environment, http_url, prepare, wait_until_up


def serve_all(settings: Settings, console: Console) -> int:
    """Run until SIGTERM or SIGINT; 0 when everything drained, 1 when something did not come up or had to be killed."""
    configure_logging("standalone", settings.log_level)
    stop = stop_on_signal()
    settings = prepare(settings)
    # On a terminal the lines of log would bury what a person wants to see; elsewhere they are what is collected.
    log_dir = settings.data_path / "log" if sys.stderr.isatty() else None
    supervisor = Supervisor(child_environment(settings), log_dir)
    supervisor.start()
    is_complete = wait_until_up(settings, supervisor, stop)
    if is_complete:
        console.print(what_listens(settings, str(log_dir) if log_dir is not None else "standard error"))
        supervisor.watch(stop)
    elif not stop.is_set():
        console.print("[red]not everything came up; the log says why[/red]")
    was_stopped = stop.is_set()
    has_drained = supervisor.stop()
    return 0 if was_stopped and has_drained else 1


def what_listens(settings: Settings, log_place: str) -> Table:
    """Where everything is, as a table."""
    table = Table(title="Agatha is up · research use only", show_header=False, title_justify="left")
    table.add_row("DICOM C-STORE", f"{settings.ae_title}@{settings.dicom_bind}:{settings.dicom_port}")
    table.add_row("pages", f"{http_url(settings)}/")
    table.add_row("REST", f"{http_url(settings)}/api/v1/studies")
    table.add_row("readiness, metrics", f"{http_url(settings)}/health/ready  {http_url(settings)}/metrics")
    table.add_row("data", str(settings.data_path))
    table.add_row("log", log_place)
    for destination in settings.destinations:
        table.add_row("delivers to", destination)
    return table
