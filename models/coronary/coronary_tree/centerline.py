"""What the package hands out: labelled centrelines and the coronary tree they form.

Decides the public objects; how they are found is in the other modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.coronary_tree.components import DroppedPiece
from coronary.coronary_tree.curves import Points, Values, arc_length_mm, rotation_minimising_frames
from coronary.coronary_tree.joining import Join
from coronary.coronary_tree.ostia import Ostium
from coronary.coronary_tree.segments import Dominance
from coronary.reasons import QualityNote

#: Main trunks of a complete tree.
MAIN_TRUNKS: Final = ("LM", "LAD", "LCX", "RCA")

#: Shortest usual course from the ostium to the end of a trunk, mm. A LAD has 100 to 170 mm, a RCA 120 to 160 mm, in
#: left dominance half of that.
USUAL_LENGTH_MM: Final[Mapping[str, float]] = {"LAD": 90.0, "LCX": 30.0, "RCA": 50.0}


@dataclass(frozen=True, slots=True, eq=False)
class Centerline:
    """One artery from proximal to distal, points 0.5 mm apart.

    Parameters
    ----------
    name
        ``LM``, ``LAD``, ``LCX``, ``RCA``, ``RI`` (ramus), ``D1`` …, ``S1`` … (septal), ``OM1`` …, ``RV1`` … (conus,
        acute marginal and other right ventricular branches), ``R-PDA``, ``R-PLB``, ``L-PDA``, ``L-PLB``; a branch of a
        branch is ``D1.1``.
    parent
        Artery it leaves; its first point lies on that one's centreline. None at an ostium.
    points_lps_mm
        Shape (n, 3), LPS mm.
    radius_mm
        Shape (n,). Radius of the circle with the area of the lumen in the mask, across the centreline.
    segment
        Shape (n,). SCCT segment id (Leipsic 2014), 1 to 18. Septal and right ventricular branches, which have none,
        carry the id of the segment they leave.
    vessel
        Shape (n,). Territory as in :class:`coronary.calcium.Vessel`; the ramus counts for the LAD.
    is_bridged
        Shape (n,). True where the mask was interrupted and the course is a straight guess.
    """

    name: str
    parent: str | None
    points_lps_mm: Points
    radius_mm: Values
    segment: NDArray[np.uint8]
    vessel: NDArray[np.uint8]
    is_bridged: NDArray[np.bool_]

    @property
    def arc_length_mm(self) -> Values:
        """Length from the first point to each point, shape (n,), mm."""
        return arc_length_mm(self.points_lps_mm)

    def frames(self) -> NDArray[np.float64]:
        """Rotation-minimising frames, shape (n, 3, 3), rows tangent, normal, binormal: the planes of cross-sections."""
        return rotation_minimising_frames(self.points_lps_mm)


@dataclass(frozen=True, slots=True, eq=False)
class CoronaryTree:
    """The coronary arteries of one scan.

    Parameters
    ----------
    centerlines
        Parents before their branches.
    ostia
        Where the systems leave the aorta.
    dominance
        Which side supplies the posterior descending artery; None where none was found.
    joins
        Interruptions of the mask that were bridged.
    dropped
        Parts of the mask that were taken for no coronary artery.
    notes
        What is missing (``LEFT_TREE_MISSING``, ``RIGHT_TREE_MISSING``, ``LAD_MISSING``, ``LCX_MISSING``,
        ``UNNAMED_OSTIUM``), for the reader of a result.
    shape_zyx
        Shape of the volume.
    voxels_zyx
        Shape (m, 3). Voxels of the mask that belong to the tree; voxels of the aorta are not among them.
    voxel_centerline, voxel_point
        Shape (m,). Index of the centreline each voxel belongs to, and of the point on it.
    """

    centerlines: tuple[Centerline, ...]
    ostia: tuple[Ostium, ...]
    dominance: Dominance | None
    joins: tuple[Join, ...]
    dropped: tuple[DroppedPiece, ...]
    notes: tuple[QualityNote, ...]
    shape_zyx: tuple[int, int, int]
    voxels_zyx: NDArray[np.int32]
    voxel_centerline: NDArray[np.uint16]
    voxel_point: NDArray[np.int32]

    @property
    def is_complete(self) -> bool:
        """Whether all four main trunks were found."""
        return all(self.centerline(name) is not None for name in MAIN_TRUNKS)

    def centerline(self, name: str) -> Centerline | None:
        """Return the centreline of an artery, or None where the tree has no such artery."""
        return next((line for line in self.centerlines if line.name == name), None)

    def from_ostium(self, name: str) -> Centerline:
        """Return the whole course from the ostium to the end of an artery, for a curved planar reformat.

        Raises
        ------
        KeyError
            If the tree has no such artery.
        """
        line = self.centerline(name)
        if line is None:
            raise KeyError(name)
        if line.parent is None:
            return line
        before = self.from_ostium(line.parent)
        reached = int(np.argmin(np.linalg.norm(before.points_lps_mm - line.points_lps_mm[0], axis=1)))
        return Centerline(
            name=line.name,
            parent=None,
            points_lps_mm=np.concatenate([before.points_lps_mm[:reached], line.points_lps_mm]),
            radius_mm=np.concatenate([before.radius_mm[:reached], line.radius_mm]),
            segment=np.concatenate([before.segment[:reached], line.segment]),
            vessel=np.concatenate([before.vessel[:reached], line.vessel]),
            is_bridged=np.concatenate([before.is_bridged[:reached], line.is_bridged]),
        )

    def short_trunks(self) -> dict[str, float]:
        """Trunks that were followed for less than is usual, and how far from the ostium, mm."""
        found = {
            name: float(self.from_ostium(name).arc_length_mm[-1])
            for name in USUAL_LENGTH_MM
            if self.centerline(name) is not None
        }
        return {name: length_mm for name, length_mm in found.items() if length_mm < USUAL_LENGTH_MM[name]}

    def centerline_label_map(self) -> NDArray[np.uint16]:
        """Shape of the volume; 0 none, n = ``centerlines[n - 1]``."""
        labels = np.zeros(self.shape_zyx, dtype=np.uint16)
        labels[tuple(self.voxels_zyx.T)] = self.voxel_centerline + 1
        return labels

    def vessel_label_map(self) -> NDArray[np.uint8]:
        """Shape of the volume; 0 none, 1 LM, 2 LAD, 3 LCX, 4 RCA."""
        return self._label_map([line.vessel for line in self.centerlines])

    def segment_label_map(self) -> NDArray[np.uint8]:
        """Shape of the volume; 0 none, else the SCCT segment id."""
        return self._label_map([line.segment for line in self.centerlines])

    def _label_map(self, values: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        labels = np.zeros(self.shape_zyx, dtype=np.uint8)
        first = np.cumsum([0, *(len(value) for value in values)])[self.voxel_centerline]
        labels[tuple(self.voxels_zyx.T)] = np.concatenate(values)[first + self.voxel_point]
        return labels
