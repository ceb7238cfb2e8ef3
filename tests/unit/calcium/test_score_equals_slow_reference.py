"""The score of 1,000 random lesions equals an independent, slow, obvious implementation exactly.

The reference below shares no code with the product: plain loops, a flood fill, no numpy arithmetic, no scipy.
Boundaries and weights are typed out again on purpose.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from coronary.calcium import MassCalibration, Vessel, lesion_label_map, score_calcium

Voxel = tuple[int, int, int]

FACES = [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
EDGES_IN_SLICE = [(0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]


@dataclass
class SlowLesion:
    vessel: int
    voxels: list[Voxel]
    field_count: int = 0
    paper_count: int = 0


@dataclass
class SlowScore:
    lesions: list[SlowLesion] = field(default_factory=list)
    field_count: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(5), 0))
    paper_count: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(5), 0))
    voxel_count: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(5), 0))


def slow_weight(peak: float) -> int:
    if peak >= 400:
        return 4
    if peak >= 300:
        return 3
    if peak >= 200:
        return 2
    return 1


def slow_flood(start: Voxel, members: set[Voxel], steps: list[Voxel]) -> set[Voxel]:
    reached = {start}
    to_visit = [start]
    while to_visit:
        z, y, x = to_visit.pop()
        for dz, dy, dx in steps:
            neighbour = (z + dz, y + dy, x + dx)
            if neighbour in members and neighbour not in reached:
                reached.add(neighbour)
                to_visit.append(neighbour)
    return reached


def slow_groups(members: set[Voxel], steps: list[Voxel]) -> list[set[Voxel]]:
    groups = []
    left = set(members)
    while left:
        group = slow_flood(min(left), left, steps)
        groups.append(group)
        left -= group
    return groups


def slow_score(hu: list[list[list[float]]], labels: list[list[list[int]]], pixel_area: float) -> SlowScore:
    """Weighted and plain voxel counts per vessel (0 = total) and per lesion; key 0 of each count is the total."""
    calcium = set()
    for z in range(len(hu)):
        for y in range(len(hu[z])):
            for x in range(len(hu[z][y])):
                if labels[z][y][x] != 0 and hu[z][y][x] >= 130:
                    calcium.add((z, y, x))
    score = SlowScore()
    for component in slow_groups(calcium, FACES):
        if len(component) * pixel_area < 1.0 - 1e-9:
            continue
        paper_weight = slow_weight(max(hu[z][y][x] for z, y, x in component))
        field_weight = {}
        for region in slow_groups(component, EDGES_IN_SLICE):
            weight = slow_weight(max(hu[z][y][x] for z, y, x in region))
            for voxel in region:
                field_weight[voxel] = weight
        for vessel in (1, 2, 3, 4):
            in_vessel = {(z, y, x) for z, y, x in component if labels[z][y][x] == vessel}
            for piece in slow_groups(in_vessel, FACES):
                lesion = SlowLesion(vessel, sorted(piece))
                for voxel in piece:
                    lesion.field_count += field_weight[voxel]
                    lesion.paper_count += paper_weight
                score.lesions.append(lesion)
                for key in (0, vessel):
                    score.field_count[key] += lesion.field_count
                    score.paper_count[key] += lesion.paper_count
                    score.voxel_count[key] += len(piece)
    score.lesions.sort(key=slow_position)
    return score


def slow_position(lesion: SlowLesion) -> tuple[float, ...]:
    n = len(lesion.voxels)
    centroid = [sum(voxel[axis] for voxel in lesion.voxels) / n for axis in range(3)]
    z, y, x = lesion.voxels[0]
    return (lesion.vessel, *centroid, z, y, x)


def random_lesions(rng: random.Random) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """A small volume with a few random walks of calcium that touch, cross vessels, dip below 130 and stay tiny."""
    shape = (rng.randint(1, 5), rng.randint(3, 9), rng.randint(3, 9))
    hu = np.full(shape, 40, dtype=np.int16)
    labels = np.zeros(shape, dtype=np.uint8)
    for _ in range(rng.randint(1, 6)):
        vessel = rng.randint(1, 4)
        position = [rng.randrange(side) for side in shape]
        # Values around every boundary are drawn far more often than a uniform draw would.
        ceiling = rng.choice([131, 199, 200, 299, 300, 399, 400, 1200])
        for _ in range(rng.choice([1, 2, 5, 20, 60])):
            if rng.random() < 0.05:
                vessel = rng.randint(1, 4)
            hu[tuple(position)] = rng.choice([128, 129, 130, 131, ceiling - 1, ceiling])
            labels[tuple(position)] = vessel
            axis = rng.randrange(3)
            position[axis] = min(max(position[axis] + rng.choice([-1, 1]), 0), shape[axis] - 1)
    return hu, labels


def random_spacing(rng: random.Random) -> tuple[float, float, float]:
    pixel = rng.choice([0.25, 0.5, 1 / 3, 0.390625, 0.488281, 1.0, round(rng.uniform(0.2, 1.1), 6)])
    return rng.choice([3.0, 2.5, 1.5, 0.7, round(rng.uniform(0.4, 5.0), 4)]), pixel, pixel


def affine_of(spacing_zyx_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.diag([*spacing_zyx_mm[::-1], 1.0])


@pytest.mark.parametrize("batch", range(10))
def test_random_lesions_equal_the_slow_reference_exactly(batch: int) -> None:
    rng = random.Random(20260 + batch)
    n_lesions = 0
    for _ in range(100):
        hu, labels = random_lesions(rng)
        spacing = random_spacing(rng)
        dz, dy, dx = spacing
        expected = slow_score(hu.tolist(), labels.tolist(), dy * dx)
        score = score_calcium(hu, labels, spacing, affine_of(spacing))
        for key, name in enumerate(["total", "LM", "LAD", "LCX", "RCA"]):
            assert score.agatston.as_dict()[name] == expected.field_count[key] * (dy * dx * (dz / 3.0))
            assert score.agatston_paper.as_dict()[name] == expected.paper_count[key] * (dy * dx)
            assert score.volume_mm3.as_dict()[name] == expected.voxel_count[key] * (dy * dx * dz)
        lesion_map = lesion_label_map(hu, labels, spacing)
        assert np.count_nonzero(lesion_map) == expected.voxel_count[0]
        assert len(score.lesions) == len(expected.lesions)
        for lesion, slow in zip(score.lesions, expected.lesions, strict=True):
            values = [hu[voxel] for voxel in slow.voxels]
            assert lesion.vessel == slow.vessel
            assert (lesion.weighted_pixels, lesion.weighted_pixels_paper) == (slow.field_count, slow.paper_count)
            assert lesion.agatston == slow.field_count * (dy * dx * (dz / 3.0))
            assert lesion.agatston_paper == slow.paper_count * (dy * dx)
            assert lesion.volume_mm3 == len(slow.voxels) * (dy * dx * dz)
            assert lesion.peak_hu == max(values)
            assert lesion.mean_hu == sum(int(value) for value in values) / len(values)
            assert lesion.slices == tuple(sorted({z for z, _, _ in slow.voxels}))
            assert [tuple(v) for v in np.argwhere(lesion_map == lesion.label).tolist()] == slow.voxels
        n_lesions += len(expected.lesions)
    assert n_lesions >= 100, "ten batches hold at least 1,000 lesions"


def test_random_lesions_reach_the_cases_in_which_wrong_rules_differ() -> None:
    """Exact agreement means something only if noise, diagonals, vessel borders and both conventions occur."""
    rng = random.Random(20260)
    diagonals = [*FACES, (0, 1, 1), (0, -1, -1), (0, 1, -1), (0, -1, 1)]
    with_noise = with_diagonal = with_border = with_other_convention = 0
    for _ in range(100):
        hu, labels = random_lesions(rng)
        _, dy, dx = random_spacing(rng)
        members: set[Voxel] = {(z, y, x) for z, y, x in np.argwhere((labels > 0) & (hu >= 130)).tolist()}
        components = slow_groups(members, FACES)
        score = slow_score(hu.tolist(), labels.tolist(), dy * dx)
        with_noise += any(len(component) * dy * dx < 1 for component in components)
        with_diagonal += len(components) != len(slow_groups(members, diagonals))
        with_border += any(len({labels[voxel] for voxel in component}) > 1 for component in components)
        with_other_convention += score.field_count[0] != score.paper_count[0]
    assert min(with_noise, with_diagonal, with_border, with_other_convention) >= 10


def test_mass_of_random_lesions_is_factor_times_integrated_attenuation() -> None:
    rng = random.Random(3)
    calibration = MassCalibration(0.773, "test calibration")
    for _ in range(50):
        hu, labels = random_lesions(rng)
        spacing = random_spacing(rng)
        dz, dy, dx = spacing
        score = score_calcium(hu, labels, spacing, affine_of(spacing), mass_calibration=calibration)
        assert score.mass_mg is not None
        expected = {0: 0, 1: 0, 2: 0, 3: 0, 4: 0}
        for slow in slow_score(hu.tolist(), labels.tolist(), dy * dx).lesions:
            for key in (0, slow.vessel):
                expected[key] += sum(int(hu[voxel]) for voxel in slow.voxels)
        assert score.mass_mg.total == pytest.approx(0.773 * expected[0] * dz * dy * dx / 1000, rel=1e-12)
        for vessel in Vessel:
            mass = 0.773 * expected[int(vessel)] * dz * dy * dx / 1000
            assert score.mass_mg.of(vessel) == pytest.approx(mass, rel=1e-12)
        for lesion in score.lesions:
            assert lesion.mass_mg == pytest.approx(0.773 * lesion.mean_hu * lesion.volume_mm3 / 1000, rel=1e-12)
