"""Dense-Unet and the three networks that paper 2 compares it with, for cubes of 32 voxels.

Defines layers only. Every network takes (batch, 2, z, y, x) of :func:`..patches.network_input` and answers one map of
the same size: what it would change of the visible attenuation, so that a network that has learnt nothing leaves a
visible voxel as it is. Paper 2 gives sizes for Dense-Unet alone; the others have about as many weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from coronary.calcium_inpainting.patches import COARSE_RANGE
from coronary.training_kit.unet import UNet

NetworkName = Literal["dense-unet", "densenet", "u-net", "autoencoder", "dense-unet-coarse"]
NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)

#: Paper 2, section 2.2.
LAYERS_PER_BLOCK = 12
GROWTH_RATE = 4

#: Feature maps that a transition of Dense-Unet hands on; the paper does not say.
TRANSITION_MAPS = 16

#: Feature maps per level of the U-Net and the autoencoder.
LEVEL_MAPS = (16, 32, 64)

CHANNELS = 2

#: What the removal network may put in the place of calcium: fat to the brightest blood.
THOUGHT_RANGE = (-0.5, 1.2)


def build_network(name: NetworkName) -> nn.Module:
    """The untrained network of this name."""
    make: dict[NetworkName, Callable[[], nn.Module]] = {
        "dense-unet": lambda: DenseUnet(_Frame),
        "densenet": DenseNet,
        "u-net": lambda: UNet(CHANNELS, 1, LEVEL_MAPS, 3),
        "autoencoder": Autoencoder,
        "dense-unet-coarse": lambda: DenseUnet(_CoarseFrame),
    }
    return _Correcting(make[name]())


class RemovalNetwork(nn.Module):
    """Sees the calcium (:func:`..patches.removal_input`) and answers the patch without it.

    Every voxel is a mean of what was scanned and what is thought to lie there; how much of each, the network decides.
    Where there is no calcium that leaves the scan as it is, with its noise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.inner = UNet(CHANNELS, 2, LEVEL_MAPS, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Attenuation in units of the contrast between wall and blood, shape (batch, z, y, x)."""
        answer = torch.sigmoid(self.inner(x).float())
        low, high = THOUGHT_RANGE
        kept, thought = answer[:, 0], low + (high - low) * answer[:, 1]
        scanned = x[:, 1] * COARSE_RANGE[1] + torch.clamp(x[:, 0], max=0.0)
        return kept * scanned + (1.0 - kept) * thought


class _Correcting(nn.Module):
    """Adds a network's answer to the attenuation that it was shown; at first the answer is nothing."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        last = [layer for layer in inner.modules() if isinstance(layer, nn.Conv3d)][-1]
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Attenuation of every voxel, shape (batch, z, y, x)."""
        return x[:, 0] + self.inner(x)[:, 0]


def _convolution(maps_in: int, maps: int) -> nn.Sequential:
    """Batch normalisation, ReLU and a 3 × 3 × 3 convolution: the transition of paper 2."""
    return nn.Sequential(
        nn.BatchNorm3d(maps_in), nn.ReLU(inplace=True), nn.Conv3d(maps_in, maps, 3, padding=1, bias=False)
    )


class _DenseBlock(nn.Module):
    """Each layer sees all before it and adds GROWTH_RATE maps (Huang 2017)."""

    def __init__(self, maps_in: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [_convolution(maps_in + k * GROWTH_RATE, GROWTH_RATE) for k in range(LAYERS_PER_BLOCK)]
        )
        self.maps = maps_in + LAYERS_PER_BLOCK * GROWTH_RATE

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x


class _Frame(nn.Module):
    """What surrounds the dense blocks: to half resolution before them, and back with what was seen beside them.

    The paper gives no resolution for its blocks. At that of the patch one training step takes eight times as long.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.stem = nn.Conv3d(CHANNELS, TRANSITION_MAPS, 3, padding=1, bias=False)
        self.halve = nn.Sequential(_convolution(TRANSITION_MAPS, TRANSITION_MAPS), nn.MaxPool3d(2))
        self.widen = nn.Sequential(_convolution(maps, TRANSITION_MAPS), nn.Upsample(scale_factor=2.0))
        self.head = nn.Sequential(
            _convolution(2 * TRANSITION_MAPS + CHANNELS, TRANSITION_MAPS), _convolution(TRANSITION_MAPS, 1)
        )

    def forward(self, x: Tensor, blocks: Callable[[Tensor], Tensor]) -> Tensor:
        """One map at the resolution of the input `x`, from what the blocks make of features at half of it."""
        seen = self.stem(x)
        return cast(Tensor, self.head(torch.cat([self.widen(blocks(self.halve(seen))), seen, x], dim=1)))


class _CoarseFrame(nn.Module):
    """A frame without features at the resolution of the patch: what the method ``hidden`` was trained with."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.stem = nn.Conv3d(CHANNELS, TRANSITION_MAPS, 3, stride=2, padding=1, bias=False)
        self.widen = nn.Sequential(_convolution(maps, TRANSITION_MAPS), nn.Upsample(scale_factor=2.0))
        self.head = _convolution(TRANSITION_MAPS + CHANNELS, 1)

    def forward(self, x: Tensor, blocks: Callable[[Tensor], Tensor]) -> Tensor:
        """As :meth:`_Frame.forward`."""
        return cast(Tensor, self.head(torch.cat([self.widen(blocks(self.stem(x))), x], dim=1)))


class DenseUnet(nn.Module):
    """Three dense blocks, the one in the middle at lower resolution, with a shortcut around it (paper 2, figure 1)."""

    def __init__(self, frame: type[_Frame | _CoarseFrame]) -> None:
        super().__init__()
        self.down_block = _DenseBlock(TRANSITION_MAPS)
        self.down = nn.Sequential(_convolution(self.down_block.maps, TRANSITION_MAPS), nn.MaxPool3d(2))
        self.low_block = _DenseBlock(TRANSITION_MAPS)
        self.up = nn.Sequential(_convolution(self.low_block.maps, TRANSITION_MAPS), nn.Upsample(scale_factor=2.0))
        self.shortcut = _convolution(self.down_block.maps, TRANSITION_MAPS)
        self.up_block = _DenseBlock(2 * TRANSITION_MAPS)
        self.frame = frame(self.up_block.maps)

    def forward(self, x: Tensor) -> Tensor:
        """One map, shape (batch, 1, z, y, x); edges must be multiples of 4."""
        return cast(Tensor, self.frame(x, self._blocks))

    def _blocks(self, x: Tensor) -> Tensor:
        fine = self.down_block(x)
        low = self.up(self.low_block(self.down(fine)))
        return cast(Tensor, self.up_block(torch.cat([low, self.shortcut(fine)], dim=1)))


class DenseNet(nn.Module):
    """The same three dense blocks, all at one resolution: no wider view, no shortcut."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [_DenseBlock(TRANSITION_MAPS) for _ in range(3)]
        between = [_convolution(block.maps, TRANSITION_MAPS) for block in blocks[:-1]]
        self.blocks = nn.Sequential(blocks[0], between[0], blocks[1], between[1], blocks[2])
        self.frame = _Frame(blocks[2].maps)

    def forward(self, x: Tensor) -> Tensor:
        """One map, shape (batch, 1, z, y, x); edges must be even."""
        return cast(Tensor, self.frame(x, self.blocks))


class Autoencoder(nn.Module):
    """An encoder to a twentieth of the values and a decoder, without shortcuts (Pathak 2016)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = CHANNELS
        for maps in LEVEL_MAPS:
            layers += [nn.Conv3d(before, maps, 4, stride=2, padding=1, bias=False), *_activated(maps)]
            before = maps
        for maps in (*reversed(LEVEL_MAPS[:-1]), LEVEL_MAPS[0]):
            layers += [nn.ConvTranspose3d(before, maps, 4, stride=2, padding=1, bias=False), *_activated(maps)]
            before = maps
        self.layers = nn.Sequential(*layers, nn.Conv3d(before, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """One map, shape (batch, 1, z, y, x); edges must be multiples of 8."""
        return self.layers(x)


def _activated(maps: int) -> list[nn.Module]:
    return [nn.BatchNorm3d(maps), nn.ReLU(inplace=True)]
