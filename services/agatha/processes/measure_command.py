"""`agatha analyze --region`: objects in a phantom measured one by one. No patient: no vessels, no risk, no network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agatha.assemble import assemble_series
from agatha.dicom.ct_series import AssembledSeries
from agatha.processes.dicom_files import dicom_files, group_by_series
from agatha.processes.insert_truth import InsertTruth, MeasuredInsert, insert_table, measure_inserts
from agatha.processes.settings import ConfigurationError
from coronary.calcium import LesionMeasurement, MassCalibration, measure_lesions
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume
from coronary.imaging.heart_region import find_heart_region

OK, REFUSED = 0, 3

#: Radius of the region "heart", mm: the hearts of the virtual patients and the insert of the QRM phantom fit in.
HEART_RADIUS_MM: Final = 60.0


@dataclass(frozen=True, slots=True)
class Region:
    """A cylinder along the slices' normal ("heart"), or a sphere; LPS mm."""

    name: str
    center_lps_mm: tuple[float, float, float]
    radius_mm: float
    is_cylinder: bool

    def mask(self, volume: CtVolume) -> NDArray[np.bool_]:
        """Voxels whose centre lies inside; shape of the volume."""
        planes, rows, columns = (np.arange(n, dtype=np.float64) for n in volume.voxels_hu.shape)
        spacing = np.asarray(volume.spacing_zyx_mm)
        center = volume.to_index_zyx(np.asarray(self.center_lps_mm))
        z, y, x = (
            (axis - middle) * step for axis, middle, step in zip((planes, rows, columns), center, spacing, strict=True)
        )
        along = np.zeros_like(z) if self.is_cylinder else z
        return np.asarray(
            along[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2 <= self.radius_mm**2
        )


def check_flags(
    has_regions: bool, mass_factor: float | None, *, of_regions: Mapping[str, object], of_patients: Mapping[str, object]
) -> None:
    """Refuse flags that would have no effect, and a mass factor that gives no mass.

    Parameters
    ----------
    of_regions, of_patients
        Flag and its value, None or an empty list where it was not given: those that need --region, and those that
        cannot go with it.

    Raises
    ------
    ConfigurationError
        Names the flags.
    """
    idle = [flag for flag, value in (of_patients if has_regions else of_regions).items() if value not in (None, [])]
    if idle:
        why = "has no effect with --region, which writes and scores nothing" if has_regions else "needs --region"
        raise ConfigurationError(f"{', '.join(idle)}: {why}")
    if mass_factor is not None and not (math.isfinite(mass_factor) and mass_factor > 0):
        raise ConfigurationError(f"--mass-factor {mass_factor:g}: expected a positive number of mg/(HU cm³)")


def measure_regions(
    path: Path,
    regions: Sequence[str],
    *,
    mass_factor: float | None,
    truth: InsertTruth | None,
    as_json: bool,
    console: Console,
) -> int:
    """Measure every object of at least 130 HU in the regions, in every series below `path`.

    Parameters
    ----------
    regions
        ``x,y,z,radius`` in LPS mm, or ``heart``.
    mass_factor
        mg/(HU cm³); None takes that of the truth file, else the scanner's own (0018,9351), and without one there is
        no mass.
    truth
        Inserts to print the measurements beside.

    Returns
    -------
    int
        0, or 3 when no series could be assembled.

    Raises
    ------
    ConfigurationError
        When there is no series, or no series has a voxel in one of the regions.
    """
    paths, _ = dicom_files(path)
    series, _ = group_by_series(paths)
    if not series:
        raise ConfigurationError(f"{path}: no readable DICOM series")
    documents: list[dict[str, object]] = []
    spans: list[str] = []
    found: set[str] = set()
    for files in series:
        assembled = assemble_series(files.paths)
        document: dict[str, object] = {"series_instance_uid": files.series_instance_uid}
        if isinstance(assembled, Refusal):
            document["reason"] = {"code": assembled.code, "text": assembled.text}
        else:
            calibration = mass_calibration(assembled, mass_factor, truth)
            document["mass_calibration"] = None if calibration is None else asdict(calibration)
            chosen = {written: read_region(written, assembled.volume) for written in regions}
            document["regions"] = [_measured(assembled.volume, each, calibration, truth) for each in chosen.values()]
            found.update(written for written, each in chosen.items() if each.mask(assembled.volume).any())
            spans.append(_span_lps_mm(assembled.volume))
        documents.append(document)
    outside = [written for written in regions if written not in found]
    if spans and outside:
        raise ConfigurationError(
            f"--region {outside[0]}: no voxel lies in it; LPS mm of the series: {'; '.join(spans)}"
        )
    if as_json:
        print(json.dumps({"series": documents}, indent=2))
    else:
        for document in documents:
            _print(document, console)
    return OK if any("regions" in document for document in documents) else REFUSED


def read_region(written: str, volume: CtVolume) -> Region:
    """Read a region as written on the command line.

    Raises
    ------
    ConfigurationError
        When it is neither ``heart`` nor four numbers with a positive radius.
    """
    if written == "heart":
        return Region("heart", find_heart_region(volume).center_lps_mm, HEART_RADIUS_MM, is_cylinder=True)
    try:
        x, y, z, radius = (float(part) for part in written.split(","))
    except ValueError as exc:
        raise ConfigurationError(f"--region {written}: expected x,y,z,radius in mm, or heart") from exc
    if not radius > 0:
        raise ConfigurationError(f"--region {written}: the radius is {radius:g} mm, expected a positive number")
    return Region(written, (x, y, z), radius, is_cylinder=False)


def _span_lps_mm(volume: CtVolume) -> str:
    """Between which positions the voxel centres lie."""
    corners = volume.to_lps_mm(np.array(list(product(*((0.0, n - 1.0) for n in volume.voxels_hu.shape)))))
    ends = zip("xyz", corners.min(axis=0), corners.max(axis=0), strict=True)
    return ", ".join(f"{axis} {low:.0f} to {high:.0f}" for axis, low, high in ends)


def mass_calibration(
    assembled: AssembledSeries, mass_factor: float | None, truth: InsertTruth | None
) -> MassCalibration | None:
    """The factor given, else that of the truth file, else the scanner's own, else None: then no mass is printed."""
    if mass_factor is not None:
        return MassCalibration(mass_factor, "given on the command line")
    if truth is not None:
        return truth.calibration
    if assembled.facts.calcium_mass_factor is None:
        return None
    return MassCalibration(assembled.facts.calcium_mass_factor, assembled.facts.calcium_mass_factor_source)


def _measured(
    volume: CtVolume, region: Region, calibration: MassCalibration | None, truth: InsertTruth | None
) -> dict[str, object]:
    objects = measure_lesions(
        volume.voxels_hu,
        region.mask(volume),
        volume.spacing_zyx_mm,
        volume.affine_lps,
        mass_calibration=calibration,
    )
    return {
        "region": region.name,
        "center_lps_mm": [round(value, 1) for value in region.center_lps_mm],
        "radius_mm": region.radius_mm,
        "objects": [asdict(item) for item in objects],
        "inserts": [row.as_json() for row in measure_inserts(volume, objects, truth)] if truth is not None else [],
    }


def _print(document: dict[str, object], console: Console) -> None:
    reason = document.get("reason")
    if isinstance(reason, dict):
        console.print(f"refused: {reason['code']}: {reason['text']}")
        return
    regions = document["regions"]
    assert isinstance(regions, list)
    for region in regions:
        if region["inserts"]:
            console.print(insert_table([MeasuredInsert.from_json(row) for row in region["inserts"]]))
            console.print(f"{len(region['objects'])} objects from 130 HU in region {region['region']}")
            continue
        table = Table(title=f"region {region['region']}", title_justify="left")
        for name in ("object", "volume mm³", "mass mg", "Agatston", "peak HU", "mean HU", "centre LPS mm"):
            table.add_column(name, justify="right")
        for item in region["objects"]:
            table.add_row(*_row(LesionMeasurement(**item)))
        console.print(table)


def _row(item: LesionMeasurement) -> tuple[str, ...]:
    return (
        str(item.label),
        f"{item.volume_mm3:.1f}",
        "–" if item.mass_mg is None else f"{item.mass_mg:.2f}",
        "–" if item.agatston is None else f"{item.agatston:.1f}",
        f"{item.peak_hu:.0f}",
        f"{item.mean_hu:.0f}",
        ", ".join(f"{value:.1f}" for value in item.center_lps_mm),
    )
