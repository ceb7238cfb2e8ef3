"""`agatha evaluate`: agreement of scores with a reference, for virtual patients or from a table.

Decides how a cohort is run (resumable, one line a case) and how its report is written; the statistics are
``coronary.evaluation``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markdown import Markdown

from agatha.processes.case_log import run_logged, worker_runtime
from agatha.processes.settings import ConfigurationError
from coronary.calcium import VesselValues
from coronary.contract import SeriesKind
from coronary.evaluation.cohort import AgreementReport, CaseRecord, agreement_report
from coronary.evaluation.cohort_markdown import to_markdown
from coronary.evaluation.paired_markdown import to_paired_markdown
from coronary.evaluation.virtual_cohort import CohortMember, Variant, cohort, run_case
from coronary.registry import family_named, model_sha256

OK: Final = 0

#: What the virtual cohort is also reported by, per kind of series: the acquisition, and whether there is calcium.
STRATA: Final[dict[SeriesKind, tuple[str, ...]]] = {
    "csct": ("slice_thickness_mm", "calcium"),
    "ccta": ("kvp", "calcium"),
}

VESSEL_COLUMNS: Final = ("total", "LM", "LAD", "LCX", "RCA")


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
    """
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
    strata = STRATA[family_named(analysis).series_kind]
    return _report(cases, name, out, f"{analysis}-{variant}", strata, as_json=as_json, console=console)


def evaluate_table(table: Path, out: Path, *, data_name: str, as_json: bool, console: Console) -> int:
    """Report the agreement of a CSV table.

    Columns: ``case_id``, ``true_total``, ``true_LM``, ``true_LAD``, ``true_LCX``, ``true_RCA``, the same with
    ``predicted_``, and optionally ``refusal`` (a code; then the predicted columns stay empty). Any other column is
    taken as a covariate.

    Raises
    ------
    ConfigurationError
        If a column is missing or a value is not a number; names the line.
    """
    with table.open(newline="", encoding="utf-8-sig") as file:
        cases = [_case_of_row(row, number) for number, row in enumerate(csv.DictReader(file), start=2)]
    out.mkdir(parents=True, exist_ok=True)
    return _report(cases, data_name, out, table.stem, (), as_json=as_json, console=console)


def _report(
    cases: list[CaseRecord],
    data_name: str,
    out: Path,
    stem: str,
    strata: Iterable[str],
    *,
    as_json: bool,
    console: Console,
) -> int:
    try:
        report = agreement_report(cases, data_name=data_name, strata=tuple(strata))
    except ValueError as exc:
        raise ConfigurationError(str(exc)) from exc
    text = to_markdown(report)
    if any(case.predicted_volume_mm3 is not None for case in cases):
        text += "\n" + to_paired_markdown(cases, data_name=data_name)
    (out / f"{stem}.md").write_text(text, encoding="utf-8")
    written = [out / f"{stem}.md", *_plots(cases, report, out / stem)]
    if as_json:
        print(json.dumps({"data": data_name, "n": report.n_cases, "files": [str(path) for path in written]}))
    else:
        console.print(Markdown(text))
        for path in written:
            console.print(f"wrote {path}")
    return OK


def _plots(cases: list[CaseRecord], report: AgreementReport, stem: Path) -> list[Path]:
    """Scatter and Bland-Altman plot of the score, and of the volume if compared, where matplotlib is installed."""
    from coronary.evaluation.plots import plot_agreement

    scores = [(case.true.total, case.predicted.total) for case in cases if case.predicted is not None]
    volumes = [
        (case.true_volume_mm3.total, case.predicted_volume_mm3.total)
        for case in cases
        if case.true_volume_mm3 is not None and case.predicted_volume_mm3 is not None
    ]
    written: list[Path] = []
    for name, quantity, pairs in (("", report.quantity, scores), ("-volume", "volume, mm³", volumes)):
        if not pairs:
            continue
        true, predicted = zip(*pairs, strict=True)
        try:
            figure = plot_agreement(true, predicted, quantity=quantity, data_name=report.data_name)
        except ImportError:
            return []
        path = stem.with_name(f"{stem.name}{name}.png")
        figure.savefig(path, dpi=110)
        written.append(path)
    return written


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


def _values_json(values: VesselValues | None) -> dict[str, float] | None:
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


def _case_of_row(row: dict[str, str], number: int) -> CaseRecord:
    refusal = (row.get("refusal") or "").strip()
    try:
        true = VesselValues(**{name: float(row[f"true_{name}"]) for name in VESSEL_COLUMNS})
        predicted = (
            None if refusal else VesselValues(**{name: float(row[f"predicted_{name}"]) for name in VESSEL_COLUMNS})
        )
        case_id = row["case_id"]
    except KeyError as exc:
        raise ConfigurationError(f"line {number}: column {exc.args[0]} is missing") from exc
    except ValueError as exc:
        raise ConfigurationError(f"line {number}: {exc}") from exc
    return CaseRecord(case_id=case_id, true=true, predicted=predicted, refusal=refusal)
