"""`agatha evaluate`: agreement of scores with a reference, from tables or from the database.

Decides where both sides come from; the statistics are ``coronary.evaluation``, the files `evaluation_report`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markdown import Markdown

from agatha.processes.evaluation_report import Evaluation, write_report
from agatha.processes.evaluation_results import MODEL, compare_results
from agatha.processes.evaluation_tables import join_tables, read_comparison
from agatha.processes.settings import ConfigurationError, Settings
from agatha.processes.store_wiring import open_store, schema_problem

OK: Final = 0


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
