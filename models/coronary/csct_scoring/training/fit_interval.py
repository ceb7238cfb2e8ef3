"""Fit what the interval of a score rests on: the constants of ``coronary.csct_scoring.score_range``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from coronary.evaluation.case_rows import case_of
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
    cases = [case_of(json.loads(line)) for line in lines]
    print(fit_calibration(cases, arguments.name))
    coverage = interval_coverage(cross_validated(cases))
    assert coverage is not None
    print(
        f"of patients left out: {proportion_text(coverage.with_calcium)} with a score above 0, "
        f"{proportion_text(coverage.overall)} of all, median width {coverage.median_width:.0f}"
    )


if __name__ == "__main__":
    main()
