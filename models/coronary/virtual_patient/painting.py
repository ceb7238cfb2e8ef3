"""Decides the order in which organs are painted and the HU of each; organs are antialiased half-space coverages.

Works slice by slice: signed distances live on a coarse grid and are interpolated, never the HU.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.materials import TISSUE_HU_120, tissue_hu
from coronary.virtual_patient.patient import VirtualPatient
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.raster import Grid, interpolation_matrix
from coronary.virtual_patient.shapes import Field, Points

COARSE_STEP_MM: Final = 2.4
# Interpolated distances are limited to this many coverage widths, which keeps interpolation overshoot away from edges.
_LIMIT: Final = 9.0
# Blood pools painted in this order; later ones cover earlier ones where they meet.
_POOLS: Final = (
    ("ivc", "ivc"), ("svc", "svc"), ("veins", "left"), ("rpa", "pulmonary"), ("lpa", "pulmonary"), ("ra", "right"),
    ("raa", "right"), ("la", "left"), ("laa", "left"), ("rv", "right"), ("pulmonary_trunk", "pulmonary"),
    ("lv", "left"), ("root", "aorta"), ("aorta", "aorta"), ("descending", "aorta"),
)  # fmt: skip
# Openings between chambers, painted after all walls so that contrast runs through the valves.
_ORIFICES: Final = (
    ("mitral orifice", "left"), ("tricuspid orifice", "right"), ("outflow", "left"),
)  # fmt: skip
# Structures whose blood is one pool; walls inside a group would stand in its contrast.
_CONNECTED: Final = (
    ("ivc", "ra", "raa", "svc", "rv", "pulmonary_trunk", "rpa", "lpa"), ("veins", "la", "laa"), ("lv",),
    ("root", "aorta"), ("descending",),
)  # fmt: skip
_AORTIC_BLOOD: Final = ("root blood", "aorta blood")


@dataclass(frozen=True)
class Layer:
    """One paint: coverage argument ``u`` on the coarse grid (painted where u < 0.5), HU and texture weights."""

    name: str
    u: Field
    hu: float
    fine: float = 0.0
    broad: float = 0.0


@dataclass(frozen=True)
class CoarseGrid:
    """The coarse sampling of one scan and the matrices that take it to the fine grid."""

    points_patient: Points
    z_mm: Field
    to_rows: npt.NDArray[np.float32]
    to_columns: npt.NDArray[np.float32]
    to_slices: npt.NDArray[np.float32] | None
    y_mm: Field
    x_mm: Field


def coarse_grid(grid: Grid, acquisition: Acquisition) -> CoarseGrid:
    """Sample in plane every 2.4 mm and, through plane, at the slices themselves when they are 1.4 mm or more apart."""
    axes = []
    for axis in (grid.x_mm, grid.y_mm):
        count = int(np.ceil((axis[-1] - axis[0]) / COARSE_STEP_MM)) + 3
        axes.append((axis[0] - COARSE_STEP_MM + COARSE_STEP_MM * np.arange(count)).astype(np.float32))
    x, y = axes
    spacing = float(grid.z_mm[1] - grid.z_mm[0]) if len(grid.z_mm) > 1 else 3.0
    z, to_slices = grid.z_mm, None
    if spacing < 1.4 and len(grid.z_mm) > 4:
        count = int(np.ceil((grid.z_mm[-1] - grid.z_mm[0]) / 2.0)) + 3
        z = (grid.z_mm[0] - 2.0 + 2.0 * np.arange(count)).astype(np.float32)
        to_slices = interpolation_matrix(grid.z_mm, z)
    zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
    points = acquisition.to_patient(np.stack([xx, yy, zz], axis=-1))
    return CoarseGrid(
        points, z, interpolation_matrix(grid.y_mm, y), interpolation_matrix(grid.x_mm, x), to_slices, y, x
    )


def tissue_table(patient: VirtualPatient, acquisition: Acquisition) -> dict[str, float]:
    """Return the HU of every tissue of one patient in one scan, without noise."""
    rng = stream(patient.seed, "tissue")
    own = {
        "blood": rng.normal(0, 4.5),
        "myocardium": rng.normal(0, 3.5),
        "fat": rng.normal(0, 4),
        "lung": rng.normal(0, 28),
    }
    own |= {"liver": rng.normal(0, 8), "muscle": rng.normal(0, 4), "spongiosa": rng.normal(0, 35)}
    table = {name: tissue_hu(name, acquisition.kvp) + float(own.get(name, 0.0)) for name in TISSUE_HU_120}
    loss = np.clip((patient.age_years - 40.0) / 60.0, 0.0, 0.7)
    table["spongiosa"] = tissue_hu("spongiosa", acquisition.kvp) * float(0.72 - 0.62 * loss) + float(own["spongiosa"])
    table["cortical_bone"] = tissue_hu("cortical_bone", acquisition.kvp) * clipped_normal(rng, 0.5, 0.06, 0.35, 0.65)
    slope = acquisition.iodine_hu_per_mg_ml()
    for pool, iodine in acquisition.iodine_mg_ml.items():
        if pool == "myocardium":
            table["myocardium"] += slope * iodine
        else:
            table[f"pool {pool}"] = table["blood"] + slope * iodine
    return {name: hu + (acquisition.tissue_shift_hu if name != "air" else 0.0) for name, hu in table.items()}


def organ_layers(
    patient: VirtualPatient, grid: Grid, coarse: CoarseGrid, tissue: dict[str, float], enhanced: bool
) -> list[Layer]:
    """Return all layers in painting order; ``enhanced`` adds what only contrast shows inside the heart."""
    hearts = patient.heart.distances(coarse.points_patient)
    sac = patient.heart.sac(hearts, coarse.points_patient)
    chest = patient.thorax.distances(coarse.points_patient, patient.heart, hearts, sac)
    brush = _Brush(grid, coarse)
    layers = _wall_and_lung_layers(brush, chest, tissue) + _abdomen_layers(brush, chest, tissue)
    layers += _bone_layers(brush, patient, chest, tissue)
    layers.append(brush.layer("oesophagus", chest["oesophagus"], tissue["oesophagus"]))
    layers.append(brush.layer("sac", sac, tissue["pericardium"]))
    layers.append(brush.layer("epicardial fat", sac + 0.9, tissue["fat"] + 7.0, fine=14.0, broad=6.0))
    if enhanced:
        return layers + _enhanced_heart_layers(brush, patient, coarse, hearts, tissue)
    for name, pool in _POOLS:
        layers.append(brush.layer(f"{name} wall", hearts[name], _wall_hu(name, tissue), broad=2.0))
        layers.append(brush.layer(f"{name} blood", hearts[name] + patient.heart.wall_mm[name], tissue[f"pool {pool}"]))
    return layers


def _wall_hu(name: str, tissue: dict[str, float]) -> float:
    return tissue["myocardium"] if name in ("lv", "rv", "ra", "la") else tissue["vessel_wall"]


def _enhanced_heart_layers(
    brush: "_Brush", patient: VirtualPatient, coarse: CoarseGrid, hearts: dict[str, Field], tissue: dict[str, float]
) -> list[Layer]:
    """Return the heart with contrast: connected pools get all their walls before any blood, then the valve openings."""
    cavities = patient.heart.cavity_distances(coarse.points_patient)
    pools = dict(_POOLS)
    layers: list[Layer] = []
    for group in _CONNECTED:
        layers += [brush.layer(f"{name} wall", hearts[name], _wall_hu(name, tissue), broad=2.0) for name in group]
        for name in group:
            blood = cavities.get(f"{name} cavity", hearts[name] + np.float32(patient.heart.wall_mm[name]))
            layers.append(_blood(brush, f"{name} blood", blood, pools[name], tissue))
    return layers + [_blood(brush, name, cavities[name], pool, tissue) for name, pool in _ORIFICES]


def _blood(brush: "_Brush", name: str, distance: Field, pool: str, tissue: dict[str, float]) -> Layer:
    """Return the layer of one blood pool with contrast: mixed in the left heart, streaming in the right."""
    hu = tissue[f"pool {pool}"]
    contrast = max(hu - tissue["blood"], 0.0)
    share = 0.14 if pool in ("right", "svc", "ivc") else 0.012
    return brush.layer(name, distance, hu, fine=0.3 * share * contrast, broad=share * contrast)


def _wall_and_lung_layers(brush: "_Brush", chest: dict[str, Field], tissue: dict[str, float]) -> list[Layer]:
    fat = tissue["fat"]
    return [
        brush.layer("skin", chest["skin"], 20.0),
        brush.layer("subcutaneous fat", chest["skin"] + 2.0, fat, fine=7.0, broad=4.0),
        brush.layer("muscle", chest["muscle"], tissue["muscle"] - 8.0, fine=13.0, broad=20.0),
        brush.layer("extrapleural fat", chest["cavity"] - 0.5, fat + 4.0, fine=13.0, broad=7.0),
        brush.layer("lungs", chest["lungs"], tissue["lung"], fine=22.0, broad=24.0),
    ]


def _abdomen_layers(brush: "_Brush", chest: dict[str, Field], tissue: dict[str, float]) -> list[Layer]:
    gas = np.maximum(chest["stomach"] + 5.0, brush.height_above(chest["stomach"]))
    return [
        brush.layer("diaphragm", chest["diaphragm"], tissue["muscle"]),
        brush.layer("abdominal fat", chest["diaphragm"] + 2.5, tissue["fat"], fine=12.0, broad=7.0),
        brush.layer("liver", chest["liver"], tissue["liver"], fine=2.0, broad=3.0),
        brush.layer("spleen", chest["spleen"], tissue["liver"] - 8.0),
        brush.layer("stomach wall", chest["stomach"], 40.0),
        brush.layer("stomach content", chest["stomach"] + 4.5, 24.0, fine=10.0, broad=18.0),
        brush.layer("stomach gas", gas, -940.0),
    ]


def _bone_layers(
    brush: "_Brush", patient: VirtualPatient, chest: dict[str, Field], tissue: dict[str, float]
) -> list[Layer]:
    cortex, marrow = tissue["cortical_bone"], tissue["spongiosa"]
    calcified = patient.thorax.age_calcification
    rim = tissue["cartilage"] + 230.0 * calcified
    disc = np.maximum(chest["vertebra"], chest["disc"])
    return [
        brush.layer("rib cortex", chest["ribs"], cortex),
        brush.layer("rib marrow", chest["ribs"] + 1.0, 0.75 * marrow, fine=45.0),
        brush.layer("cartilage rim", chest["cartilage"], rim, fine=120.0 * calcified),
        brush.layer("cartilage", chest["cartilage"] + 1.5, tissue["cartilage"], fine=10.0 + 60.0 * calcified),
        brush.layer("sternum cortex", chest["sternum"], 0.85 * cortex),
        brush.layer("sternum marrow", chest["sternum"] + 1.1, 0.6 * marrow, fine=40.0, broad=15.0),
        brush.layer("vertebral cortex", chest["vertebra"], 0.65 * cortex),
        brush.layer("vertebral marrow", chest["vertebra"] + 0.9, marrow, fine=40.0, broad=18.0),
        brush.layer("disc", disc, tissue["disc"]),
        brush.layer("vertebral arch", chest["vertebral_arch"], 0.9 * cortex),
        brush.layer("arch marrow", chest["vertebral_arch"] + 1.3, marrow, fine=40.0),
        brush.layer("spinal canal", chest["spinal_canal"], tissue["csf"] + 15.0),
    ]


class _Brush:
    """Turns signed distances into coverage arguments for one grid."""

    def __init__(self, grid: Grid, coarse: CoarseGrid) -> None:
        self.pixel_mm = grid.pixel_mm
        self.thickness_mm = grid.thickness_mm
        self.z_mm = coarse.z_mm
        self.y_mm = coarse.y_mm

    def layer(self, name: str, distance: Field, hu: float, fine: float = 0.0, broad: float = 0.0) -> Layer:
        """Return a layer whose edge is as wide as the voxel is in the direction of the surface's normal."""
        slope = np.gradient(distance, self.z_mm, axis=0) if len(self.z_mm) > 1 else np.zeros_like(distance)
        width = np.sqrt(self.pixel_mm**2 + (self.thickness_mm * np.clip(slope, -1.0, 1.0)) ** 2)
        return Layer(name, np.clip(distance / width, -_LIMIT, _LIMIT).astype(np.float32), hu, fine, broad)

    def height_above(self, distance: Field) -> Field:
        """Return a horizontal fluid level through the body of ``distance``: negative in front of (above) it."""
        inside = np.flatnonzero((distance < 0).any(axis=(0, 2)))
        level = float(self.y_mm[inside[0]]) + 14.0 if len(inside) else -1e3
        return np.broadcast_to((self.y_mm - level)[None, :, None], distance.shape).astype(np.float32)


