"""Decides the shape of the standard heart: ellipsoidal ventricles and atria, tubular great vessels.

Canonical LPS mm with the body's midline at x = 0. Typical adult in diastole; everything is drawn around that.
"""

from typing import Final

import numpy as np

from coronary.virtual_patient.heart_model import HeartModel, Landmarks, Pose
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import (
    Field,
    Points,
    SignedDistance,
    as_points,
    ellipsoid,
    half_space,
    smooth_maximum,
    smooth_minimum,
    tube,
)

HEART_CENTRE = as_points((18.0, -15.0, 2.0))
# Direction from base to apex: left, anterior, down; the other two complete a right-angled frame.
LONG_AXIS = as_points((0.680, -0.580, -0.449))
SUPERIOR = as_points((0.343, -0.292, 0.893))
LATERAL = as_points((0.649, 0.761, 0.0))
FRAME = np.stack([LONG_AXIS, LATERAL, SUPERIOR])
MITRAL_CENTRE = as_points((27.0, 3.0, 4.0))
_TRICUSPID_CENTRE = as_points((-6.0, -22.0, -4.0))
_DESCENDING_AORTA: Final = ((24, 46, -160), (29, 49, -60), (31, 48, 0), (31, 48, 60), (28, 42, 110))
_SUPERIOR_VENA_CAVA: Final = ((-27, -10, 20), (-27, -9, 50), (-25, -12, 100))
_PULMONARY_TRUNK: Final = ((22, -46, 16), (24, -42, 31), (27, -28, 46), (28, -12, 57))
# Wall between an outer surface and the blood; the left ventricle's is drawn.
_WALL_MM: Final = {
    "rv": 3.5, "la": 2.2, "laa": 1.8, "ra": 2.2, "raa": 1.8, "root": 1.8, "aorta": 1.8, "pulmonary_trunk": 1.4,
    "rpa": 1.4, "lpa": 1.4, "svc": 1.0, "ivc": 1.2, "veins": 1.2, "descending": 1.8,
}  # fmt: skip


def draw_pose(rng: np.random.Generator, extreme: float) -> Pose:
    """Draw orientation, size and warp; ``extreme`` (1 = clinical range) widens every spread."""
    angles = np.deg2rad([rng.normal(0, 5), rng.normal(0, 5), rng.normal(0, 7)]) * extreme
    rotation = _rotation(*np.clip(angles, -0.4, 0.4))
    count = 7
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    wavelengths = rng.uniform(55.0, 170.0, size=(count, 1))
    amplitude = rng.normal(size=(count, 3)) * wavelengths / 170.0 * 1.6 * extreme
    return Pose(
        centre=HEART_CENTRE,
        rotation=as_points(rotation),
        scale=clipped_normal(rng, 1.0, 0.065 * extreme, 0.8, 1.25),
        warp_amplitude=as_points(np.clip(amplitude, -4.5, 4.5)),
        warp_wave=as_points(2 * np.pi * directions / wavelengths),
        warp_phase=as_points(rng.uniform(0, 2 * np.pi, size=count)),
    )


