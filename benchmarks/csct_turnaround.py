"""How long from the last C-STORE to the stored SR of a 48-slice calcium score, and how much memory that takes.

Starts the all-in-one service on the embedded default in a temporary folder, sends virtual patients over real C-STORE
and reads the stage times from the timeline. Run it on an idle machine: `python benchmarks/csct_turnaround.py`.

The settle time (5 s without a new instance, by default) is part of the total: it is the price of not knowing when a
sender is done. Memory is the peak resident set of each process (VmHWM), so it includes start and warm-up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from agatha.deliver import Destination, send
from agatha.dicom.virtual_study import write_virtual_study
from agatha.processes.settings import Settings, read_settings
from agatha.processes.standalone import CHILDREN, Supervisor, child_environment, prepare, wait_until_up
from agatha.store.database import Database
from coronary.virtual_patient import draw_acquisition, draw_patient, render

SLICES = 48
TIMEOUT_S = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json)
    with tempfile.TemporaryDirectory(prefix="agatha-turnaround-") as folder:
        studies = [
            make_study(seed, Path(folder) / str(seed), console)
            for seed in seeds_with_48_slices(arguments.first_seed, arguments.runs)
        ]
        runs, memory_mb = measure(Path(folder) / "data", studies, console)
    if arguments.json:
        print(json.dumps({"cores": os.cpu_count(), "runs": runs, "peak_memory_mb": memory_mb}, indent=1))
    else:
        report(runs, memory_mb, console)


def seeds_with_48_slices(first: int, count: int) -> list[int]:
    seeds = (seed for seed in range(first, first + 10_000) if draw_acquisition(seed, "csct").slice_count == SLICES)
    return [next(seeds) for _ in range(count)]


def make_study(seed: int, folder: Path, console: Console) -> tuple[str, list[Path]]:
    with console.status(f"rendering virtual patient {seed}"):
        scan = render(draw_patient(seed, calcium="present"), draw_acquisition(seed, "csct"))
        study = write_virtual_study([scan], folder)
    return study.study_instance_uid, study.series["csct"]


def measure(
    data_dir: Path, studies: list[tuple[str, list[Path]]], console: Console
) -> tuple[list[dict[str, float]], dict[str, float]]:
    settings = prepare(read_settings({"data_dir": data_dir, "dicom_port": 0, "http_port": 0}))
    supervisor = Supervisor(child_environment(settings), data_dir / "log")
    supervisor.start()
    try:
        if not wait_until_up(settings, supervisor, threading.Event()):
            raise SystemExit(f"the service did not start: {(data_dir / 'log' / 'worker.log').read_text()[-2000:]}")
        runs = []
        for number, (study_uid, paths) in enumerate(studies, start=1):
            with console.status(f"run {number} of {len(studies)}"):
                runs.append(turnaround(settings, study_uid, paths))
        return runs, peak_memory_mb(supervisor)
    finally:
        supervisor.stop()


def turnaround(settings: Settings, study_uid: str, paths: list[Path]) -> dict[str, float]:
    """Seconds from the last instance's arrival to each step of one study."""
    destination = Destination("benchmark", settings.ae_title, "127.0.0.1", settings.dicom_port)
    receipts = send(paths, destination, "BENCHMARK")
    assert all(receipt.is_delivered for receipt in receipts)
    database = Database(settings.database)
    try:
        events = wait_for_job(database, study_uid)
        with database.reading() as tx:
            last_instance_at = tx.series_of_study(study_uid)[0].last_instance_at
    finally:
        database.close()
    at = {event.kind: event.at for event in events}
    detail = next(event.detail for event in events if event.kind == "JOB_COMPLETED") or {}

    def since_last_instance_s(moment: datetime) -> float:
        return (moment - last_instance_at).total_seconds()

    steps = {
        "settle, sweep, queue, assemble, route": since_last_instance_s(at["SERIES_ROUTED"]),
        "queue to the analysis": (at["JOB_STARTED"] - at["SERIES_ROUTED"]).total_seconds(),
    }
    stages: dict[str, float] = detail["stage_seconds"]
    steps |= {f"  {name}": seconds for name, seconds in stages.items()}
    steps["total, last C-STORE to SR stored"] = since_last_instance_s(at["JOB_COMPLETED"])
    return steps


def wait_for_job(database: Database, study_uid: str) -> list[Any]:
    tick = threading.Event()
    for _ in range(int(TIMEOUT_S / 0.2)):
        with database.reading() as tx:
            events = tx.timeline(study_uid)
        kinds = {event.kind for event in events}
        if "JOB_COMPLETED" in kinds:
            return events
        if kinds & {"JOB_FAILED", "JOB_REFUSED", "SERIES_REFUSED", "SERIES_FAILED"}:
            raise SystemExit(f"no score: {[event.text for event in events]}")
        tick.wait(0.2)
    raise SystemExit(f"no score after {TIMEOUT_S:g} s")


def peak_memory_mb(supervisor: Supervisor) -> dict[str, float]:
    peaks = {}
    for name in CHILDREN:
        pid = supervisor.pid_of(name)
        if pid is None:
            continue
        peaks[name] = peak_of(pid)
        for child in psutil.Process(pid).children(recursive=True):
            peaks[f"{name}, pool process"] = peak_of(child.pid)
    return peaks


def peak_of(pid: int) -> float:
    """Peak resident set in MB where Linux tells it, else the present one."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024, 1)
    return round(psutil.Process(pid).memory_info().rss / 2**20, 1)


def report(runs: list[dict[str, float]], memory_mb: dict[str, float], console: Console) -> None:
    times = Table(title=f"{SLICES}-slice CSCT, {os.cpu_count()} cores, {platform.machine()}; seconds")
    times.add_column("step")
    for number in range(1, len(runs) + 1):
        times.add_column(f"run {number}", justify="right")
    for step in runs[0]:
        times.add_row(step, *(f"{run.get(step, 0.0):.2f}" for run in runs))
    console.print(times)
    memory = Table(title="peak memory")
    memory.add_column("process")
    memory.add_column("MB", justify="right")
    for name, peak in memory_mb.items():
        memory.add_row(name, f"{peak:.0f}")
    memory.add_row("sum", f"{sum(memory_mb.values()):.0f}")
    console.print(memory)


if __name__ == "__main__":
    main()
