"""`agatha demo`, behind `make demo`: the whole service for one virtual patient, from an empty folder to a score.

Decides what is shown and when it counts as success: only with a completed result that came back over REST.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agatha.deliver import Destination
from agatha.deliver import send as send_paths
from agatha.dicom.virtual_study import VirtualStudy, write_virtual_study
from agatha.processes.analyze_command import score_table
from agatha.processes.life import stop_on_signal
from agatha.processes.observability import configure_logging
from agatha.processes.phantom_command import render_scans
from agatha.processes.serve_command import what_listens
from agatha.processes.settings import PREFIX, TEST_PREFIX, ConfigurationError, Settings, read_settings
from agatha.processes.standalone import Supervisor, child_environment, http_url, prepare, wait_until_up
from agatha.store.paired_scores import CSCT_ANALYSIS

#: How long a result may take, s; on two busy cores it takes about half a minute.
RESULT_TIMEOUT_S: Final = 600.0

#: Left in the folder, so that a later run may empty it and no other folder is ever emptied.
MARK: Final = "made-by-agatha-demo"


def run_demo(seed: int, data_dir: Path, console: Console) -> int:
    """Run the demonstration; 0 only when a completed result exists and everything stopped cleanly."""
    stop = stop_on_signal()
    fresh_folder(data_dir)
    configure_logging("demo", "ERROR")
    with console.status(f"1/4 rendering virtual patient {seed}: a heart with calcium whose score is known"):
        scans = render_scans(seed, ["csct"], calcium="present")
        study = write_virtual_study(scans, data_dir / "virtual-patient")
    paths = study.series["csct"]
    console.print(f"1/4 virtual patient {seed}: {len(paths)} CT instances in {paths[0].parent}")
    settings = prepare(demo_settings(data_dir))
    supervisor = Supervisor(child_environment(settings), settings.data_path / "log")
    supervisor.start()
    try:
        with console.status("2/4 starting listener, worker, scheduler and HTTP"):
            is_up = wait_until_up(settings, supervisor, stop)
        if not is_up:
            console.print(f"[red]the service did not start[/red]; see {settings.data_path / 'log'}")
            return 1
        console.print(what_listens(settings, str(settings.data_path / "log")))
        console.print("2/4 the service is up")
        has_score = _send_and_wait(settings, study, supervisor, stop, console)
    finally:
        with console.status("stopping"):
            has_drained = supervisor.stop()
    console.print("stopped cleanly" if has_drained else "[red]something had to be killed[/red]")
    console.print(f"to look around: AGATHA_DATA_DIR={data_dir} make run, then open http://127.0.0.1:8080/")
    return 0 if has_score and has_drained else 1


def demo_settings(data_dir: Path) -> Settings:
    """Settings of the demonstration: nothing of what this machine is otherwise configured for, and free ports."""
    for name in list(os.environ):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX):
            del os.environ[name]
    return read_settings({"data_dir": data_dir, "dicom_port": 0, "http_port": 0, "settle_s": 2.0})


def fresh_folder(folder: Path) -> None:
    """Make an empty folder, in place of the one of an earlier run; ConfigurationError when it is somebody else's."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise ConfigurationError(f"{folder} is not empty and was not made by a demo; name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARK).touch()


def _send_and_wait(
    settings: Settings, study: VirtualStudy, supervisor: Supervisor, stop: threading.Event, console: Console
) -> bool:
    paths = study.series["csct"]
    destination = Destination("demo", settings.ae_title, "127.0.0.1", settings.dicom_port)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("3/4 C-STORE", total=len(paths))
        receipts = send_paths(paths, destination, "DEMO", on_receipt=lambda _: progress.advance(bar))
    taken = sum(receipt.is_delivered for receipt in receipts)
    console.print(f"3/4 {taken} of {len(paths)} instances sent by C-STORE to {settings.ae_title}")
    started = time.monotonic()
    result = _wait_for_result(settings, study.study_instance_uid, supervisor, stop, console)
    if result is None:
        console.print("[red]4/4 no result[/red]")
        return False
    if result["state"] != "completed":
        console.print(f"[red]4/4 {result['state']}[/red]: {result['reason']['code']}: {result['reason']['text']}")
        return False
    console.print(f"4/4 {result['analysis']}: result after {time.monotonic() - started:.1f} s")
    truth = json.loads(study.truth.read_text("utf-8"))["series"]["csct"]["calcium"]["agatston"]
    console.print(score_table(result, "predicted beside the truth", truth))
    for output in result["outputs"]:
        console.print(f"wrote {output['kind']}: {', '.join(output['sop_instance_uids'])}", soft_wrap=True)
    console.print(f"study page: {http_url(settings)}/studies/{study.study_instance_uid}", soft_wrap=True)
    console.print(f"result: {http_url(settings)}/api/v1/studies/{study.study_instance_uid}/results", soft_wrap=True)
    return True


def _wait_for_result(
    settings: Settings, study_uid: str, supervisor: Supervisor, stop: threading.Event, console: Console
) -> dict[str, Any] | None:
    deadline = time.monotonic() + RESULT_TIMEOUT_S
    columns = (SpinnerColumn(), TextColumn("4/4 {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("waiting for the series to settle", total=None)
        while time.monotonic() < deadline and not stop.wait(0.5) and supervisor.usage_error is None:
            supervisor.restart_dead()
            results = _get(settings, f"/api/v1/studies/{study_uid}/results")
            for result in results or ():
                if result["analysis"] == CSCT_ANALYSIS:
                    return dict(result)
            timeline = _get(settings, f"/api/v1/studies/{study_uid}/timeline")
            if timeline and timeline["events"]:
                progress.update(bar, description=timeline["events"][-1]["text"])
    return None


def _get(settings: Settings, path: str) -> Any:
    """Body of a GET; None while there is nothing, or nobody answers."""
    try:
        with urllib.request.urlopen(f"{http_url(settings)}{path}", timeout=10.0) as answer:  # noqa: S310 - our own
            return json.load(answer)
    except (urllib.error.URLError, OSError):
        return None
