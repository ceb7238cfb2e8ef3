"""Decides the shape of the external heart, built from other solids than :mod:`heart_standard`.

A bullet-shaped ventricle, a right ventricle wrapped around it as a shell, box-like atria, a three-lobed aortic root,
fat that is thicker on the right. Networks trained on the standard heart meet it only in tests.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from coronary.virtual_patient.heart_model import HeartModel, Landmarks
from coronary.virtual_patient.heart_standard import draw_pose
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import (
    Field,
    Points,
    SignedDistance,
    as_points,
    half_space,
    smooth_maximum,
    smooth_minimum,
    tube,
)

MITRAL_CENTRE = as_points((25.0, 2.0, 8.0))
# Wall between an outer surface and the blood; the left ventricle's is drawn.
_WALL_MM: Final = {
    "rv": 3.0, "la": 2.0, "laa": 1.6, "ra": 2.0, "raa": 1.6, "root": 1.6, "aorta": 1.6, "pulmonary_trunk": 1.3,
    "rpa": 1.3, "lpa": 1.3, "svc": 1.0, "ivc": 1.2, "veins": 1.2, "descending": 1.6,
}  # fmt: skip


def _frame() -> tuple[Points, Points, Points]:
    axis = as_points((0.62, -0.60, -0.505))
    axis /= np.linalg.norm(axis)
    up = as_points((0.0, 0.0, 1.0)) - axis[2] * axis
    superior = as_points(up / np.linalg.norm(up))
    return axis, as_points(np.cross(superior, axis)), superior


AXIS, LATERAL, SUPERIOR = _frame()


def build_external_heart(seed: int, extreme: float) -> HeartModel:
    """Build the external heart of one seed."""
    rng = stream(seed, "external heart")
    pose = draw_pose(rng, extreme)
    length = clipped_normal(rng, 92.0, 5.0, 78.0, 106.0)
    radius = clipped_normal(rng, 33.0, 2.0, 28.0, 40.0)
    wall = _WALL_MM | {"lv": clipped_normal(rng, 9.0, 1.3, 6.5, 13.0)}
    bullet = _bullet(length, radius)
    aorta = as_points([(8, -14, 22), (5, -16, 33), (0, -20, 48), (-10, -22, 68), (-9, -16, 90), (2, 4, 106)])
    aorta_radii = as_points((12.0, 15.5, 13.5, 16.5, 16.0, 13.5)) * np.float32(
        clipped_normal(rng, 1.0, 0.08, 0.8, 1.25)
    )
    trunk = as_points([(24, -44, 14), (27, -44, 30), (30, -32, 46), (30, -14, 58)])
    svc = as_points([(-26, -14, 18), (-28, -12, 48), (-26, -14, 100)])
    descending = as_points([(22, 48, -160), (27, 50, -60), (31, 49, 0), (33, 47, 60), (28, 40, 110)])
    canonical: dict[str, SignedDistance] = {
        "lv": bullet,
        "rv": _shell(bullet, length, rng.uniform(24.0, 31.0), trunk),
        "la": _box((13.0, 22.0, 25.0), np.array((34.0, 17.0, 22.0)) * rng.normal(1.0, 0.06, size=3), 2.8),
        "laa": tube([(40, 8, 30), (52, -2, 36), (54, -18, 38), (46, -26, 34)], (8.0, 9.0, 7.5, 5.0)),
        "ra": _box((-26.0, -12.0, 4.0), np.array((20.0, 27.0, 30.0)) * rng.normal(1.0, 0.06, size=3), 2.4),
        "raa": tube([(-22, -30, 24), (-12, -42, 30), (-2, -48, 34)], (13.0, 9.0, 5.0)),
        "root": _lobed_root(aorta, aorta_radii),
        "aorta": tube(aorta[1:], aorta_radii[1:]),
        "pulmonary_trunk": tube(trunk, (14.0, 13.0, 13.5, 13.0)),
        "rpa": tube([(28, -12, 58), (8, 4, 60), (-24, 6, 56), (-48, 2, 50)], (10.5, 10.5, 9.5, 8.0)),
        "lpa": tube([(30, -12, 58), (40, 8, 66), (50, 24, 62), (58, 30, 50)], (11.0, 10.5, 9.0, 7.0)),
        "veins": _veins(),
        "svc": tube(svc, 10.0),
        "ivc": tube([(-20, -2, -16), (-22, 10, -45), (-24, 16, -160)], 12.0),
    }
    return HeartModel(
        pose=pose,
        canonical=canonical,
        body_fixed={"descending": tube(descending, clipped_normal(rng, 12.0, 1.4, 9.5, 17.0))},
        cavities=_cavities(bullet, wall["lv"], aorta),
        wall_mm=wall,
        landmarks=_landmarks(length, aorta, aorta_radii, descending, svc),
        fat_mm=clipped_normal(rng, 5.0, 1.8, 2.4, 10.0),
        sac_blend_mm=clipped_normal(rng, 15.0, 2.5, 10.0, 22.0),
        fat_tilt=as_points((-rng.uniform(0.5, 2.5), -rng.uniform(0.0, 2.0), 0.0)),
        vessel_lift_mm=float(rng.uniform(0.3, 1.4)),
        groove_twist_deg=float(rng.normal(0.0, 7.0)),
    )


def _landmarks(length_mm: float, aorta: Points, aorta_radii: Points, descending: Points, svc: Points) -> Landmarks:
    return Landmarks(
        axis=AXIS,
        lateral=LATERAL,
        superior=SUPERIOR,
        mitral_centre=MITRAL_CENTRE,
        mitral_radius_mm=16.0,
        tricuspid_centre=as_points((-6.0, -24.0, 0.0)),
        left_ventricle_length_mm=length_mm,
        aortic_valve_centre=aorta[0],
        aortic_axis=as_points((aorta[2] - aorta[0]) / np.linalg.norm(aorta[2] - aorta[0])),
        aortic_valve_radius_mm=float(aorta_radii[0]),
        left_ostium=as_points(aorta[1] + (12.0, 9.0, 1.0)),
        right_ostium=as_points(aorta[1] + (-8.0, -13.5, 1.0)),
        left_bifurcation=as_points(aorta[1] + (21.0, 11.0, -2.0)),
        ascending_aorta=aorta[1:],
        ascending_aorta_radii_mm=aorta_radii[1:],
        descending_aorta=descending,
        superior_vena_cava=svc,
        right_atrium_centre=as_points((-26.0, -12.0, 4.0)),
    )


def _bullet(length_mm: float, radius_mm: float) -> SignedDistance:
    """Return a ventricle whose radius falls with the power 2.6 of the way to the apex, slightly trefoil in section."""
    base = half_space(MITRAL_CENTRE - 3.0 * AXIS, -AXIS)

    def distance(points: Points) -> Field:
        q = points - MITRAL_CENTRE
        along, u, v = q @ AXIS, q @ LATERAL, q @ SUPERIOR
        t = np.clip((along + 8.0) / (length_mm + 8.0), 0.0, 1.25)
        profile = radius_mm * (1.0 - t**2.6) * (1.0 + 0.03 * np.cos(3.0 * np.arctan2(v, u)))
        slope = 2.6 * radius_mm * t**1.6 / (length_mm + 8.0)
        side = (np.hypot(u, v) - profile) / np.sqrt(1.0 + slope**2)
        return smooth_maximum(np.asarray(side, dtype=np.float32), base(points), 8.0)

    return distance


def _shell(bullet: SignedDistance, length_mm: float, depth_mm: float, trunk: Points) -> SignedDistance:
    """Return a right ventricle as a shell on the septal side of the left one, deepest at its base."""
    base = half_space(MITRAL_CENTRE - 7.0 * AXIS, -AXIS)
    outflow = tube([(28, -42, 2), trunk[0], trunk[1]], (16.0, 15.0, 12.5))

    def distance(points: Points) -> Field:
        q = points - MITRAL_CENTRE
        along = np.clip((q @ AXIS) / length_mm, -0.2, 1.2)
        angle = np.arctan2(q @ SUPERIOR, -(q @ LATERAL)) + 0.12
        reach = np.clip(np.cos(0.86 * np.clip(angle, -1.82, 1.82)), 0.0, 1.0) ** 0.7
        thick = depth_mm * reach * np.clip(1.02 - along**2, 0.0, 1.0) - 3.0 * (reach <= 0.02)
        shell = smooth_maximum(np.asarray(bullet(points) - thick, dtype=np.float32), base(points), 10.0)
        return smooth_minimum(np.asarray(0.8 * shell, dtype=np.float32), outflow(points), 10.0)

    return distance


def _box(centre: npt.ArrayLike, half_mm: npt.ArrayLike, power: float) -> SignedDistance:
    """Return a superellipsoid: rounder than a box, flatter than an ellipsoid."""
    c, h = as_points(centre), as_points(half_mm)

    def distance(points: Points) -> Field:
        u = np.abs((points - c) / h)
        f = np.maximum(np.sum(u**power, axis=-1) ** (1.0 / power), 1e-3)
        slope = np.linalg.norm((u / f[..., None]) ** (power - 1.0) / h, axis=-1)
        return np.asarray((f - 1.0) / np.maximum(slope, 1e-3), dtype=np.float32)

    return distance


def _lobed_root(aorta: Points, radii: Points) -> SignedDistance:
    """Return an aortic root with three sinuses."""
    plain = tube(aorta[:3], radii[:3])
    centre = aorta[1]

    def distance(points: Points) -> Field:
        q = points - centre
        bulge = np.cos(3.0 * (np.arctan2(q[..., 1], q[..., 0]) - 0.55)) * np.exp(-((q[..., 2] / 9.0) ** 2))
        return np.asarray(plain(points) - 1.6 * bulge, dtype=np.float32)

    return distance


def _veins() -> SignedDistance:
    tubes = [
        tube([(-16, 16, 36), (-42, 8, 44), (-64, 0, 54)], (8.0, 7.0, 4.5)),
        tube([(-14, 30, 14), (-40, 34, 6), (-62, 44, -4)], (8.0, 6.5, 4.5)),
        tube([(40, 16, 36), (56, 8, 44), (74, -4, 56)], (8.0, 6.5, 4.5)),
        tube([(38, 30, 16), (54, 40, 8), (72, 50, -2)], (8.5, 6.5, 4.0)),
    ]

    def distance(points: Points) -> Field:
        best = tubes[0](points)
        for other in tubes[1:]:
            best = np.minimum(best, other(points))
        return best

    return distance


def _cavities(bullet: SignedDistance, wall_mm: float, aorta: Points) -> dict[str, SignedDistance]:
    base = half_space(MITRAL_CENTRE + 0.5 * AXIS, -AXIS)
    muscle = tube(
        [MITRAL_CENTRE + 58.0 * AXIS + 14.0 * LATERAL, MITRAL_CENTRE + 28.0 * AXIS + 13.0 * LATERAL], (5.0, 3.0)
    )

    def left_ventricle(points: Points) -> Field:
        inside = np.asarray(bullet(points) + np.float32(wall_mm), dtype=np.float32)
        return smooth_maximum(smooth_maximum(inside, base(points), 4.0), -muscle(points), 1.5)

    return {
        "lv cavity": left_ventricle,
        "mitral orifice": tube([MITRAL_CENTRE - 12.0 * AXIS, MITRAL_CENTRE + 8.0 * AXIS], 12.5),
        "tricuspid orifice": tube([(-18, -16, 0), (2, -30, -4)], 12.0),
        "outflow": tube([MITRAL_CENTRE + 16.0 * AXIS - 13.0 * LATERAL, aorta[0] + 4.0 * SUPERIOR], 10.0),
    }
