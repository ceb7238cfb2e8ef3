"""`agatha evaluate`: agreement of scores with a reference, for virtual patients, from tables or from the database.

Decides how a cohort is run (resumable, one line a case) and what its report is named; the statistics are
``coronary.evaluation``, the files `evaluation_report`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markdown import Markdown

from agatha.processes.case_log import run_logged, worker_runtime
from agatha.processes.evaluation_report import Evaluation, write_report
from agatha.processes.evaluation_results import MODEL, compare_results
from agatha.processes.evaluation_tables import join_tables, read_comparison
from agatha.processes.settings import ConfigurationError, Settings
from agatha.processes.store_wiring import open_store, schema_problem
from coronary.calcium import VesselValues
from coronary.contract import SeriesKind
from coronary.evaluation.cohort import CaseRecord, Scores
from coronary.evaluation.virtual_cohort import CohortMember, Variant, cohort, run_case
from coronary.registry import family_named, manifest_of, model_sha256

OK: Final = 0

#: What the virtual cohort is also reported by, per kind of series: the acquisition, and whether there is calcium.
STRATA: Final[dict[SeriesKind, tuple[str, ...]]] = {
    "csct": ("slice_thickness_mm", "calcium"),
    "ccta": ("kvp", "calcium"),
}


def evaluate_virtual_patients(
    first_seed: int,
    last_seed: int,
    variant: Variant,
    out: Path,
    *,
    analysis: str,
    workers: int,
    as_json: bool,
    console: Console,
) -> int:
    """Run a cohort of virtual patients and report the agreement with their truth.

    Each case is one line of ``cases-<variant>.jsonl`` in `out`, tagged with the model's hash; cases that are there
    already are not run again, so an interrupted run goes on where it stopped.

    Raises
    ------
    ConfigurationError
        If the last seed lies before the first.
    """
    if last_seed < first_seed:
        raise ConfigurationError(f"the last seed {last_seed} lies before the first, {first_seed}")
    rows = run_logged(
        {member.case_id: member for member in cohort(first_seed, last_seed, variant)},
        partial(_run_member, analysis=analysis),
        out / f"cases-{variant}.jsonl",
        model_sha256=model_sha256(family_named(analysis)),
        workers=workers,
        console=console,
    )
    cases = [_case(row) for row in rows.values()]
    name = f"virtual patients, {variant} generator, n = {len(cases)}, seeds {first_seed}-{last_seed}"
    family = family_named(analysis)
    manifest = manifest_of(family)
    sources = {
        "scores": analysis,
        "reference": "the exact truth of the generator",
        "model": f"{manifest.name} {manifest.version}, SHA-256 {model_sha256(family)}",
    }
    evaluation = Evaluation(cases, name, f"{analysis}-{variant}", STRATA[family.series_kind], (), sources)
    return _report(evaluation, out, as_json=as_json, console=console)


def evaluate_table(
    table: Path,
    reference: Path | None,
    out: Path,
    *,
    data_name: str,
    strata: Sequence[str],
    as_json: bool,
    console: Console,
) -> int:
    """Report the agreement of one CSV table with both sides, or of two that are joined (`evaluation_tables`).

    Raises
    ------
    ConfigurationError
        If a table cannot be read; names file and line.
    """
    comparison = read_comparison(table) if reference is None else join_tables(table, reference)
    sources = {"scores": table.name, "reference": table.name if reference is None else reference.name}
    return _report(
        Evaluation(comparison.cases, data_name, table.stem, strata, comparison.left_out, sources),
        out,
        as_json=as_json,
        console=console,
    )


def evaluate_results(
    settings: Settings,
    reference: Path,
    out: Path,
    *,
    analysis: str,
    data_name: str | None,
    strata: Sequence[str],
    as_json: bool,
    console: Console,
) -> int:
    """Report the agreement of the results in the database with a CSV reference (`evaluation_results`).

    Raises
    ------
    ConfigurationError
        If the reference cannot be read; names file and line.
    StoreError
        If the database cannot be read.
    """
    problem = schema_problem(settings)
    if problem is not None:
        raise ConfigurationError(problem)
    database, _ = open_store(settings)
    try:
        comparison = compare_results(database, reference, analysis)
    finally:
        database.close()
    models = sorted({str(case.covariates[MODEL]) for case in comparison.cases if MODEL in case.covariates})
    sources = {"scores": f"results of {analysis} in the database", "reference": reference.name}
    return _report(
        Evaluation(
            comparison.cases,
            data_name or f"studies of {reference.name}",
            analysis,
            strata,
            comparison.left_out,
            sources | {"model": ", ".join(models)},
        ),
        out,
        as_json=as_json,
        console=console,
    )


def _report(evaluation: Evaluation, out: Path, *, as_json: bool, console: Console) -> int:
    report, text, written = write_report(evaluation, out, version=version("agatha"))
    if as_json:
        summary = {"data": report.data_name, "n": report.n_cases, "left_out": len(evaluation.left_out)}
        print(json.dumps(summary | {"files": [str(path) for path in written]}))
        return OK
    console.print(Markdown(text))
    for left_out in evaluation.left_out:
        console.print(f"left out: {left_out.case_id} ({left_out.why})", highlight=False, markup=False)
    for path in written:
        console.print(f"wrote {path}")
    return OK


def _run_member(member: CohortMember, analysis: str) -> dict[str, Any]:
    """In a worker process: one case, as one line of the log."""
    family = family_named(analysis)
    case = run_case(member, family, worker_runtime().sessions(family))
    return {
        "true": case.true.as_dict(),
        "predicted": _values_json(case.predicted),
        "refusal": case.refusal,
        "is_flagged": case.is_flagged,
        "covariates": dict(case.covariates),
        "true_volume_mm3": _values_json(case.true_volume_mm3),
        "predicted_volume_mm3": _values_json(case.predicted_volume_mm3),
        "notes": list(case.notes),
        "measures": dict(case.measures),
    }


def _values_json(values: Scores | None) -> dict[str, float] | None:
    return None if values is None else values.as_dict()


def _values(values: dict[str, float] | None) -> VesselValues | None:
    return None if values is None else VesselValues(**values)


def _case(row: dict[str, Any]) -> CaseRecord:
    return CaseRecord(
        case_id=row["case_id"],
        true=VesselValues(**row["true"]),
        predicted=_values(row["predicted"]),
        refusal=row["refusal"],
        is_flagged=row["is_flagged"],
        covariates=row["covariates"],
        true_volume_mm3=_values(row.get("true_volume_mm3")),
        predicted_volume_mm3=_values(row.get("predicted_volume_mm3")),
        notes=tuple(row.get("notes", ())),
        measures=row.get("measures", {}),
    )
