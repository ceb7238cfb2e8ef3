"""Logs that cannot hold patient data: JSON lines whose keys are on a list, texts of foreign libraries left out.

Decides what a line may contain. Nobody has to remember to leave something out: what is not listed is dropped, and the
name of the dropped key is kept, so that it is missed in a test and not in production.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

import structlog

#: The keys a line may have. None of them can hold an attribute value of a patient, a study or an instance.
# fmt: off
ALLOWED_KEYS: Final = frozenset((
    "event", "level", "timestamp", "logger", "process_name", "pid", "task", "row", "attempt", "outcome", "reason",
    "reason_code", "error", "error_type", "before", "where", "at", "duration_s", "stage_seconds", "kind", "rows",
    "series", "jobs", "deliveries", "finalised", "peer_address", "calling_ae_title", "called_ae_title", "answers",
    "echoes", "received_bytes", "method", "route", "status", "request_id", "port", "bind", "signal", "exit_status",
    "child", "restarts", "providers", "provider", "queues", "concurrency", "model", "version", "dropped_keys",
))
# fmt: on

#: Libraries whose messages quote attribute values or whole data sets; of their lines only the place is kept.
_QUOTING_LIBRARIES: Final = frozenset(
    {"pydicom", "pynetdicom", "highdicom", "PIL", "sqlalchemy", "alembic", "httpx", "py"}
)


def keep_allowed_keys(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every key that is not on the list, and everything but plain values (structlog processor)."""
    kept = {name: _plain(value) for name, value in event_dict.items() if name in ALLOWED_KEYS}
    dropped = sorted(name for name in event_dict if name not in ALLOWED_KEYS and not name.startswith("_"))
    if dropped:
        kept["dropped_keys"] = dropped
    return kept


def configure_logging(process_name: str, level: str) -> None:
    """Write JSON lines to standard error from here on: our own by structlog, those of libraries by the same path."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_process_name(process_name),
    ]
    structlog.configure(
        processors=[*processors, keep_allowed_keys, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_withhold_text, *processors],
            processors=[keep_allowed_keys, structlog.processors.JSONRenderer()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")


def log_defect(error: BaseException) -> None:
    """Write the line of an error nobody foresaw: its type and where it came from, never its message."""
    structlog.get_logger("agatha.processes").error("defect", error_type=type(error).__name__, where=innermost(error))


def innermost(error: BaseException) -> str:
    """Files, lines and functions of the innermost frames of an error."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))


def _add_process_name(process_name: str) -> Any:
    def add(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event_dict["process_name"] = process_name
        return event_dict

    return add


def _withhold_text(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of a library's line keep logger, place and, where the library is not known to quote data, the text."""
    record = event_dict.get("_record")
    if isinstance(record, logging.LogRecord):
        event_dict["logger"] = record.name
        event_dict["where"] = f"{record.module}:{record.lineno}"
        if record.name.split(".")[0] in _QUOTING_LIBRARIES:
            event_dict["event"] = "library_message"
        elif record.exc_info is not None:
            event_dict["event"] = "library_error"
            event_dict["error_type"] = record.exc_info[0].__name__ if record.exc_info[0] is not None else "unknown"
    event_dict.pop("exc_info", None)
    return event_dict


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return type(value).__name__
