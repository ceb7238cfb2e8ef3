"""The virtual study of the analyses that make series: stenosis on scans with severe calcium and on those series."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agatha.processes.case_log import run_logged, worker_runtime
from coronary.calcium_inpainting import CalciumInpainting
from coronary.contract import Family
from coronary.evaluation.stenosis_markdown import to_stenosis_markdown, to_stenosis_summary
from coronary.evaluation.stenosis_study import SegmentRecord
from coronary.evaluation.virtual_stenosis import CALCIUM_FREE, ScoredScan, is_severe, read_case, score_scan
from coronary.lumen_extraction import LumenExtraction
from coronary.registry import family_named, model_sha256
from coronary.virtual_patient import VirtualPatient, draw_patient

#: Families whose series are read, by the name of the series in the tables.
SERIES: Final[dict[str, Family]] = {
    "calcium-removed": CalciumInpainting(),
    "hidden cube (paper 2)": CalciumInpainting("hidden"),
    "lumen": LumenExtraction(),
    "lumen (paper 0)": LumenExtraction("paper"),
}


def run_stenosis_cohort(
    first_seed: int, patients: int, out: Path, *, keep: Path | None, workers: int, console: Console
) -> tuple[str, str, list[Path]]:
    """Run the study; cases that are in ``stenosis-cases.jsonl`` are not run again.

    Scored scans are kept in the folder `keep` (150 MB each) and taken from there: with other networks that make series,
    the scans need not be scored again.

    Returns
    -------
    tuple
        Name of the data, what the tables come to, and the files that were written.
    """
    seeds = _severe_seeds(first_seed, patients, out / f"severe-from-{first_seed}.json", console)
    rows = run_logged(
        {str(seed): seed for seed in seeds},
        partial(_run_patient, keep=keep),
        out / "stenosis-cases.jsonl",
        model_sha256=" ".join(model_sha256(family) for family in SERIES.values()),
        workers=workers,
        console=console,
    )
    records = [SegmentRecord(**record) for row in rows.values() for record in row["records"]]
    name = f"virtual patients with severe calcium, n = {len(rows)}, seeds {seeds[0]}-{seeds[-1]}"
    series, left_out = [CALCIUM_FREE, *SERIES], _left_out(rows, records)
    summary = to_stenosis_summary(records, series, data_name=name)
    tables = to_stenosis_markdown(records, series, data_name=name)
    (out / "stenosis.md").write_text(f"{summary}\n{tables}{left_out}", encoding="utf-8")
    return name, summary + left_out, [out / "stenosis.md", *_plot(records, name, out / "stenosis-roc.png")]


def _severe_seeds(first_seed: int, count: int, found: Path, console: Console) -> list[int]:
    """The first `count` seeds of patients with severe calcium, as in the file `found`; those it lacks are looked for.

    One patient of four is one, and drawing each takes a second: what was found is kept.
    """
    seeds: list[int] = json.loads(found.read_text("utf-8")) if found.exists() else []
    found.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("patients with severe calcium"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=count, completed=min(len(seeds), count))
        seed = seeds[-1] + 1 if seeds else first_seed
        while len(seeds) < count:
            if is_severe(seed):
                seeds.append(seed)
                found.write_text(json.dumps(seeds), "utf-8")
                progress.advance(bar)
            seed += 1
    return seeds[:count]


def _plot(records: list[SegmentRecord], name: str, path: Path) -> list[Path]:
    """ROC curves in the layout of paper 0, figure 4, warnings heeded, where matplotlib is installed."""
    from coronary.evaluation.plots import plot_roc_curves

    panels = {}
    groups = {"Evaluation 1": records, "Evaluation 2": [record for record in records if record.is_unreadable]}
    for title, group in groups.items():
        truth = [record.is_significant for record in group]
        if len(set(truth)) < 2:
            continue
        ratings = {"CCTA": [record.original_rating for record in group]}
        for series in (CALCIUM_FREE, *SERIES):
            ratings[series] = [record.derived_rating(series, is_guarded=True) for record in group]
        panels[title] = (truth, ratings)
    if not panels:
        return []
    try:
        figure = plot_roc_curves(panels, f"Stenosis of at least 75 %: {name}. Warnings heeded. Research use only.")
    except ImportError:
        return []
    figure.savefig(path, dpi=110)
    return [path]


def _left_out(rows: dict[str, dict[str, Any]], records: list[SegmentRecord]) -> str:
    """What the tables do not hold, and how often the derived series is not to be read."""
    refused = [f"{name} ({row['refusal']})" for name, row in rows.items() if row["refusal"]]
    missing = sum(len(row["missing"]) for row in rows.values())
    lines = [
        f"Refused: {len(refused)} of {len(rows)} cases{': ' + ', '.join(refused) if refused else ''}.",
        f"Segments that could not be measured: {missing} of {missing + len(records)}.",
        *(
            f"Segments in which the {series} series says not to be trusted: "
            f"{sum(series in record.distrusted for record in records)} of {len(records)}."
            for series in SERIES
        ),
    ]
    return "\n" + "\n".join(f"- {line}" for line in lines) + "\n"


def _run_patient(seed: int, keep: Path | None) -> dict[str, Any]:
    """In a worker process: one case, as one line of the log."""
    (needed,) = {family.needs for family in SERIES.values() if family.needs is not None}
    runtime, patient = worker_runtime(), draw_patient(seed, calcium="present")
    derivers = {series: (family, runtime.sessions(family)) for series, family in SERIES.items()}
    return asdict(read_case(patient, _scored(patient, family_named(needed), keep), derivers))


def _scored(patient: VirtualPatient, scoring: Family, keep: Path | None) -> ScoredScan:
    """The scored scan as it was kept, else made now; the hash in its name is that of the networks that scored it."""
    path = None if keep is None else keep / f"{patient.seed}-{model_sha256(scoring)[:12]}.pickle"
    if path is not None and path.exists():
        with path.open("rb") as file:
            kept: ScoredScan = pickle.load(file)  # noqa: S301 - written by this command
        return kept
    scan = score_scan(patient, scoring, worker_runtime().sessions(scoring))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        half_written = path.with_suffix(".new")
        with half_written.open("wb") as file:
            pickle.dump(scan, file, protocol=pickle.HIGHEST_PROTOCOL)
        half_written.replace(path)
    return scan
