"""One way from seeds to a folder of training cases, resumable and on several cores; needs no torch."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

#: Builds the named arrays of one seed's case; the second argument is the table ``patients`` of ``config.toml``.
BuildArrays = Callable[[int, Mapping[str, Any]], Mapping[str, Any]]


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays under `path` (``.npz``) in one step: a kill leaves nothing half-written there."""
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.new.npz")
    np.savez(temporary, **arrays)
    temporary.replace(path)


def _write_case(build: BuildArrays, seed: int, patients: Mapping[str, Any], folder: Path) -> None:
    path = folder / f"{seed}.npz"
    if not path.exists():
        write_arrays(path, build(seed, patients))


def write_cases(build: BuildArrays, patients: Mapping[str, Any], folder: Path, workers: int, seeds: str) -> None:
    """Write cases into `folder`; those already there are kept, so an interrupted run goes on.

    `seeds` is the key of `patients` with their first and last seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first, last = patients[seeds]
    with ProcessPoolExecutor(workers) as pool, Progress() as progress:
        bar = progress.add_task("virtual patients", total=last + 1 - first)
        waiting = [pool.submit(_write_case, build, seed, patients, folder) for seed in range(first, last + 1)]
        for future in as_completed(waiting):
            future.result()
            progress.advance(bar)


def run_command(build: BuildArrays, description: str | None, config: Path) -> None:
    """Command line of a family's ``training.cases``; `config` is its ``config.toml``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=config)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", choices=("train_seeds", "validation_seeds"), default="train_seeds")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    patients = tomllib.loads(arguments.config.read_text())["patients"]
    write_cases(build, patients, arguments.out, arguments.workers, arguments.seeds)
