"""How long each stage of the running task took, for its line of log, the timeline and the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

_seconds: ContextVar[dict[str, float] | None] = ContextVar("stage_seconds", default=None)


@contextmanager
def recorded_stages() -> Iterator[dict[str, float]]:
    """Collect the stages that run inside; yields stage → seconds, filled as they end."""
    seconds: dict[str, float] = {}
    token = _seconds.set(seconds)
    try:
        yield seconds
    finally:
        _seconds.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time one stage; a stage that runs twice in a task adds up."""
    started = perf_counter()
    try:
        yield
    finally:
        seconds = _seconds.get()
        if seconds is not None:
            seconds[name] = round(seconds.get(name, 0.0) + perf_counter() - started, 3)


def stage_seconds() -> dict[str, float]:
    """Return the seconds per stage so far in the task that runs here; empty outside a task."""
    return dict(_seconds.get() or {})
