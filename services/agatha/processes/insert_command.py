"""`agatha analyze --inserts`: the inserts of a physical calcium phantom, measured beside their known truth.

The file names the inserts of one scan and its calibration rods; from the rods comes the mass factor, so that the
inserts measured are no part of their own calibration.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from agatha.assemble import assemble_series
from agatha.processes.dicom_files import dicom_files, group_by_series
from agatha.processes.measure_command import Region
from agatha.processes.settings import ConfigurationError
from coronary.calcium import MassCalibration, integrated_mass, measure_lesions, surrounding_shell
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume

OK, REFUSED = 0, 3

#: Half the length of the piece of a calibration rod that is averaged, mm: away from its ends.
ROD_HALF_LENGTH_MM: Final = 4.5

#: The surroundings of an insert, mm outside its region.
SHELL_MM: Final = (0.5, 4.0)


@dataclass(frozen=True, slots=True)
class InsertMeasurement:
    """One insert: what it is, and what was measured of it at the 130 HU threshold.

    ``integrated_mass_mg`` needs no threshold: attenuation above the surroundings, integrated over the region.
    """

    name: str
    true_volume_mm3: float
    true_mass_mg: float
    volume_mm3: float
    mass_mg: float | None
    integrated_mass_mg: float
    agatston: float
    peak_hu: float | None


def measure_inserts(path: Path, truth: Path, *, as_json: bool, console: Console) -> int:
    """Measure the inserts that the file `truth` names, in every series below `path`.

    Returns
    -------
    int
        0, or 3 when no series could be assembled.

    Raises
    ------
    ConfigurationError
        When the file lacks a key; names it.
    """
    phantom = tomllib.loads(truth.read_text(encoding="utf-8"))
    series, _ = group_by_series(dicom_files(path)[0])
    documents: list[dict[str, Any]] = []
    for files in series:
        assembled = assemble_series(files.paths)
        document: dict[str, Any] = {"series_instance_uid": files.series_instance_uid}
        documents.append(document)
        if isinstance(assembled, Refusal):
            document["reason"] = {"code": assembled.code, "text": assembled.text}
            continue
        try:
            calibration = rod_calibration(assembled.volume, phantom["calibration"])
            inserts = [_measure(assembled.volume, insert, calibration) for insert in phantom["insert"]]
        except KeyError as exc:
            raise ConfigurationError(f"{truth}: {exc.args[0]} is missing") from exc
        document |= {"mass_calibration": asdict(calibration), "inserts": [asdict(insert) for insert in inserts]}
        if not as_json:
            _print(phantom.get("name", truth.stem), calibration, inserts, console)
    if as_json:
        print(json.dumps({"series": documents}, indent=2))
    return OK if any("inserts" in document for document in documents) else REFUSED


def rod_calibration(volume: CtVolume, rods: dict[str, Any]) -> MassCalibration:
    """Mass factor from a rod of known hydroxyapatite concentration and a rod of water (McCollough 2007, Radiology 243).

    factor = concentration / (HU of the hydroxyapatite − HU of the water), mg/(HU cm³).
    """
    ha_hu = _rod_hu(volume, rods["hydroxyapatite"])
    water_hu = _rod_hu(volume, rods["water"])
    factor = rods["hydroxyapatite"]["mg_cm3"] / (ha_hu - water_hu)
    return MassCalibration(factor, f"calibration rods: hydroxyapatite {ha_hu:.1f} HU, water {water_hu:.1f} HU")


def _rod_hu(volume: CtVolume, rod: dict[str, Any]) -> float:
    x, y, z = rod["center_lps_mm"]
    cylinder = Region("rod", (x, y, z), rod["radius_mm"], is_cylinder=True).mask(volume)
    middle = volume.to_index_zyx(np.array([x, y, z]))[0]
    near = np.abs(np.arange(cylinder.shape[0]) - middle) * volume.spacing_zyx_mm[0] <= ROD_HALF_LENGTH_MM
    return float(volume.voxels_hu[cylinder & near[:, None, None]].mean())


def _measure(volume: CtVolume, insert: dict[str, Any], calibration: MassCalibration) -> InsertMeasurement:
    x, y, z = insert["center_lps_mm"]
    region = Region(insert["name"], (x, y, z), insert["radius_mm"], is_cylinder=False)
    mask = region.mask(volume)
    objects = measure_lesions(
        volume.voxels_hu,
        mask,
        volume.spacing_zyx_mm,
        volume.affine_lps,
        mass_calibration=calibration,
    )
    shell = surrounding_shell(mask, volume.spacing_zyx_mm, inner_mm=SHELL_MM[0], outer_mm=SHELL_MM[1])
    integrated = integrated_mass(
        volume.voxels_hu,
        mask,
        volume.spacing_zyx_mm,
        background_hu=float(np.median(volume.voxels_hu[shell])),
        mass_calibration=calibration,
    )
    return InsertMeasurement(
        name=insert["name"],
        true_volume_mm3=insert["volume_mm3"],
        true_mass_mg=insert["mass_mg"],
        volume_mm3=sum(item.volume_mm3 for item in objects),
        mass_mg=sum(item.mass_mg or 0.0 for item in objects) if objects else None,
        integrated_mass_mg=integrated.mass_mg,
        agatston=sum(item.agatston or 0.0 for item in objects),
        peak_hu=max((item.peak_hu for item in objects), default=None),
    )


def _print(name: str, calibration: MassCalibration, inserts: list[InsertMeasurement], console: Console) -> None:
    table = Table(title=f"{name}: inserts at 130 HU beside their truth", title_justify="left")
    for column in (
        "insert",
        "volume mm³",
        "true",
        "mass mg",
        "true",
        "error %",
        "integrated mg",
        "error %",
        "Agatston",
        "peak HU",
    ):
        table.add_column(column, justify="right")
    for insert in inserts:
        is_seen = insert.mass_mg is not None and insert.peak_hu is not None
        error = "" if insert.mass_mg is None else f"{100 * (insert.mass_mg / insert.true_mass_mg - 1):+.0f}"
        table.add_row(
            insert.name,
            f"{insert.volume_mm3:.1f}" if is_seen else "not seen",
            f"{insert.true_volume_mm3:.1f}",
            f"{insert.mass_mg:.1f}" if is_seen else "–",
            f"{insert.true_mass_mg:.1f}",
            error,
            f"{insert.integrated_mass_mg:.1f}",
            f"{100 * (insert.integrated_mass_mg / insert.true_mass_mg - 1):+.0f}",
            f"{insert.agatston:.1f}" if is_seen else "–",
            f"{insert.peak_hu:.0f}" if is_seen else "–",
        )
    console.print(table)
    console.print(f"mass factor {calibration.factor_mg_per_hu_cm3:.3f} mg/(HU cm³), {calibration.source}")
