"""Whether a process on this machine is alive, asked from beside it: no curl, no credentials."""

from __future__ import annotations

from agatha.processes.life import STALE_AFTER_S, life_file, seconds_since_life
from agatha.processes.settings import Settings
from agatha.processes.standalone import can_connect, is_live


def problem_of(process: str, settings: Settings) -> str | None:
    """Say what is wrong with `process` (listener, worker, scheduler, api); None when it is alive."""
    if process == "api":
        return None if is_live(settings) else f"api: /health/live on port {settings.http_port} does not answer"
    age = seconds_since_life(life_file(settings.data_path, process))
    if age is None or age > STALE_AFTER_S:
        return f"{process}: no sign of life for {'ever' if age is None else f'{age:.0f} s'}"
    if process == "listener" and not can_connect(settings.dicom_bind, settings.dicom_port):
        return f"listener: port {settings.dicom_port} does not accept connections"
    return None
