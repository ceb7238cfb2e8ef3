"""Decides everything around the heart: body wall, bones, lungs and their vessels, diaphragm, upper abdomen.

Patient LPS mm, midline at x = 0. Distances are first order. HU belong to :mod:`materials`, painting to :mod:`render`.
"""

from dataclasses import dataclass

import numpy as np

from coronary.virtual_patient.heart_model import HeartModel
from coronary.virtual_patient.random_streams import clipped_normal, stream
from coronary.virtual_patient.shapes import Field, Points, as_points, ellipsoid, smooth_maximum, smooth_minimum, tube


@dataclass(frozen=True)
class Thorax:
    """Sizes (mm) of one patient's chest; ``rib_*`` place ribs, ``age_calcification`` (0 to 1) calcifies cartilage."""

    inner_half_width: float
    inner_half_depth: float
    squareness: float
    muscle_mm: float
    fat_mm: float
    rib_spacing: float
    rib_phase: float
    rib_slope: float
    rib_half_height: float
    rib_half_thickness: float
    sternum_half_width: float
    sternum_half_depth: float
    spine_radius: float
    disc_phase: float
    diaphragm_right_z: float
    diaphragm_left_z: float
    mediastinal_fat_mm: float
    age_calcification: float
    oesophagus: Points
    centre_y: float = -2.0

    def cavity(self, p: Points) -> Field:
        """Return the signed distance of the inner surface of the rib cage."""
        taper = 1.0 - 0.0011 * np.clip(p[..., 2], -60, 120)
        a, b = self.inner_half_width * taper, self.inner_half_depth * (1.0 - 0.0004 * p[..., 2])
        return _superellipse(p[..., 0], p[..., 1] - self.centre_y, a, b, self.squareness)

    def sternum_centre_y(self) -> float:
        """Return the anterior–posterior place of the sternum's middle."""
        return self.centre_y - self.inner_half_depth - self.sternum_half_depth + 1.0

    def distances(self, p: Points, heart: HeartModel, hearts: dict[str, Field], sac: Field) -> dict[str, Field]:
        """Return the signed distance of every thoracic structure at points ``p`` (``hearts``: the heart's own)."""
        cavity = self.cavity(p)
        spine = self._spine(p)
        oesophagus = tube(self.oesophagus, 6.0)(p)
        abdomen = self._abdomen(p)
        mediastinum = smooth_minimum(sac - 1.0, hearts["aorta"] - 4.0, 16.0)
        for name, margin in (("pulmonary_trunk", 3.0), ("rpa", 4.0), ("lpa", 3.0), ("svc", 3.0), ("ivc", 1.5)):
            mediastinum = smooth_minimum(mediastinum, hearts[name] - margin, 12.0)
        for field, margin in ((hearts["descending"], 2.0), (oesophagus, 3.0), (spine["vertebra"], 3.0)):
            mediastinum = smooth_minimum(mediastinum, field - margin, 12.0)
        mediastinum = smooth_minimum(mediastinum, self._anterior_fat(p), 26.0)
        mediastinum = smooth_minimum(mediastinum, self._fat_pads(p, heart), 22.0)
        lungs = smooth_maximum(smooth_maximum(cavity + 2.5, -mediastinum, 3.0), -abdomen["diaphragm"], 5.0)
        skin = cavity - self.muscle_mm - self.fat_mm * (0.75 + 0.25 * np.tanh(-(p[..., 1] + 20.0) / 40.0))
        found = {"skin": skin, "muscle": cavity - self.muscle_mm, "cavity": cavity, "lungs": lungs}
        found |= {"oesophagus": oesophagus, **abdomen, **spine, **self._cage(p, cavity)}
        return found

    def _anterior_fat(self, p: Points) -> Field:
        """Return the retrosternal fat: a wedge that narrows away from the sternum."""
        front = self.sternum_centre_y() + self.sternum_half_depth
        depth = p[..., 1] - front
        half_width = 5.0 + 0.5 * self.mediastinal_fat_mm + 9.0 * np.exp(-np.clip(depth, 0, 60) / 7.0)
        side = np.abs(p[..., 0] - 3.0 - 0.12 * depth) - half_width
        return np.asarray(np.maximum(0.8 * side, depth - 34.0), dtype=np.float32)

    def _fat_pads(self, p: Points, heart: HeartModel) -> Field:
        """Return the fat in both cardiophrenic angles, where the heart meets the diaphragm."""
        q = heart.pose.to_canonical(p)
        size = 6.0 + 0.6 * self.mediastinal_fat_mm
        right = ellipsoid((-16.0, -46.0, -36.0), (1.3 * size, 1.2 * size, 1.6 * size))(q)
        left = ellipsoid((78.0, -58.0, -44.0), (1.2 * size, size, 1.3 * size))(q)
        return np.minimum(right, left)

    def _abdomen(self, p: Points) -> dict[str, Field]:
        right, left = self.diaphragm_right_z, self.diaphragm_left_z
        depth = self.inner_half_depth
        dome_right = ellipsoid((-62, 4, right - 110), (78, depth * 1.05, 110))(p)
        dome_left = ellipsoid((66, 10, left - 95), (72, depth, 95))(p)
        middle = ellipsoid((5, 0, left - 5 - 80), (80, depth, 80))(p)
        diaphragm = smooth_minimum(smooth_minimum(dome_right, dome_left, 25.0), middle, 25.0)
        left_lobe = ellipsoid((15, -30, left - 48), (62, 42, 40))(p)
        liver = np.maximum(smooth_minimum(dome_right + 3.0, left_lobe, 15.0), diaphragm + 3.0)
        stomach = np.maximum(ellipsoid((62, -5, left - 46), (38, 40, 40))(p), diaphragm + 4.0)
        spleen = np.maximum(ellipsoid((88, 42, left - 60), (26, 32, 52))(p), diaphragm + 3.0)
        return {"diaphragm": diaphragm, "liver": liver, "stomach": stomach, "spleen": spleen}

    def _spine(self, p: Points) -> dict[str, Field]:
        x, y, z = p[..., 0], p[..., 1], p[..., 2]
        r = self.spine_radius
        body = _superellipse(x, y - 66.0, 1.12 * r, 0.95 * r, 2.6)
        waist = 1.6 * np.cos(2 * np.pi * (z / 25.0 + self.disc_phase)).astype(np.float32)
        level = np.abs(((z / 25.0 + self.disc_phase + 0.5) % 1.0) - 0.5) * 25.0
        arch = _superellipse(x, y - 88.0, 17.0, 13.0, 2.2)
        canal = _superellipse(x, y - 88.0, 9.5, 8.0, 2.0)
        spinous = np.maximum(np.abs(x) - 3.2, np.abs(y - 112.0) - 14.0) + 0.35 * np.abs(z % 25.0 - 12.5) - 2.0
        transverse = np.maximum(np.hypot(y - 92.0 - 0.25 * np.abs(x), (z + 6.0) % 25.0 - 12.5) - 5.5, np.abs(x) - 33.0)
        rear = np.minimum(np.minimum(np.maximum(arch, -canal), spinous), transverse)
        return {
            "vertebra": (body + waist).astype(np.float32),
            "disc": (level - 2.8).astype(np.float32),
            "vertebral_arch": rear.astype(np.float32),
            "spinal_canal": canal,
        }

    def _cage(self, p: Points, cavity: Field) -> dict[str, Field]:
        """Return ribs, their cartilage and the sternum."""
        x, y, z = p[..., 0], p[..., 1], p[..., 2]
        turn = np.abs(np.arctan2(x, (y - self.centre_y) * self.inner_half_width / self.inner_half_depth))
        height = z + self.rib_slope * turn - 10.0 * np.maximum(turn - 2.3, 0.0)
        offset = (height - self.rib_phase + self.rib_spacing / 2) % self.rib_spacing - self.rib_spacing / 2
        ratio = self.rib_half_thickness / self.rib_half_height
        mid = cavity - self.rib_half_thickness - 1.0
        rib = np.hypot(mid, offset * ratio) - self.rib_half_thickness
        cartilage_start = 2.55
        bone = np.maximum(rib, (turn - cartilage_start) * 60.0)
        cartilage = np.maximum(
            np.maximum(rib - 0.5, (cartilage_start - turn) * 60.0), self.sternum_half_width - np.abs(x)
        )
        half = self.sternum_half_width * (1.0 + 0.12 * np.cos(2 * np.pi * (z - self.rib_phase) / self.rib_spacing))
        sternum = _superellipse(x, y - self.sternum_centre_y(), half, self.sternum_half_depth, 3.0)
        sternum = smooth_maximum(sternum, (-58.0 - z).astype(np.float32), 10.0)
        return {
            k: np.asarray(v, dtype=np.float32)
            for k, v in (("ribs", bone), ("cartilage", cartilage), ("sternum", sternum))
        }


