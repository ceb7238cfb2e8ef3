"""`agatha evaluate cohort`: the virtual study of one analysis, resumable, and the figures of its model card.

Decides which study an analysis has: scores against their truth, presence of calcium against it, or
stenosis on the series that are made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markdown import Markdown

from agatha.processes.case_log import run_logged, worker_runtime
from agatha.processes.evaluation_report import Evaluation, write_report
from agatha.processes.model_card import write_figures
from agatha.processes.settings import ConfigurationError
from agatha.processes.stenosis_cohort import run_stenosis_cohort
from coronary.contract import Family, SeriesKind
from coronary.evaluation.case_rows import case_of, to_row
from coronary.evaluation.detection_study import DetectionRecord, detection_report, to_detection_markdown
from coronary.evaluation.virtual_cohort import CohortMember, Variant, cohort, run_case, run_detection
from coronary.registry import family_named, manifest_of, model_sha256

OK: Final = 0

#: The analysis that gives no score, but says whether there is one.
DETECTION: Final = "calcium-detection"

#: What the virtual cohort is also reported by, per kind of series: the acquisition, and whether there is calcium.
STRATA: Final[dict[SeriesKind, tuple[str, ...]]] = {
    "csct": ("slice_thickness_mm", "calcium"),
    "ccta": ("kvp", "calcium"),
}


@dataclass(frozen=True, slots=True)
class CohortRun:
    """Which patients, and where what is measured goes.

    Parameters
    ----------
    first_seed, patients
        Where the patients begin, and how many.
    variant
        Which generator.
    out
        Folder for cases and report. Each case is one line of a file there, tagged with the model's hash; cases that are
        there already are not run again, so an interrupted run goes on where it stopped.
    keep
        Folder for scored scans, where the study can use them again.
    workers
        Cases at a time.
    """

    first_seed: int
    patients: int
    variant: Variant
    out: Path
    keep: Path | None
    workers: int


def evaluate_cohort(analysis: str, run: CohortRun, card: Path | None, *, as_json: bool, console: Console) -> int:
    """Run the virtual study of an analysis, write its report and, into `card`, its figures.

    Raises
    ------
    ConfigurationError
        If the analysis has no such study, or the card no block for its figures.
    """
    family = family_named(analysis)
    name = f"{analysis}-{run.variant}"
    if family.needs is None:
        if run.keep is not None:
            raise ConfigurationError("only scans of a stenosis study are kept; leave --keep out")
        measure = _run_detection if analysis == DETECTION else _run_scores
        data_name, text, written = measure(family, run, name, console)
    else:
        if run.variant != "standard":
            raise ConfigurationError("the stenosis study has patients of the standard generator only")
        data_name, text, written = run_stenosis_cohort(
            run.first_seed, run.patients, run.out, keep=run.keep, workers=run.workers, console=console
        )
    if card is not None:
        write_figures(card, name, text)
        written.append(card)
    if as_json:
        print(json.dumps({"data": data_name, "files": [str(path) for path in written]}))
        return OK
    console.print(Markdown(text))
    for path in written:
        console.print(f"wrote {path}")
    return OK


def _run_scores(family: Family, run: CohortRun, name: str, console: Console) -> tuple[str, str, list[Path]]:
    """Name of the data, tables and files of a cohort that is scored against its truth."""
    rows, data_name = _rows(family, run, f"cases-{run.variant}.jsonl", _run_member, console)
    cases = [case_of(row) for row in rows]
    manifest = manifest_of(family)
    sources = {
        "scores": family.name,
        "reference": "the exact truth of the generator",
        "model": f"{manifest.name} {manifest.version}, SHA-256 {model_sha256(family)}",
    }
    evaluation = Evaluation(cases, data_name, name, STRATA[family.series_kind], (), sources)
    report, text, written = write_report(evaluation, run.out, version=version("agatha"))
    return report.data_name, text, written


def _run_detection(family: Family, run: CohortRun, name: str, console: Console) -> tuple[str, str, list[Path]]:
    """The same of a cohort in which calcium is only looked for."""
    rows, data_name = _rows(family, run, f"detection-{run.variant}.jsonl", _run_detection_member, console)
    known = [field.name for field in fields(DetectionRecord)]
    records = [DetectionRecord(**{key: row[key] for key in known}) for row in rows]
    text = to_detection_markdown(detection_report(records, data_name))
    path = run.out / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    return data_name, text, [path]


def _rows(
    family: Family, run: CohortRun, log: str, run_member: Callable[..., dict[str, Any]], console: Console
) -> tuple[list[dict[str, Any]], str]:
    """The cases of a cohort and its name; cases that are in the folder are not run again."""
    last_seed = run.first_seed + run.patients - 1
    rows = run_logged(
        {member.case_id: member for member in cohort(run.first_seed, last_seed, run.variant)},
        partial(run_member, analysis=family.name),
        run.out / log,
        model_sha256=model_sha256(family),
        workers=run.workers,
        console=console,
    )
    name = f"virtual patients, {run.variant} generator, n = {len(rows)}, seeds {run.first_seed}-{last_seed}"
    return list(rows.values()), name


def _run_member(member: CohortMember, analysis: str) -> dict[str, Any]:
    """In a worker process: one scored case, as one line of the log."""
    family, runtime = family_named(analysis), worker_runtime()
    asked = None if family.second_opinion is None else family_named(family.second_opinion)
    detector = None if asked is None else (asked, runtime.sessions(asked))
    return to_row(run_case(member, family, runtime.sessions(family), detector))


def _run_detection_member(member: CohortMember, analysis: str) -> dict[str, Any]:
    """In a worker process: one case in which calcium is looked for, as one line of the log."""
    family = family_named(analysis)
    return asdict(run_detection(member, family, worker_runtime().sessions(family)))
