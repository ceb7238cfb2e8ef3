"""`agatha phantom`: a virtual patient as a DICOM study with its truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from agatha.dicom.virtual_study import VirtualStudy, write_virtual_study
from coronary.virtual_patient import VirtualScan, draw_acquisition, draw_patient, render

ScanProtocol = Literal["csct", "ccta"]


def render_scans(
    seed: int,
    protocols: Sequence[ScanProtocol],
    *,
    kvp: int | None = None,
    variant: Literal["standard", "external"] = "standard",
    calcium: Literal["any", "none", "present"] = "any",
    distractors: bool | None = None,
) -> list[VirtualScan]:
    """Render the scans of one virtual patient, one per protocol; of a pair, `kvp` is the contrast scan's."""
    patient = draw_patient(seed, variant=variant, calcium=calcium, distractors=distractors)
    is_pair = len(protocols) > 1
    return [
        render(
            patient,
            draw_acquisition(seed, protocol, kvp=None if is_pair and protocol == "csct" else kvp, variant=variant),
        )
        for protocol in protocols
    ]


def write_phantom(
    out: Path,
    seed: int,
    protocol: Literal["csct", "ccta", "paired"],
    *,
    kvp: int | None,
    variant: Literal["standard", "external"],
    calcium: Literal["any", "none", "present"],
    distractors: bool | None,
    as_json: bool,
    console: Console,
) -> int:
    """Write one virtual patient into `out`; returns 0."""
    protocols: list[ScanProtocol] = ["csct", "ccta"] if protocol == "paired" else [protocol]
    with console.status(f"rendering virtual patient {seed} ({', '.join(protocols)})"):
        scans = render_scans(seed, protocols, kvp=kvp, variant=variant, calcium=calcium, distractors=distractors)
    with console.status("writing DICOM"):
        study = write_virtual_study(scans, out)
    if as_json:
        print(json.dumps(_as_json(study)))
    else:
        for name, paths in study.series.items():
            console.print(f"{name}: {len(paths)} instances in {paths[0].parent}")
        console.print(f"truth: {study.truth}")
    return 0


def _as_json(study: VirtualStudy) -> dict[str, object]:
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient_id": study.patient_id,
        "series": {name: [str(path) for path in paths] for name, paths in study.series.items()},
        "truth": str(study.truth),
    }
