"""How long one contrast scan takes to score, and how much memory, stage by stage.

`python benchmarks/ccta_scoring_stages.py`.

A virtual patient is rendered and resampled to the wanted size (512 x 512 x 320; the paper needs 292 s a case with an
RTX 3060). Memory is the resident set of this process while a stage runs, less what it was before the first one, with
the scan itself counted in. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from agatha.infer import ModelRuntime
from coronary.ccta_scoring import predict as stages
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume
from coronary.evaluation.virtual_cohort import acquisition_facts
from coronary.registry import family_named
from coronary.virtual_patient import Acquisition, draw_acquisition, draw_patient, render

#: Lee 2023: 292 s a case, networks on an RTX 3060.
PAPER_S = 292.0

SAMPLE_S = 0.02

#: Names in `coronary.ccta_scoring.predict` that are measured, and what they do.
STAGES = {
    "find_heart_region": "find the heart",
    "prepare": "histogram, mapping, vesselness",
    "aorta_probability": "aorta network",
    "aorta_mask": "aorta mask",
    "measure_aorta": "aorta attenuation",
    "tree_answers": "tree network",
    "artery_mask": "artery mask",
    "estimate_calcium": "estimated calcium",
    "trace_coronary_tree": "coronary tree",
    "score_contrast_scan": "calcium and score",
    "calcium_score": "lesions",
}


@dataclass
class Measured:
    """Time and highest memory of one stage."""

    seconds: float = 0.0
    peak_mb: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=970001)
    parser.add_argument("--slices", type=int, default=320)
    parser.add_argument("--matrix", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json)
    with console.status("rendering the virtual patient"):
        volume, acquisition = make_scan(arguments.seed, (arguments.slices, arguments.matrix, arguments.matrix))
    family = family_named("ccta-scoring")
    runtime = ModelRuntime(providers=["CPUExecutionProvider"], threads=arguments.threads)
    runtime.warm_up([family])
    process = psutil.Process()
    volume_mb = volume.voxels_hu.nbytes / 2**20
    before_mb = process.memory_info().rss / 2**20 - volume_mb
    measured: dict[str, Measured] = {}
    for name in STAGES:
        setattr(stages, name, measuring(getattr(stages, name), name, measured, process, before_mb))
    with console.status("scoring"):
        began = time.monotonic()
        found = family.predict(runtime.sessions(family), volume, acquisition_facts(acquisition), lambda _done: None)
        total_s = time.monotonic() - began
    outcome = f"refused: {found.code}" if isinstance(found, Refusal) else f"Agatston {found.score.agatston.total:.1f}"
    result = {
        "shape": list(volume.voxels_hu.shape),
        "threads": arguments.threads,
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "outcome": outcome,
        "total_s": round(total_s, 1),
        "share_of_paper": round(total_s / PAPER_S, 3),
        "peak_mb": round(max(each.peak_mb for each in measured.values())),
        "volume_mb": round(volume_mb),
        "stages": {name: {"s": round(m.seconds, 2), "peak_mb": round(m.peak_mb)} for name, m in measured.items()},
    }
    print(json.dumps(result, indent=1)) if arguments.json else report(result, console)


def make_scan(seed: int, shape: tuple[int, int, int]) -> tuple[CtVolume, Acquisition]:
    """A virtual contrast scan with the wanted number of voxels, linearly interpolated."""
    acquisition = draw_acquisition(seed, "ccta")
    scan = render(draw_patient(seed, calcium="present"), acquisition, in_plane_fov_mm=192.0, matrix=384)
    factors = np.array(shape) / scan.voxels_hu.shape
    voxels = ndimage.zoom(scan.voxels_hu, factors, order=1, grid_mode=False)
    affine = scan.affine_lps.copy()
    # Without grid mode the first and last voxel keep their places.
    steps = (np.array(scan.voxels_hu.shape) - 1) / (np.array(voxels.shape) - 1)
    affine[:3, :3] = affine[:3, :3] * steps[::-1]
    return CtVolume(voxels, affine), acquisition


def measuring(
    stage: Callable[..., Any], name: str, measured: dict[str, Measured], process: psutil.Process, before_mb: float
) -> Callable[..., Any]:
    """The stage, its time and the highest resident set while it runs added to `measured`."""

    def run(*args: Any, **kwargs: Any) -> Any:
        entry = measured.setdefault(name, Measured())
        done = threading.Event()

        def watch() -> None:
            while True:
                entry.peak_mb = max(entry.peak_mb, process.memory_info().rss / 2**20 - before_mb)
                if done.wait(SAMPLE_S):
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        began = time.monotonic()
        try:
            return stage(*args, **kwargs)
        finally:
            entry.seconds += time.monotonic() - began
            done.set()
            watcher.join()

    return run


def report(result: dict[str, Any], console: Console) -> None:
    shape = " x ".join(str(n) for n in reversed(result["shape"]))
    table = Table(
        title=f"CCTA scoring, {shape}, {result['threads']} threads ({result['machine']})", title_justify="left"
    )
    for column in ("stage", "time s", "peak memory MB"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name, entry in result["stages"].items():
        table.add_row(STAGES[name], f"{entry['s']:.1f}", f"{entry['peak_mb']}")
    table.add_section()
    table.add_row("all", f"{result['total_s']:.1f}", f"{result['peak_mb']}")
    table.caption = (
        f"{result['outcome']}; {result['share_of_paper']:.2f} of the paper's {PAPER_S:.0f} s on a GPU; "
        f"the scan itself has {result['volume_mb']} MB"
    )
    console.print(table)


if __name__ == "__main__":
    main()
