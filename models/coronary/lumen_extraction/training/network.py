"""Generator of DL-LEM and the discriminator it is trained against.

Defines layers only. Slices are (batch, 1, rows, columns) of :func:`..slices.to_unit`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from coronary.training_kit.unet import UNet

#: Convolutions that are blended; the paper's figure 1 does not say how many.
BLENDED = 16

#: Feature maps per level of the U-Net that blends them; the paper gives none.
LEVEL_MAPS = (8, 16, 32, 64)

#: Feature maps per level of the discriminator.
DISCRIMINATOR_MAPS = (32, 64, 128)


class BlendedConvolutions(nn.Module):
    """Weighted mean of single 3 × 3 convolutions of the slice itself (paper 0, figure 1).

    A U-Net classifies every pixel; its softmax weighs the convolutions, so each pixel becomes a linear function of its
    neighbourhood and nothing can be drawn that is not there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Conv2d(1, BLENDED, 3, padding=1, padding_mode="replicate")
        self.classifier = UNet(1, BLENDED, LEVEL_MAPS, 2)
        self._begin_as_identity()

    def _begin_as_identity(self) -> None:
        """Every convolution begins near the one that changes nothing."""
        with torch.no_grad():
            self.convolutions.weight.mul_(0.1)
            self.convolutions.weight[:, 0, 1, 1] += 1.0
            cast(Tensor, self.convolutions.bias).zero_()

    def forward(self, x: Tensor) -> Tensor:
        """The other kind of slice, same shape; rows and columns must be multiples of 8."""
        shares, blended = self.parts(x)
        return (shares * blended).sum(dim=1, keepdim=True)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The shares and what each convolution makes of the slice, (batch, BLENDED, rows, columns) both."""
        return torch.softmax(self.classifier(x), dim=1), self.convolutions(x)


class Discriminator(nn.Module):
    """Says of every patch of a slice whether it was scanned or made (Isola 2017)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for maps in DISCRIMINATOR_MAPS:
            layers += [nn.Conv2d(before, maps, 4, stride=2, padding=1), nn.InstanceNorm2d(maps), nn.LeakyReLU(0.2)]
            before = maps
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 4, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """One value per patch, trained towards 1 for scanned and 0 for made ones."""
        return cast(Tensor, self.layers(x))
