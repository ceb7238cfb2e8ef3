"""Phantom inserts of known mass beside what is measured of them: `agatha analyze --truth`.

Decides which measured object is which insert (the one whose centre is nearest, within the insert's radius) and measures
a second mass without a threshold. Says nothing about a patient.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from agatha.processes.settings import ConfigurationError
from coronary.calcium import LesionMeasurement, MassCalibration, integrated_mass
from coronary.ct_volume import CtVolume

#: Thickness of the shell around an insert in which its background is measured, mm.
SHELL_MM: Final = 2.0


@dataclass(frozen=True, slots=True)
class Insert:
    """One insert as its maker describes it; `radius_mm` holds it with its blurred rim and nothing else."""

    name: str
    center_lps_mm: tuple[float, float, float]
    radius_mm: float
    volume_mm3: float
    mass_mg: float


@dataclass(frozen=True, slots=True)
class InsertTruth:
    """All inserts of a scan, and the mass calibration measured in it."""

    inserts: tuple[Insert, ...]
    calibration: MassCalibration


@dataclass(frozen=True, slots=True)
class MeasuredInsert:
    """An insert and what was found at its place; None where no object reaches the threshold."""

    insert: Insert
    found: LesionMeasurement | None
    integrated_mass_mg: float
    background_hu: float

    def as_json(self) -> dict[str, Any]:
        """As printed with --json."""
        return {
            "insert": asdict(self.insert),
            "object": None if self.found is None else asdict(self.found),
            "integrated_mass_mg": self.integrated_mass_mg,
            "background_hu": self.background_hu,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> MeasuredInsert:
        """Reverse of `as_json`."""
        found = document["object"]
        return cls(
            Insert(**document["insert"]),
            None if found is None else LesionMeasurement(**found),
            document["integrated_mass_mg"],
            document["background_hu"],
        )


def read_truth(path: Path) -> InsertTruth:
    """Read a truth file; ConfigurationError when something is missing in it."""
    try:
        document = json.loads(path.read_text("utf-8"))
        inserts = tuple(
            Insert(**{**entry, "center_lps_mm": tuple(entry["center_lps_mm"])}) for entry in document["inserts"]
        )
        calibration = MassCalibration(float(document["mass_factor_mg_per_hu_cm3"]), str(document["mass_factor_source"]))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"--truth {path}: not a truth file ({type(exc).__name__}: {exc})") from exc
    return InsertTruth(inserts, calibration)


def measure_inserts(
    volume: CtVolume, objects: Sequence[LesionMeasurement], truth: InsertTruth
) -> tuple[MeasuredInsert, ...]:
    """Find each insert among the objects and integrate its attenuation above the background around it."""
    return tuple(_measure(volume, objects, insert, truth.calibration) for insert in truth.inserts)


def _measure(
    volume: CtVolume, objects: Sequence[LesionMeasurement], insert: Insert, calibration: MassCalibration
) -> MeasuredInsert:
    distance_mm = distance_from(volume, insert.center_lps_mm)
    shell = (distance_mm > insert.radius_mm) & (distance_mm <= insert.radius_mm + SHELL_MM)
    background_hu = float(np.median(volume.voxels_hu[shell]))
    integrated = integrated_mass(
        volume.voxels_hu,
        distance_mm <= insert.radius_mm,
        volume.spacing_zyx_mm,
        background_hu=background_hu,
        mass_calibration=calibration,
    )
    center = np.asarray(insert.center_lps_mm)
    nearest = min(objects, key=lambda item: np.linalg.norm(np.asarray(item.center_lps_mm) - center), default=None)
    is_there = nearest is not None and np.linalg.norm(np.asarray(nearest.center_lps_mm) - center) <= insert.radius_mm
    return MeasuredInsert(insert, nearest if is_there else None, integrated.mass_mg, background_hu)


def distance_from(volume: CtVolume, center_lps_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Distance of every voxel centre from a point, mm; shape of the volume."""
    center = volume.to_index_zyx(np.asarray(center_lps_mm))
    z, y, x = (
        (np.arange(count) - middle) * step
        for count, middle, step in zip(volume.voxels_hu.shape, center, volume.spacing_zyx_mm, strict=True)
    )
    return np.asarray(np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2))


def insert_table(measured: Sequence[MeasuredInsert]) -> Table:
    """Measured beside true, one row per insert."""
    table = Table(title="inserts, measured beside the truth", title_justify="left")
    for name in ("insert", "volume mm³", "true", "mass mg", "integrated mass mg", "true"):
        table.add_column(name, justify="left" if name == "insert" else "right")
    for row in measured:
        found, insert = row.found, row.insert
        table.add_row(
            insert.name,
            "not found" if found is None else f"{found.volume_mm3:.1f}",
            f"{insert.volume_mm3:.1f}",
            "–" if found is None or found.mass_mg is None else f"{found.mass_mg:.1f}",
            f"{row.integrated_mass_mg:.1f}",
            f"{insert.mass_mg:.1f}",
        )
    table.caption = "volume and mass of voxels from 130 HU; integrated mass needs no threshold"
    return table
