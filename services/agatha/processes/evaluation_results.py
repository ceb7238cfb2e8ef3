"""Our side of an evaluation from the database: the scores of a reference's studies, refusals as refusals.

Decides which result of a study counts (the rule of `agatha.store.paired_scores`) and what a study without one is. Reads
only; of a patient nothing but the keys of studies leaves the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agatha.processes.evaluation_tables import (
    CASE_ID,
    SCORE_COLUMNS,
    TOTAL,
    Comparison,
    LeftOut,
    Row,
    by_key,
    read_rows,
)
from agatha.processes.settings import ConfigurationError
from agatha.store.database import Database
from agatha.store.paired_scores import agatston_of, current_score, latest_results
from agatha.store.records import ResultRecord, StudyRecord
from agatha.store.units_of_work import Reading
from coronary.evaluation.cohort import CaseRecord
from coronary.evaluation.interval_coverage import INTERVAL_HIGH, INTERVAL_LOW
from coronary.reasons import NEEDS_READING

STUDY_INSTANCE_UID: Final = "study_instance_uid"
ACCESSION_NUMBER: Final = "accession_number"

#: Covariate that says which network scored the case.
MODEL: Final = "model"

#: What a reference may name a study by; the first that it has is used.
STUDY_KEYS: Final = (STUDY_INSTANCE_UID, ACCESSION_NUMBER)


def compare_results(database: Database, reference: Path, analysis: str) -> Comparison:
    """Set the results of an analysis beside a reference.

    Columns of the reference: ``study_instance_uid`` or ``accession_number``, ``total``, all or none of ``LM``, ``LAD``,
    ``LCX``, ``RCA``, and optionally ``case_id``, which then names the cases in the report. Any other column is a
    covariate.

    Raises
    ------
    ConfigurationError
        If the file cannot be read so, or one accession number names two studies.
    StoreError
        If the database does not answer.
    """
    rows = read_rows(reference, (TOTAL,))
    present = rows[0].cells if rows else {}
    key_column = next((name for name in STUDY_KEYS if name in present), None)
    if key_column is None:
        raise ConfigurationError(f"{reference.name}, line 1: expected a column {' or '.join(STUDY_KEYS)}, and a case")
    name_column = CASE_ID if CASE_ID in present else key_column
    by_key(rows, name_column)
    comparison = Comparison([], [])
    seen = set()
    with database.reading() as tx:
        for key, row in by_key(rows, key_column).items():
            name, study = row.text(name_column), _study(tx, key_column, key, row)
            if study is None:
                comparison.left_out.append(LeftOut(name, "not in the database"))
                row.scores()
                continue
            seen.add(study.study_instance_uid)
            outcome = _case(tx, study, name, row, analysis)
            if isinstance(outcome, CaseRecord):
                comparison.cases.append(outcome)
            else:
                comparison.left_out.append(outcome)
        comparison.left_out.extend(
            LeftOut(getattr(study, key_column) or study.study_instance_uid, f"not in {reference.name}")
            for study in tx.studies_with_results(analysis)
            if study.study_instance_uid not in seen
        )
    return comparison


def _study(tx: Reading, key_column: str, key: str, row: Row) -> StudyRecord | None:
    if key_column == STUDY_INSTANCE_UID:
        return tx.study(key)
    found = tx.find_studies(accession_number=key, limit=2).items
    if len(found) > 1:
        raise ConfigurationError(
            f"{row.where}: accession number {key} names more than one study; use a column {STUDY_INSTANCE_UID}"
        )
    return found[0] if found else None


def _case(tx: Reading, study: StudyRecord, name: str, row: Row, analysis: str) -> CaseRecord | LeftOut:
    true = row.scores()
    covariates = row.others((*STUDY_KEYS, CASE_ID, *SCORE_COLUMNS))
    results = tx.results_of_study(study.study_instance_uid)
    scored = current_score(results, analysis)
    if scored is None:
        code = _refusal(results, analysis)
        if not code:
            return LeftOut(name, f"no result of {analysis} (state of the study: {study.state})")
        return CaseRecord(name, true, None, refusal=code, covariates=covariates)
    model = scored.document.get("model") or {}
    return CaseRecord(
        name,
        true,
        agatston_of(scored.document),
        is_flagged=any(note["code"] in NEEDS_READING for note in scored.document.get("quality", ())),
        covariates=covariates
        | {MODEL: f"{model.get('name')} {model.get('version')}", "provisional": "yes" if scored.provisional else "no"},
        notes=tuple(note["code"] for note in scored.document.get("quality", ())),
        measures=_interval(scored.document),
    )


def _interval(document: Mapping[str, Any]) -> dict[str, float]:
    """Limits of the score as a case has them; nothing where the result has none."""
    found = (document.get("calcium") or {}).get("interval")
    return {} if found is None else {INTERVAL_LOW: float(found["low"]), INTERVAL_HIGH: float(found["high"])}


def _refusal(results: list[ResultRecord], analysis: str) -> str:
    """Code of the newest refusal or failure of the analysis; empty where there is no result of it."""
    said = [result for result in latest_results(results) if result.analysis == analysis]
    newest = max(said, key=lambda result: result.id, default=None)
    return "" if newest is None else str((newest.document.get("reason") or {}).get("code") or newest.state.upper())