def build_thorax(seed: int, extreme: float, female: bool, age: float, fat_level: float) -> Thorax:
    """Draw one chest; ``fat_level`` (0.3 to 2.5) sets subcutaneous and mediastinal fat together."""
    rng = stream(seed, "thorax")
    size = (0.93 if female else 1.0) * clipped_normal(rng, 1.0, 0.045 * extreme, 0.85, 1.18)
    left = rng.normal(-44.0, 5.0)
    shift = rng.normal(0.0, 2.0)
    return Thorax(
        inner_half_width=128.0 * size,
        inner_half_depth=max(80.0, 85.0 * size * clipped_normal(rng, 1.0, 0.04, 0.9, 1.15)),
        squareness=rng.uniform(2.2, 2.8),
        muscle_mm=clipped_normal(rng, 20.0, 4.0, 12.0, 32.0),
        fat_mm=16.0 * fat_level,
        rib_spacing=rng.uniform(29.0, 36.0),
        rib_phase=rng.uniform(0.0, 36.0),
        rib_slope=rng.uniform(17.0, 28.0),
        rib_half_height=rng.uniform(5.5, 7.5),
        rib_half_thickness=rng.uniform(3.0, 4.2),
        sternum_half_width=rng.uniform(14.0, 19.0),
        sternum_half_depth=rng.uniform(5.0, 7.0),
        spine_radius=clipped_normal(rng, 17.0, 1.5, 14.0, 21.0),
        disc_phase=rng.uniform(0.0, 1.0),
        diaphragm_right_z=left + rng.uniform(10.0, 26.0),
        diaphragm_left_z=left,
        mediastinal_fat_mm=8.0 * fat_level + rng.uniform(0.0, 5.0),
        age_calcification=float(np.clip((age - 40.0) / 45.0 + rng.normal(0.0, 0.2), 0.0, 1.0)),
        oesophagus=as_points([(8 + shift, 43, -160), (8 + shift, 44, -40), (6 + shift, 45, 20), (2 + shift, 42, 110)]),
    )


