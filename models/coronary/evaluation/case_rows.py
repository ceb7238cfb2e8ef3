"""Cases of a cohort as plain values: one line of a log each, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coronary.calcium import VesselValues
from coronary.evaluation.cohort import CaseRecord, Scores


def to_row(case: CaseRecord) -> dict[str, Any]:
    """The case, without its name, as values that JSON keeps."""
    return {
        "true": case.true.as_dict(),
        "predicted": _as_dict(case.predicted),
        "refusal": case.refusal,
        "is_flagged": case.is_flagged,
        "covariates": dict(case.covariates),
        "true_volume_mm3": _as_dict(case.true_volume_mm3),
        "predicted_volume_mm3": _as_dict(case.predicted_volume_mm3),
        "notes": list(case.notes),
        "measures": dict(case.measures),
    }


def case_of(row: Mapping[str, Any]) -> CaseRecord:
    """The case of a row, which has its name as ``case_id``."""
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


def _as_dict(values: Scores | None) -> dict[str, float] | None:
    return None if values is None else values.as_dict()


def _values(values: dict[str, float] | None) -> VesselValues | None:
    return None if values is None else VesselValues(**values)