def textures(patient: VirtualPatient, points: Points) -> tuple[Field, Field]:
    """Return two unit-variance random fields anchored in the patient: grain of about 3 mm and of about 10 mm."""
    rng = stream(patient.seed, "texture")
    fields = []
    for grain_mm in (2.6, 9.0):
        lattice = rng.standard_normal((64, 64, 64), dtype=np.float32)
        at = np.moveaxis(points, -1, 0)[::-1] / grain_mm
        field = map_coordinates(lattice, at, order=1, mode="grid-wrap")
        fields.append((field / field.std()).astype(np.float32))
    return fields[0], fields[1]


def paint(
    grid: Grid,
    coarse: CoarseGrid,
    layers: list[Layer],
    grain: tuple[Field, Field],
    lung_vessels: npt.NDArray[np.float32],
    vessel_hu: float,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return HU ``[z, y, x]`` of all layers and the mask of aortic blood; lung vessels appear in the lungs only."""
    volume = np.full(grid.shape_zyx, -1000.0, dtype=np.float32)
    aorta = np.zeros(grid.shape_zyx, dtype=np.bool_)
    for k in range(grid.shape_zyx[0]):
        planes, weights = _slice_weights(coarse, k)
        fine, broad = (_enlarge(_blend(g, planes, weights), coarse) for g in grain)
        image = volume[k]
        for layer in layers:
            area = _area(_blend(layer.u, planes, weights), coarse)
            if area is None:
                continue
            rows, columns, u = area
            alpha = np.clip(0.5 - u, 0.0, 1.0)
            hu: float | Field = layer.hu
            if layer.fine or layer.broad:
                hu = layer.hu + layer.fine * fine[rows, columns] + layer.broad * broad[rows, columns]
            view = image[rows, columns]
            view += alpha * (hu - view)
            if layer.name == "lungs":
                view += alpha * lung_vessels[k][rows, columns] * (vessel_hu - view)
            elif layer.name in _AORTIC_BLOOD:
                aorta[k, rows, columns] |= alpha >= 0.5
    return volume, aorta


def _slice_weights(coarse: CoarseGrid, k: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    if coarse.to_slices is None:
        return np.array([k]), np.ones(1, dtype=np.float32)
    planes = np.flatnonzero(coarse.to_slices[k])
    return planes, coarse.to_slices[k, planes]


def _blend(field: Field, planes: npt.NDArray[np.intp], weights: npt.NDArray[np.float32]) -> Field:
    if len(planes) == 1:
        return np.asarray(field[planes[0]])
    return np.asarray(np.tensordot(weights, field[planes], axes=1), dtype=np.float32)


def _enlarge(plane: Field, coarse: CoarseGrid) -> Field:
    return np.asarray(coarse.to_rows @ plane @ coarse.to_columns.T, dtype=np.float32)


def _area(plane: Field, coarse: CoarseGrid) -> tuple[slice, slice, Field] | None:
    """Return the pixels a layer can reach in this slice and its interpolated ``u`` there."""
    near = plane < _LIMIT
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if len(rows) == 0 or not (plane < 2.0).any():
        return None
    r, c = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    y = np.flatnonzero(coarse.to_rows[:, r].any(axis=1))
    x = np.flatnonzero(coarse.to_columns[:, c].any(axis=1))
    if len(y) == 0 or len(x) == 0:
        return None
    fine_rows, fine_columns = slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)
    # Relative to the limit, everything outside the box is exactly zero, so cutting the box out leaves no seam.
    u = coarse.to_rows[fine_rows, r] @ (plane[r, c] - np.float32(_LIMIT)) @ coarse.to_columns[fine_columns, c].T
    return fine_rows, fine_columns, u + np.float32(_LIMIT)
