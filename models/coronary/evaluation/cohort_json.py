"""The agreement report of a cohort as plain values: every figure, unrounded.

Decides names only: those of the dataclasses; vessels by their names, the confusion matrix as rows of the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from coronary.calcium import RISK_CATEGORIES
from coronary.evaluation.cohort import AgreementReport


def to_plain(report: AgreementReport) -> dict[str, Any]:
    """Return the report as dicts, lists, numbers and text that JSON can hold."""
    plain: dict[str, Any] = _plain(report)
    plain["risk_classes"]["classes"] = list(RISK_CATEGORIES)
    return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key.name if isinstance(key, Enum) else str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value
