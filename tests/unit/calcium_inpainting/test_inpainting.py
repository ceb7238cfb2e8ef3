"""The hidden cube slides until all calcium is replaced, and nothing else is touched."""

import numpy as np
import pytest

from coronary.calcium_inpainting.inpainting import inpaint_calcium
from coronary.calcium_inpainting.patches import PATCH_MM, PATCH_VOXELS, hidden_cube, to_unit
from coronary.ct_volume import CtVolume

LUMEN_HU = 400.0
#: Turned about the long axis and with slices towards the feet, as a scanner may store it.
AFFINE = np.array([[0.36, -0.27, 0.0, 5.0], [0.27, 0.36, 0.0, -8.0], [0.0, 0.0, -0.6, 30.0], [0.0, 0.0, 0.0, 1.0]])


class Network:
    """Answers what it is told of the visible patch; remembers what it saw."""

    def __init__(self, answer):
        self.answer, self.seen = answer, []

    def run(self, inputs):
        image = inputs["image"]
        assert image.shape == (1, 2, PATCH_VOXELS, PATCH_VOXELS, PATCH_VOXELS)
        self.seen.append(image[0])
        return [np.broadcast_to(self.answer(image[0]), image[:, 0].shape).astype(np.float32)]


def constant(_seen):
    return to_unit(np.float32(LUMEN_HU))


@pytest.fixture
def volume():
    return CtVolume(np.random.default_rng(7).integers(-100, 900, (40, 50, 50)).astype(np.int16), AFFINE)


@pytest.fixture
def is_calcified(volume):
    """A plaque longer than any cube and one far from it."""
    calcified = np.zeros(volume.voxels_hu.shape, bool)
    calcified[5:33, 20:24, 25:28] = True
    calcified[36, 10, 40] = True
    return calcified


@pytest.mark.parametrize("side", [8, 16])
def test_all_calcium_is_replaced_and_nothing_else(volume, is_calcified, side):
    before = volume.voxels_hu.copy()
    network = Network(constant)
    made = inpaint_calcium(network, volume, is_calcified, side)
    assert made.is_altered[is_calcified].all()
    assert (made.volume.voxels_hu[made.is_altered] == LUMEN_HU).all()
    assert np.array_equal(made.volume.voxels_hu[~made.is_altered], before[~made.is_altered])
    assert np.array_equal(volume.voxels_hu, before)
    longest_mm = 28 * 0.6
    assert longest_mm / (side * PATCH_MM) < len(network.seen) < 12 * longest_mm / (side * PATCH_MM)


def test_every_cube_is_hidden_and_sees_what_was_replaced_before(volume, is_calcified):
    network = Network(constant)
    inpaint_calcium(network, volume, is_calcified, 8)
    hidden = hidden_cube(8)
    for attenuation, is_hidden in network.seen:
        assert np.array_equal(is_hidden > 0, hidden)
        assert not attenuation[hidden].any()
    later = network.seen[1][0]
    assert np.isclose(later[~hidden], constant(None), atol=1e-3).sum() > 20


def test_what_is_made_lands_where_it_belongs(volume):
    """A network that knows the ramp along z restores it, whatever the axes of the scan."""
    z_mm = volume.to_lps_mm(np.argwhere(np.ones(volume.voxels_hu.shape, bool)).astype(float))[:, 2]
    ramp = CtVolume((20.0 * z_mm).round().astype(np.int16).reshape(volume.voxels_hu.shape), AFFINE)

    def continued(seen):
        """The ramp through two planes that are visible in every patch."""
        first, last = np.median(seen[0, 2]), np.median(seen[0, -3])
        steps = (np.arange(PATCH_VOXELS) - 2) / (PATCH_VOXELS - 5)
        return (first + (last - first) * steps)[:, None, None]

    one = np.zeros(volume.voxels_hu.shape, bool)
    one[18:22, 20:24, 25:28] = True
    spoilt = CtVolume(np.where(one, 2000, ramp.voxels_hu).astype(np.int16), AFFINE)
    made = inpaint_calcium(Network(continued), spoilt, one, 8)
    assert made.volume.voxels_hu[made.is_altered] == pytest.approx(ramp.voxels_hu[made.is_altered], abs=4)


def test_without_calcium_nothing_is_asked(volume):
    network = Network(constant)
    made = inpaint_calcium(network, volume, np.zeros(volume.voxels_hu.shape, bool), 16)
    assert not network.seen
    assert np.array_equal(made.volume.voxels_hu, volume.voxels_hu)
