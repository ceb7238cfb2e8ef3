"""Fit what the interval of a score rests on: the constants of ``coronary.csct_scoring.score_range``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from coronary.calcium import VesselValues
from coronary.evaluation.cohort import CaseRecord
from coronary.evaluation.figure_text import proportion_text
from coronary.evaluation.interval_coverage import cross_validated, fit_calibration, interval_coverage


def main() -> None:
    """Print the calibration of a cohort: ``python -m coronary.csct_scoring.training.fit_interval cases.jsonl NAME``.

    The cases are those of ``agatha evaluate cohort csct-scoring``, of patients that are in no test.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("cases", type=Path, help="cases-standard.jsonl")
    parser.add_argument("name", help='what they are, e.g. "virtual patients, n = 120, seeds 930001-930120"')
    arguments = parser.parse_args()
    lines = arguments.cases.read_text("utf-8").splitlines()
    cases = [_case(json.loads(line)) for line in lines]
    print(fit_calibration(cases, arguments.name))
    coverage = interval_coverage(cross_validated(cases))
    assert coverage is not None
    print(
        f"of patients left out: {proportion_text(coverage.with_calcium)} with a score above 0, "
        f"{proportion_text(coverage.overall)} of all, median width {coverage.median_width:.0f}"
    )


def _case(row: dict[str, object]) -> CaseRecord:
    predicted = row["predicted"]
    return CaseRecord(
        case_id=str(row["case_id"]),
        true=VesselValues(**row["true"]),  # type: ignore[arg-type]
        predicted=None if predicted is None else VesselValues(**predicted),  # type: ignore[arg-type]
        refusal=str(row["refusal"]),
        measures=row["measures"],  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()
