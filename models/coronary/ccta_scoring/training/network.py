"""The two networks of contrast-CT scoring: V-Net for the coronary tree, DeepLab v3+ for the ascending aorta.

Defines layers only; what goes in is decided in ``preprocess.py``, how they learn in ``train.py``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Feature maps per level of the V-Net (Milletari 2016: 16 to 256) and 5-wide convolutions per level.
VNET_WIDTH = 16
VNET_CONVOLUTIONS = (1, 2, 3, 3, 3)

#: Rates of the atrous convolutions at output stride 16: with 160 pixels the maps are 10 wide, so DeepLab's 6, 12, 18
#: would mostly see padding.
ATROUS_RATES = (2, 4, 6)


#: Values per row that an activation in bfloat16 works on; a multiple of every level's feature maps.
ROW = 512


class _RowsPReLU(torch.autograd.Function):
    """PReLU over long rows instead of pixels of 16 values: a quarter of the time where vectors have 512 bits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1).reshape(-1, ROW)
        slopes = slope.to(x.dtype).repeat(ROW // len(slope))
        ctx.save_for_backward(rows, slopes)
        ctx.maps = len(slope)
        result = rows.clamp(min=0).addcmul_(rows.clamp(max=0), slopes)
        return _like(result, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        rows, slopes = ctx.saved_tensors
        gradient = gradients[0].permute(0, 2, 3, 1).reshape(-1, ROW)
        right = torch.ops.aten.threshold_backward(gradient, rows, 0)
        left = gradient - right
        of_slope = torch.ones(1, len(rows), dtype=rows.dtype) @ (left * rows)
        return _like(right.addcmul_(left, slopes), gradients[0]), of_slope.float().view(-1, ctx.maps).sum(0)


def _like(rows: Tensor, x: Tensor) -> Tensor:
    batch, channels, height, width = x.shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)


class _PReLU(nn.PReLU):
    """PReLU, quick in training with bfloat16; the same layer otherwise."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.dtype == torch.bfloat16 and x.numel() % ROW == 0:
            return _RowsPReLU.apply(x, self.weight)
        return super().forward(x)


class _Residual(nn.Module):
    """5 × 5 convolutions with batch normalisation and PReLU; the input is added before the last PReLU."""

    def __init__(self, channels_in: int, channels: int, convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(convolutions):
            layers += [nn.Conv2d(channels_in if k == 0 else channels, channels, 5, padding=2, bias=False)]
            layers += [nn.BatchNorm2d(channels)]
            if k < convolutions - 1:
                layers += [_PReLU(channels)]
        self.layers = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if channels_in == channels else nn.Conv2d(channels_in, channels, 1, bias=False)
        self.activation = _PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.layers(x) + self.shortcut(x))


class VNet(nn.Module):
    """V-Net (Milletari 2016) with 2-D convolutions on neighbouring slices, "2.5 D" (paper 1, section 2.4).

    Input (batch, channels, rows, columns), rows and columns multiples of 16; output one logit per answer and pixel.
    """

    def __init__(self, channels_in: int, answers: int, width: int = VNET_WIDTH) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(len(VNET_CONVOLUTIONS))]
        self.down_blocks = nn.ModuleList([_Residual(channels_in, widths[0], VNET_CONVOLUTIONS[0])])
        self.downs = nn.ModuleList()
        self.ups = nn.ModuleList()
        self.up_blocks = nn.ModuleList()
        for level in range(1, len(widths)):
            above, here = widths[level - 1], widths[level]
            self.downs.append(_resize(nn.Conv2d(above, here, 2, stride=2, bias=False), here))
            self.down_blocks.append(_Residual(here, here, VNET_CONVOLUTIONS[level]))
            self.ups.append(_resize(nn.ConvTranspose2d(here, above, 2, stride=2, bias=False), above))
            self.up_blocks.append(_Residual(2 * above, above, VNET_CONVOLUTIONS[level - 1]))
        self.head = nn.Conv2d(widths[0], answers, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, answers, rows, columns)."""
        kept = [self.down_blocks[0](x)]
        for down, block in zip(self.downs, list(self.down_blocks)[1:], strict=True):
            kept.append(block(down(kept[-1])))
        maps = kept.pop()
        for level in reversed(range(len(kept))):
            maps = self.up_blocks[level](torch.cat([self.ups[level](maps), kept[level]], dim=1))
        return self.head(maps)


def _resize(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), _PReLU(channels))


def _unit(
    channels_in: int, channels: int, kernel: int, *, stride: int = 1, rate: int = 1, groups: int = 1
) -> nn.Module:
    padding = rate * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, kernel, stride, padding, rate, groups, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )


class _InvertedResidual(nn.Module):
    """Block of MobileNet v2 (Sandler 2018): widen, filter each channel, narrow without activation."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int = 6) -> None:
        super().__init__()
        hidden = expansion * channels_in
        self.layers = nn.Sequential(
            _unit(channels_in, hidden, 1),
            _unit(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.is_residual = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.is_residual else self.layers(x)


class DeepLabV3Plus(nn.Module):
    """DeepLab v3+ (Chen 2018) on a small MobileNet v2 backbone, output stride 16.

    Input (batch, channels, rows, columns), rows and columns multiples of 16; output one logit per pixel.
    """

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.shallow = nn.Sequential(
            _unit(channels_in, 24, 3, stride=2), _InvertedResidual(24, 24, 2), _InvertedResidual(24, 24, 1)
        )
        self.deep = nn.Sequential(
            _InvertedResidual(24, 32, 2),
            _InvertedResidual(32, 32, 1),
            _InvertedResidual(32, 64, 2),
            _InvertedResidual(64, 64, 1),
            _InvertedResidual(64, 96, 1),
        )
        self.pyramid = nn.ModuleList([_unit(96, 64, 1), *(_unit(96, 64, 3, rate=rate) for rate in ATROUS_RATES)])
        self.pooled = _unit(96, 64, 1)
        self.joined = _unit(64 * (len(ATROUS_RATES) + 2), 64, 1)
        self.skip = _unit(24, 24, 1)
        self.decoder = nn.Sequential(_unit(64 + 24, 64, 3), _unit(64, 64, 3), nn.Conv2d(64, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (batch, 1, rows, columns)."""
        shallow = self.shallow(x)
        deep = self.deep(shallow)
        everywhere = self.pooled(deep.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, deep.shape[2], deep.shape[3])
        maps = self.joined(torch.cat([*(branch(deep) for branch in self.pyramid), everywhere], dim=1))
        maps = functional.interpolate(maps, scale_factor=4.0, mode="bilinear", align_corners=False)
        logits = self.decoder(torch.cat([maps, self.skip(shallow)], dim=1))
        return functional.interpolate(logits, scale_factor=4.0, mode="bilinear", align_corners=False)


class Probability(nn.Module):
    """What is exported: sigmoid of each answer, shape (slices, answers, rows, columns)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Sigmoid of the network's logits."""
        return torch.sigmoid(self.network(x))
