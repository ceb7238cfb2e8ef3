"""Scores of cases from CSV files: one table with both sides, or ours and a reference joined on the case.

Decides what a table may look like and which cases are compared. A reference has the columns of all vessels or of none:
an absent column is a decision, an empty cell a gap. A case that only one file has is listed with the reason, never
dropped; what cannot be read is an error that names file and line.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agatha.processes.settings import ConfigurationError
from coronary.calcium import Vessel, VesselValues
from coronary.evaluation.cohort import CaseRecord, Scores, TotalOnly

CASE_ID: Final = "case_id"
REFUSAL: Final = "refusal"
NEEDS_READING: Final = "needs_reading"
TOTAL: Final = "total"
VESSEL_COLUMNS: Final = tuple(vessel.name for vessel in Vessel)
SCORE_COLUMNS: Final = (TOTAL, *VESSEL_COLUMNS)
TRUE, PREDICTED = "true_", "predicted_"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its cells by column, stripped, and where it stands ("scores.csv, line 4")."""

    cells: Mapping[str, str]
    where: str
    #: A table with semicolons comes from a place where the decimal sign is a comma.
    has_decimal_commas: bool

    def text(self, column: str) -> str:
        """Return a cell that must not be empty."""
        if not self.cells[column]:
            raise ConfigurationError(f"{self.where}: column {column} is empty")
        return self.cells[column]

    def score(self, column: str) -> float:
        """Return a cell that must be a finite number of at least 0."""
        text = self.cells[column]
        try:
            value = float(text.replace(",", ".") if self.has_decimal_commas else text)
        except ValueError:
            raise ConfigurationError(f"{self.where}: column {column} is {text!r}, expected a number") from None
        if not math.isfinite(value) or value < 0:
            raise ConfigurationError(f"{self.where}: column {column} is {text!r}, expected a finite number from 0")
        return value

    def scores(self, prefix: str = "") -> Scores:
        """Return the total, and the vessels where the table has their columns; these begin with `prefix`."""
        total = self.score(prefix + TOTAL)
        if prefix + VESSEL_COLUMNS[0] not in self.cells:
            return TotalOnly(total)
        return VesselValues(total, **{name: self.score(prefix + name) for name in VESSEL_COLUMNS})

    def others(self, known: Iterable[str]) -> dict[str, str]:
        """Return the cells of all columns but those known: what strata may be made of."""
        known = frozenset(known)
        return {name: text for name, text in self.cells.items() if name not in known and text}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One case that is not compared, and why."""

    case_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cases with both sides, and what was left out."""

    cases: list[CaseRecord]
    left_out: list[LeftOut]


def read_rows(path: Path, columns: Iterable[str], all_or_none: Sequence[str] = VESSEL_COLUMNS) -> list[Row]:
    """Read a CSV file with a heading; comma or semicolon separates, as in the heading.

    Raises
    ------
    ConfigurationError
        If it is no UTF-8 text, one of `columns` is missing, or only some of `all_or_none` are (or are written in
        another case), or a line has more cells than the heading.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"{path.name} is not UTF-8 text: {exc.reason}") from exc
    heading = lines[0] if lines else ""
    delimiter = ";" if heading.count(";") > heading.count(",") else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    missing = [name for name in columns if name not in names]
    if missing:
        raise ConfigurationError(f"{path.name}, line 1: column {', '.join(missing)} is missing")
    absent = [name for name in all_or_none if name not in names]
    if absent and {name.lower() for name in names} & {name.lower() for name in all_or_none}:
        raise ConfigurationError(
            f"{path.name}, line 1: column {', '.join(absent)} is missing; expected all or none of "
            f"{', '.join(all_or_none)}"
        )
    rows = []
    for cells in reader:
        where = f"{path.name}, line {reader.line_num}"
        if None in cells:
            raise ConfigurationError(f"{where}: more cells than the {len(names)} of the heading")
        stripped = {name: (text or "").strip() for name, text in cells.items()}
        rows.append(Row(stripped, where, delimiter == ";"))
    return rows


def by_key(rows: Iterable[Row], column: str) -> dict[str, Row]:
    """Return the rows by the value of a column; ConfigurationError where it is empty or occurs twice."""
    found: dict[str, Row] = {}
    for row in rows:
        key = row.text(column)
        if key in found:
            raise ConfigurationError(f"{row.where}: {column} {key} is there already ({found[key].where})")
        found[key] = row
    return found


def read_comparison(table: Path) -> Comparison:
    """Read one table with both sides.

    Columns: ``case_id``, ``true_total``, ``predicted_total``; all or none of ``true_LM``, ``true_LAD``, ``true_LCX``,
    ``true_RCA`` and the same with ``predicted_``; and optionally ``refusal`` (a code; then the predicted columns stay
    empty) and ``needs_reading`` (yes). Any other column is taken as a covariate.
    """
    totals = (TRUE + TOTAL, PREDICTED + TOTAL)
    vessels = [side + name for side in (TRUE, PREDICTED) for name in VESSEL_COLUMNS]
    rows = by_key(read_rows(table, (CASE_ID, *totals), vessels), CASE_ID)
    known = (CASE_ID, *totals, *vessels, REFUSAL, NEEDS_READING)
    return Comparison(
        [_case(key, row.scores(TRUE), row, PREDICTED, row.others(known)) for key, row in rows.items()], []
    )


def join_tables(ours: Path, reference: Path) -> Comparison:
    """Join our scores and those of a reference on ``case_id``.

    Columns of both: ``case_id``, ``total``, and all or none of ``LM``, ``LAD``, ``LCX``, ``RCA``; ours has the vessels
    where the reference has them, and optionally ``refusal`` and ``needs_reading`` as above. Any other column is taken
    as a covariate; where both have it, ours counts.
    """
    reference_rows = by_key(read_rows(reference, (CASE_ID, TOTAL)), CASE_ID)
    true = {key: row.scores() for key, row in reference_rows.items()}
    compared = next((tuple(scores.as_dict()) for scores in true.values()), SCORE_COLUMNS)
    our_rows = by_key(read_rows(ours, (CASE_ID, *compared)), CASE_ID)
    columns = (CASE_ID, *SCORE_COLUMNS)
    known = (*columns, REFUSAL, NEEDS_READING)
    cases = [
        _case(key, true[key], row, "", reference_rows[key].others(columns) | row.others(known))
        for key, row in our_rows.items()
        if key in true
    ]
    left_out = [LeftOut(key, f"not in {reference.name}") for key in our_rows if key not in true]
    left_out += [LeftOut(key, f"not in {ours.name}") for key in true if key not in our_rows]
    return Comparison(cases, left_out)


def _case(case_id: str, true: Scores, row: Row, prefix: str, covariates: Mapping[str, str]) -> CaseRecord:
    refusal = row.cells.get(REFUSAL, "")
    scored = [name for name in SCORE_COLUMNS if row.cells.get(prefix + name)]
    if refusal and scored:
        raise ConfigurationError(f"{row.where}: a refused case has a score in column {prefix}{scored[0]}")
    return CaseRecord(
        case_id=case_id,
        true=true,
        predicted=None if refusal else row.scores(prefix),
        refusal=refusal,
        is_flagged=not refusal and row.cells.get(NEEDS_READING, "").lower() in {"yes", "true", "1"},
        covariates=covariates,
    )
