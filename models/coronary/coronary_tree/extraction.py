"""The one way from masks to a coronary tree; every step is decided in its own module.

Refuses, as a value, masks from which no tree can grow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.coronary_tree.centerline import CoronaryTree
from coronary.coronary_tree.components import plausible_voxels
from coronary.coronary_tree.growing import CurveTree
from coronary.coronary_tree.joining import join_pieces
from coronary.coronary_tree.measuring import assign_voxels, measure_courses
from coronary.coronary_tree.ostia import Ostium, System, aorta_surface, long_systems, systems_of, with_ostia
from coronary.coronary_tree.segments import name_courses
from coronary.coronary_tree.skeleton import CurveGraph, skeletonise
from coronary.coronary_tree.veins import without_veins
from coronary.ct_volume import CtVolume
from coronary.reasons import Refusal


def trace_coronary_tree(
    volume: CtVolume, artery_mask: NDArray[np.bool_], aorta_mask: NDArray[np.bool_]
) -> CoronaryTree | Refusal:
    """Trace labelled centrelines in a mask of the coronary arteries.

    The steps are those of Lee 2023 (J Cardiovasc Dev Dis 10:143), section 2: heart tissue and veins are dropped by
    size, place, angle, calibre and attenuation, interrupted vessels joined, centrelines found by skeletonisation.

    Parameters
    ----------
    volume
        The contrast scan. Its attenuation tells veins and muscle from arteries; everything else is geometry.
    artery_mask, aorta_mask
        Shape of the volume. Where both claim a voxel it is the aorta's.

    Returns
    -------
    CoronaryTree
        Possibly incomplete; its ``notes`` say what is missing.
    Refusal
        ``NO_ARTERY_VOXELS``, ``NO_AORTA_VOXELS``, or ``NO_OSTIUM`` where no vessel leaves the aorta.

    Raises
    ------
    ValueError
        If a mask does not have the shape of the volume.
    """
    for name, mask in (("artery_mask", artery_mask), ("aorta_mask", aorta_mask)):
        if mask.shape != volume.voxels_hu.shape:
            raise ValueError(f"{name} has shape {mask.shape}, expected {volume.voxels_hu.shape}")
    arteries, aorta = artery_mask.astype(bool), aorta_mask.astype(bool)
    if not aorta.any():
        return Refusal("NO_AORTA_VOXELS", "The aorta was not found, so nothing says where the coronary arteries begin.")
    # Coronary arteries hold the aorta's contrast.
    reference_hu = float(np.median(volume.voxels_hu[aorta]))
    voxels, wide = plausible_voxels(arteries, aorta, volume, reference_hu)
    if not voxels.mask.any():
        return Refusal("NO_ARTERY_VOXELS", "No voxel of the scan was taken for a coronary artery.")
    surface = aorta_surface(aorta, voxels, volume)
    graph = skeletonise(voxels.mask, voxels.corner_zyx, volume)
    graph, roots, gaps = with_ostia(graph, voxels, surface, volume)
    if not roots:
        return _no_ostium(graph)
    graph, joins, loose = join_pieces(graph, roots, reference_hu, volume)
    roots, gaps = long_systems(graph, roots, gaps)
    if not roots:
        return _no_ostium(graph)
    tree, veins = without_veins(graph, roots, reference_hu)
    starts = {tree.stretches[root].nodes[0]: root for root in tree.roots()}
    gap_at = {node: gap for node, gap in zip(roots, gaps, strict=True) if node in starts}
    systems = systems_of(tree, list(gap_at), surface)
    ostia = {node: _ostium(tree, node, gap, systems[node]) for node, gap in gap_at.items()}
    named = name_courses(tree, {node: ostium.system for node, ostium in ostia.items()})
    lines = measure_courses(named.courses, tree, voxels, volume)
    indices, line_of, point_of = assign_voxels(lines, voxels, volume)
    return CoronaryTree(
        centerlines=lines,
        ostia=tuple(ostia.values()),
        dominance=named.dominance,
        joins=joins,
        dropped=(*wide, *loose, *veins),
        notes=named.notes,
        shape_zyx=(arteries.shape[0], arteries.shape[1], arteries.shape[2]),
        voxels_zyx=indices,
        voxel_centerline=line_of,
        voxel_point=point_of,
    )


def _no_ostium(graph: CurveGraph) -> Refusal:
    pieces = int(graph.pieces().max()) + 1 if len(graph) else 0
    return Refusal(
        "NO_OSTIUM",
        f"None of the {pieces} pieces of the coronary mask leaves the aorta as an artery.",
        {"pieces": pieces},
    )


def _ostium(tree: CurveTree, node: int, gap_mm: float, system: System) -> Ostium:
    x, y, z = (float(value) for value in tree.graph.points_lps_mm[node])
    return Ostium(system, (x, y, z), gap_mm)
