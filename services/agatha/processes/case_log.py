"""A cohort run case by case in several processes, one JSON line each: an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from agatha.infer import ModelRuntime

Member = TypeVar("Member")


def run_logged(
    members: Mapping[str, Member],
    run: Callable[[Member], dict[str, Any]],
    log: Path,
    *,
    model_sha256: str,
    workers: int,
    console: Console,
) -> dict[str, dict[str, Any]]:
    """Run all members that have no line of this model yet; return the line of every member.

    Parameters
    ----------
    members
        By the name of the case, in the order of the result.
    run
        Makes the line of one member; called in a worker process, so it must be importable.
    log
        One line a case, with ``case_id`` and ``model_sha256``; its folder is made.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    done = {row["case_id"]: row for row in _lines(log) if row["model_sha256"] == model_sha256}
    missing = [name for name in members if name not in done]
    columns = (TextColumn("virtual patients"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress, log.open("a") as file:
        bar = progress.add_task("", total=len(members), completed=len(members) - len(missing))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            names = {pool.submit(run, members[name]): name for name in missing}
            for future in as_completed(names):
                row = {"case_id": names[future], **future.result(), "model_sha256": model_sha256}
                file.write(json.dumps(row) + "\n")
                file.flush()
                done[row["case_id"]] = row
                progress.advance(bar)
    return {name: done[name] for name in members}


@cache
def worker_runtime() -> ModelRuntime:
    """The sessions of this worker process, on one thread: the cases themselves run side by side."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return ModelRuntime(threads=1)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            # A killed run may have left half a line; the case is run again.
            if line.endswith("}"):
                yield json.loads(line)
