"""U-Net of any number of levels for slices and cubes, shared by the families that train one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

_LAYERS: dict[int, tuple[type[nn.Module], type[nn.Module], type[nn.Module]]] = {
    2: (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d),
    3: (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d),
}


class UNet(nn.Module):
    """U-Net in two (Ronneberger 2015) or three dimensions (Çiçek 2016), two convolutions per level.

    Parameters
    ----------
    level_maps
        Feature maps of each level, the finest first; each next one has half the resolution.
    """

    def __init__(self, maps_in: int, answers: int, level_maps: Sequence[int], dimensions: Literal[2, 3]) -> None:
        super().__init__()
        convolution, _, pool = _LAYERS[dimensions]
        first, *others = level_maps
        self.downs = nn.ModuleList([_twice(maps_in, first, dimensions)])
        self.ups = nn.ModuleList()
        for above, here in zip(level_maps, others, strict=False):
            self.downs.append(nn.Sequential(pool(2), _twice(above, here, dimensions)))
            self.ups.append(_twice(above + here, above, dimensions))
        self.widen = nn.Upsample(scale_factor=2.0)
        self.head = convolution(first, answers, 1)

    def forward(self, x: Tensor) -> Tensor:
        """One map per answer; edges must be multiples of 2 to the number of levels less one."""
        kept = [self.downs[0](x)]
        for down in list(self.downs)[1:]:
            kept.append(down(kept[-1]))
        maps = kept.pop()
        for up in reversed(list(self.ups)):
            maps = up(torch.cat([self.widen(maps), kept.pop()], dim=1))
        return cast(Tensor, self.head(maps))


def _twice(maps_in: int, maps: int, dimensions: Literal[2, 3]) -> nn.Sequential:
    convolution, norm, _ = _LAYERS[dimensions]
    layers: list[nn.Module] = []
    for before in (maps_in, maps):
        layers += [convolution(before, maps, 3, padding=1, bias=False), norm(maps), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
