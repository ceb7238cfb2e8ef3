"""How long the series made of one scored contrast scan take, beside the scoring that they begin with.

`python benchmarks/derived_series.py`.

A virtual patient with much calcium is rendered and resampled to 512 x 512 x 320. Paper 0 needs about two minutes a case
on a TITAN Xp. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from typing import Any

from ccta_scoring_stages import make_scan
from rich.console import Console
from rich.table import Table

from agatha.infer import ModelRuntime
from coronary.contract import CalciumFindings, Findings, Refusal
from coronary.derived_findings import DerivedFindings
from coronary.evaluation.virtual_cohort import acquisition_facts
from coronary.registry import FAMILIES, family_named

#: Paper 0: "approximately 2 min" for the lumen-extracted images of a case, on a TITAN Xp.
PAPER_S = 120.0

SCORING = "ccta-scoring"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=943015, help="of a patient with severe calcium")
    parser.add_argument("--slices", type=int, default=320)
    parser.add_argument("--matrix", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    console = Console(stderr=arguments.json)
    with console.status("rendering the virtual patient"):
        volume, acquisition = make_scan(arguments.seed, (arguments.slices, arguments.matrix, arguments.matrix))
    facts = acquisition_facts(acquisition)
    runtime = ModelRuntime(providers=["CPUExecutionProvider"], threads=arguments.threads)
    names = [SCORING, *(family.name for family in FAMILIES if family.needs == SCORING)]
    runtime.warm_up([family_named(name) for name in names])
    basis: CalciumFindings | None = None
    rows = []
    for name in names:
        family = family_named(name)
        with console.status(name):
            began = time.monotonic()
            found = family.predict(runtime.sessions(family), volume, facts, lambda _done: None, basis)
            seconds = time.monotonic() - began
        if isinstance(found, Refusal):
            raise SystemExit(f"{name} refused: {found.code}")
        basis = found if isinstance(found, CalciumFindings) else basis
        rows.append(
            {"analysis": name, "s": round(seconds, 1), "of_paper_0": round(seconds / PAPER_S, 2), **made(found)}
        )
    result = {
        "shape": list(volume.voxels_hu.shape),
        "threads": arguments.threads,
        "machine": f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}",
        "analyses": rows,
    }
    print(json.dumps(result, indent=1)) if arguments.json else report(result, console)


def made(found: Findings) -> dict[str, Any]:
    """What there was to do."""
    if not isinstance(found, DerivedFindings):
        return {"outcome": f"Agatston {found.score.agatston.total:.0f}"}
    altered = [int(volume.is_altered.sum()) for volume in found.volumes if volume.is_altered is not None]
    what = ", ".join(volume.content for volume in found.volumes)
    return {"outcome": what + (f", {altered[0]} voxels altered" if altered else "")}


def report(result: dict[str, Any], console: Console) -> None:
    shape = " x ".join(str(n) for n in reversed(result["shape"]))
    table = Table(title=f"{shape}, {result['threads']} threads ({result['machine']})", title_justify="left")
    for column in ("analysis", "time s", "of paper 0's 120 s", "outcome"):
        table.add_column(column, justify="right" if column[0] in "to" and column != "outcome" else "left")
    for row in result["analyses"]:
        table.add_row(row["analysis"], f"{row['s']:.1f}", f"{row['of_paper_0']:.2f}", row["outcome"])
    console.print(table)


if __name__ == "__main__":
    main()