def _rotation(about_x: float, about_y: float, about_z: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    cx, sx, cy, sy, cz, sz = (f(t) for t in (about_x, about_y, about_z) for f in (np.cos, np.sin))
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(rz @ ry @ rx)


def build_standard_heart(seed: int, extreme: float) -> HeartModel:
    """Build the standard heart of one seed; the order of draws is part of the generator's version."""
    rng = stream(seed, "heart")
    pose = draw_pose(rng, extreme)
    wall = _WALL_MM | {"lv": clipped_normal(rng, 10.0, 1.6, 7.0, 15.0)}
    length = clipped_normal(rng, 88.0, 5.0, 74.0, 104.0)
    lv_radius = clipped_normal(rng, 34.0, 2.2, 28.0, 42.0)
    rv = _right_ventricle(rng, length)
    aorta, aorta_radii = _aorta_path(rng)
    descending = as_points(as_points(_DESCENDING_AORTA) + _shift(rng, 2.0))
    atria, ra_centre = _atria(rng)
    trunk = tube(_PULMONARY_TRUNK, as_points((14.5, 13.5, 14.0, 13.5)) * float(_near_one(rng, 1)[0]))
    veins = _pulmonary_veins(rng)
    svc = tube(_SUPERIOR_VENA_CAVA, clipped_normal(rng, 9.5, 1.2, 7.0, 13.0))
    body_fixed = {"descending": tube(descending, clipped_normal(rng, 12.5, 1.3, 9.5, 18.0))}
    canonical: dict[str, SignedDistance] = {
        "lv": _left_ventricle(length, lv_radius),
        "rv": rv,
        **atria,
        "root": tube(aorta[:3], aorta_radii[:3]),
        "aorta": tube(aorta[1:], aorta_radii[1:]),
        "pulmonary_trunk": trunk,
        "rpa": tube([(27, -10, 58), (10, 6, 59), (-20, 8, 57), (-45, 6, 52)], [11.0, 10.5, 10.0, 8.0]),
        "lpa": tube([(28, -10, 58), (36, 12, 64), (48, 26, 60), (56, 30, 48)], [11.5, 11.0, 9.5, 7.5]),
        "veins": veins,
        "svc": svc,
        "ivc": tube([(-22, 2, -20), (-24, 14, -45), (-24, 18, -160)], [12.0, 12.5, 12.0]),
    }
    return HeartModel(
        pose=pose,
        canonical=canonical,
        body_fixed=body_fixed,
        cavities=_cavities(seed, length, lv_radius, wall["lv"], aorta),
        wall_mm=wall,
        landmarks=_landmarks(length, aorta, aorta_radii, descending, ra_centre),
        fat_mm=clipped_normal(rng, 4.5, 1.7, 2.2, 10.0),
        sac_blend_mm=clipped_normal(rng, 24.0, 4.0, 16.0, 34.0),
    )


def _atria(rng: np.random.Generator) -> tuple[dict[str, SignedDistance], Points]:
    """Return both atria with their appendages and the right atrium's centre."""
    la_centre = as_points(as_points((12.0, 22.0, 22.0)) + _shift(rng, 1.5))
    la_axes = as_points(as_points((33.0, 17.5, 25.0)) * as_points(rng.normal(1.0, 0.07, size=3)))
    ra_centre = as_points(as_points((-27.0, -12.0, 2.0)) + _shift(rng, 1.5))
    left_course = [(36, 6, 30), (46, -4, 33), (54, -14, 31), (57, -22, 27)]
    left_appendage = tube(left_course, as_points((9.0, 10.0, 9.0, 6.0)) * _near_one(rng, 4))
    right = ellipsoid(ra_centre, as_points((22.0, 27.0, 34.0)) * _near_one(rng, 3))
    right_course = [(-24, -28, 20), (-18, -40, 28), (-10, -46, 30)]
    right_appendage = tube(right_course, as_points((12.0, 10.0, 6.0)) * _near_one(rng, 3))
    left = _left_atrium(la_centre, la_axes)
    return {"la": left, "laa": left_appendage, "ra": right, "raa": right_appendage}, ra_centre


def _landmarks(
    length_mm: float, aorta: Points, aorta_radii: Points, descending: Points, right_atrium_centre: Points
) -> Landmarks:
    return Landmarks(
        axis=LONG_AXIS,
        lateral=LATERAL,
        superior=SUPERIOR,
        mitral_centre=MITRAL_CENTRE,
        mitral_radius_mm=17.0,
        tricuspid_centre=_TRICUSPID_CENTRE,
        left_ventricle_length_mm=length_mm,
        aortic_valve_centre=aorta[0],
        aortic_axis=as_points((aorta[2] - aorta[0]) / np.linalg.norm(aorta[2] - aorta[0])),
        aortic_valve_radius_mm=float(aorta_radii[0]),
        left_ostium=as_points(aorta[1] + (14.0, 6.0, 3.0)),
        right_ostium=as_points(aorta[1] + (-4.0, -15.5, 2.0)),
        left_bifurcation=as_points(aorta[1] + (24.0, 4.0, 2.0)),
        ascending_aorta=aorta[1:],
        ascending_aorta_radii_mm=aorta_radii[1:],
        descending_aorta=descending,
        superior_vena_cava=as_points(_SUPERIOR_VENA_CAVA),
        right_atrium_centre=right_atrium_centre,
    )


def _shift(rng: np.random.Generator, sd_mm: float) -> Points:
    return as_points(rng.normal(0.0, sd_mm, size=3))


def _near_one(rng: np.random.Generator, count: int) -> Points:
    return as_points(np.clip(rng.normal(1.0, 0.07, size=count), 0.8, 1.2))


def _left_ventricle(length_mm: float, radius_mm: float) -> SignedDistance:
    body = ellipsoid(MITRAL_CENTRE + 0.42 * length_mm * LONG_AXIS, (0.61 * length_mm, radius_mm, radius_mm), FRAME)
    base = half_space(MITRAL_CENTRE - 4.0 * LONG_AXIS, -LONG_AXIS)

    def distance(points: Points) -> Field:
        return smooth_maximum(body(points), base(points), 10.0)

    return distance


def _cavities(
    seed: int, length_mm: float, radius_mm: float, wall_mm: float, aorta: Points
) -> dict[str, SignedDistance]:
    """Return the left ventricular blood with papillary muscles and the mitral, tricuspid and aortic openings."""
    rng = stream(seed, "heart cavities")
    inner = (0.61 * length_mm - wall_mm, radius_mm - wall_mm, radius_mm - wall_mm)
    body = ellipsoid(MITRAL_CENTRE + 0.42 * length_mm * LONG_AXIS, inner, FRAME)
    base = half_space(MITRAL_CENTRE + 0.5 * LONG_AXIS, -LONG_AXIS)
    papillary = []
    for angle in np.deg2rad(np.array((20.0, -100.0)) + rng.normal(0.0, 12.0, size=2)):
        wall_side = np.cos(angle) * LATERAL + np.sin(angle) * SUPERIOR
        foot = MITRAL_CENTRE + 0.62 * length_mm * LONG_AXIS + (inner[1] * 0.72) * wall_side
        tip = MITRAL_CENTRE + 0.33 * length_mm * LONG_AXIS + (inner[1] * 0.55) * wall_side
        papillary.append(tube([foot, tip], [rng.uniform(3.5, 6.0), rng.uniform(2.0, 3.5)]))

    def left_ventricle(points: Points) -> Field:
        chamber = smooth_maximum(body(points), base(points), 4.0)
        for muscle in papillary:
            chamber = smooth_maximum(chamber, -muscle(points), 1.5)
        return chamber

    mitral = tube([MITRAL_CENTRE - 12.0 * LONG_AXIS, MITRAL_CENTRE + 8.0 * LONG_AXIS], 13.0)
    return {
        "lv cavity": left_ventricle,
        "mitral orifice": mitral,
        "tricuspid orifice": tube([_TRICUSPID_CENTRE - (12.0, -8.0, 0.0), _TRICUSPID_CENTRE + 12.0 * LONG_AXIS], 13.0),
        "outflow": tube([MITRAL_CENTRE + 16.0 * LONG_AXIS - 14.0 * LATERAL, aorta[0] + 4.0 * SUPERIOR], 10.5),
    }


def _right_ventricle(rng: np.random.Generator, length_mm: float) -> SignedDistance:
    centre = MITRAL_CENTRE + 0.30 * length_mm * LONG_AXIS + rng.normal(-35.0, 1.5) * LATERAL - 5.0 * SUPERIOR
    axes = as_points((0.63 * length_mm, 27.0, 37.0)) * _near_one(rng, 3)
    body = ellipsoid(centre, axes, FRAME)
    inflow = half_space(MITRAL_CENTRE - 7.0 * LONG_AXIS, -LONG_AXIS)
    outflow = tube([(27, -42, 2), (22, -46, 16), (24, -42, 31)], [17.0, 15.5, 13.0])

    def distance(points: Points) -> Field:
        return smooth_minimum(smooth_maximum(body(points), inflow(points), 12.0), outflow(points), 12.0)

    return distance


def _left_atrium(centre: Points, axes: Points) -> SignedDistance:
    body = ellipsoid(centre, axes)
    roof = ellipsoid(centre + as_points((4.0, 2.0, 8.0)), axes * as_points((0.95, 0.85, 0.7)))

    def distance(points: Points) -> Field:
        return smooth_minimum(body(points), roof(points), 12.0)

    return distance


def _pulmonary_veins(rng: np.random.Generator) -> SignedDistance:
    courses = (
        [(-14, 18, 32), (-38, 12, 38), (-62, 4, 48)],
        [(-12, 28, 16), (-34, 32, 10), (-60, 40, 2)],
        [(36, 18, 34), (54, 10, 40), (72, 0, 52)],
        [(34, 30, 18), (52, 38, 12), (72, 48, 2)],
    )
    tubes = []
    for course in courses:
        nodes = as_points(course)
        nodes[1:] += as_points(rng.normal(0.0, 2.0, size=(len(course) - 1, 3)))
        tubes.append(tube(nodes, as_points((8.5, 7.0, 4.5)) * _near_one(rng, 3)))

    def distance(points: Points) -> Field:
        best = tubes[0](points)
        for other in tubes[1:]:
            best = np.minimum(best, other(points))
        return best

    return distance


def _aorta_path(rng: np.random.Generator) -> tuple[Points, Points]:
    """Return nodes and radii from annulus over sinus, sinotubular junction and ascending aorta to the arch."""
    nodes = as_points(
        [(8, -13, 18), (6, -15, 28), (2, -18, 42), (-8, -22, 62), (-8, -20, 84), (0, 0, 104), (14, 25, 104)]
    )
    nodes[3:5] += as_points(rng.normal(0.0, 3.0, size=(2, 3)))
    size = clipped_normal(rng, 1.0, 0.09, 0.8, 1.3)
    return nodes, as_points((12.5, 16.0, 14.0, 16.0, 16.0, 14.0, 13.0)) * np.float32(size)