def draw_lung_vessels(seed: int) -> Points:
    """Return lung vessels as segments ``[n, 8]``: start and end (patient LPS mm), radii at both (mm).

    Trees branch from both hila outwards; parts outside the lungs are removed when they are painted.
    """
    rng = stream(seed, "lung_vessels")
    rows: list[tuple[Points, Points, float, float]] = []
    for side in (-1.0, 1.0):
        for root in range(11):
            hilum = as_points((side * rng.uniform(36, 48), rng.uniform(0, 26), rng.uniform(8, 52)))
            aim = as_points((side * rng.uniform(0.3, 1.0), rng.uniform(-0.9, 0.9), rng.uniform(-0.8, 0.6)))
            _grow(rng, rows, hilum, aim / np.linalg.norm(aim), rng.uniform(2.6, 4.4), 0 if root < 6 else 1)
    starts, ends, first, last = zip(*rows, strict=True)
    return np.concatenate(
        [np.stack(starts), np.stack(ends), np.array(first)[:, None], np.array(last)[:, None]], axis=1, dtype=np.float32
    )


def _grow(
    rng: np.random.Generator,
    rows: list[tuple[Points, Points, float, float]],
    start: Points,
    direction: Points,
    radius: float,
    depth: int,
) -> None:
    if radius < 0.55 or depth > 7:
        return
    length = radius * rng.uniform(5.0, 8.0) + 3.0
    bend = direction + rng.normal(0.0, 0.22, size=3)
    middle = as_points(start + 0.5 * length * direction)
    end = as_points(middle + 0.5 * length * bend / np.linalg.norm(bend))
    rows += [(as_points(start), middle, radius, 0.95 * radius), (middle, end, 0.95 * radius, 0.88 * radius)]
    for share in (rng.uniform(0.78, 0.9), rng.uniform(0.5, 0.78)):
        turn = bend / np.linalg.norm(bend) + rng.normal(0.0, 0.42, size=3)
        _grow(rng, rows, end, as_points(turn / np.linalg.norm(turn)), radius * share, depth + 1)


def _superellipse(x: Field, y: Field, a: Field | float, b: Field | float, power: float) -> Field:
    u, v = np.abs(x) / a, np.abs(y) / b
    f = np.maximum((u**power + v**power) ** (1.0 / power), 1e-3)
    slope = np.hypot((u / f) ** (power - 1) / a, (v / f) ** (power - 1) / b)
    return np.asarray((f - 1.0) / np.maximum(slope, 1e-3), dtype=np.float32)
