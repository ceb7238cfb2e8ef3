"""Small calcium scores that a busy machine analyses in seconds: one calcified lesion, no bone, an identity each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread

from builders.ct_series import build_ct_series, set_hu, stored_values

CANARY = "CANARY^PHI"


def small_study(folder: Path, *, slices: int = 30, **options: Any) -> tuple[str, list[Path]]:
    """Write a study; returns its UID and the files from foot to head."""
    identity = {"PatientName": CANARY, "PatientID": "CANARY-ID", "AccessionNumber": "CANARY-ACC"}
    paths = build_ct_series(folder, slices=slices, rows=320, change=_without_bone, **(identity | options))
    headers = {path: dcmread(path, stop_before_pixels=True) for path in paths}
    paths.sort(key=lambda path: float(headers[path].ImagePositionPatient[2]))
    return str(headers[paths[0]].StudyInstanceUID), paths


def _without_bone(datasets: list[Dataset]) -> list[Dataset]:
    """Leave only the artery above 130 HU: the network is run on the slices that hold such voxels."""
    for dataset in datasets:
        hu = stored_values(dataset) + int(dataset.RescaleIntercept)
        rows = hu.shape[0]
        anterior = np.arange(rows)[:, None] < rows // 2
        set_hu(dataset, np.where((hu > 100) & ~anterior, 60, hu))
    return datasets
