"""The three networks of paper 3: ResNet-50, VGG-16 and Inception-ResNet v2.

Defines layers only. A picture has three channels, as those of the originals. Every network has the depth and the blocks
of its original and a share of its feature maps: paper 3's ResNet-50 has 1.46 M weights, which a quarter of the maps of
the original gives (23.5 M). The same quarter for all keeps the comparison to the form of the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

NetworkName = Literal["resnet-50", "vgg", "inception-resnet-v2"]
NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)

#: The slice between its neighbours, in the place of red, green and blue.
PICTURE_CHANNELS = 3

#: Share of the feature maps of the originals.
WIDTH = 0.25

DROPOUT = 0.5  # paper 3 does not say; 0.5 in VGG


def build_network(name: NetworkName, channels: int = PICTURE_CHANNELS) -> PictureClassifier:
    """The untrained network of this name, for images of so many channels."""
    make: dict[NetworkName, Callable[[int], tuple[nn.Module, int]]] = {
        "resnet-50": _resnet_50,
        "vgg": _vgg_16,
        "inception-resnet-v2": _inception_resnet_v2,
    }
    return PictureClassifier(*make[name](channels))


class PictureClassifier(nn.Module):
    """Feature maps averaged over the picture, dropout, one answer: the logit of calcium."""

    def __init__(self, features: nn.Module, maps: int) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(maps, 1))

    def forward(self, x: Tensor) -> Tensor:
        """One answer for each picture of (batch, channels, rows, columns), shape (batch,)."""
        answers: Tensor = self.head(self.features(x))
        return answers[:, 0]


def _maps(of_original: int) -> int:
    return round(of_original * WIDTH)


def _convolution(
    maps_in: int, maps: int, size: int | tuple[int, int] = 3, stride: int = 1, *, same: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; padded to the same size, or not at all."""
    padding = tuple(side // 2 for side in (size if isinstance(size, tuple) else (size, size))) if same else 0
    return nn.Sequential(
        nn.Conv2d(maps_in, maps, size, stride, padding, bias=False), nn.BatchNorm2d(maps), nn.ReLU(inplace=True)
    )


# ── ResNet-50 (He 2016, table 1) ─────────────────────────────────────────────────────────────────────────────────────


def _resnet_50(channels: int) -> tuple[nn.Module, int]:
    stem = _maps(64)
    layers: list[nn.Module] = [_convolution(channels, stem, 7, 2), nn.MaxPool2d(3, 2, 1)]
    before = stem
    for maps, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for k in range(blocks):
            layers.append(_Bottleneck(before, _maps(maps), stride if k == 0 else 1))
            before = 4 * _maps(maps)
    return nn.Sequential(*layers), before


class _Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 convolutions beside a shortcut."""

    def __init__(self, maps_in: int, maps: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            _convolution(maps_in, maps, 1),
            _convolution(maps, maps, 3, stride),
            nn.Conv2d(maps, 4 * maps, 1, bias=False),
            nn.BatchNorm2d(4 * maps),
        )
        is_same = stride == 1 and maps_in == 4 * maps
        self.shortcut: nn.Module = nn.Identity()
        if not is_same:
            self.shortcut = nn.Sequential(nn.Conv2d(maps_in, 4 * maps, 1, stride, bias=False), nn.BatchNorm2d(4 * maps))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.inner(x) + self.shortcut(x))


# ── VGG-16 (Simonyan 2014, configuration D) with batch normalisation ─────────────────────────────────────────────────


def _vgg_16(channels: int) -> tuple[nn.Module, int]:
    """Its fully connected layers, nine tenths of its weights, are left out: they are bound to one picture size."""
    layers: list[nn.Module] = []
    before = channels
    for maps, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            layers.append(_convolution(before, _maps(maps)))
            before = _maps(maps)
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers), before


# ── Inception-ResNet v2 (Szegedy 2017, figures 15 to 18 and table 1) ─────────────────────────────────────────────────


def _inception_resnet_v2(channels: int) -> tuple[nn.Module, int]:
    last = _maps(1536)
    return nn.Sequential(
        _InceptionStem(channels),
        *[_InceptionResidual(384, _BRANCHES_A, 0.17) for _ in range(5)],
        _reduction_a(),
        *[_InceptionResidual(1152, _BRANCHES_B, 0.10) for _ in range(10)],
        _reduction_b(),
        *[_InceptionResidual(2144, _BRANCHES_C, 0.20) for _ in range(5)],
        _convolution(_maps(2144), last, 1),
    ), last


#: A branch: maps and size of each convolution.
_Branch = Sequence[tuple[int, int | tuple[int, int]]]

_BRANCHES_A: Sequence[_Branch] = (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3)))
_BRANCHES_B: Sequence[_Branch] = (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1))))
_BRANCHES_C: Sequence[_Branch] = (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))


class _Side(nn.Module):
    """Branches beside each other; their maps are put together."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _chain(maps_in: int, branch: _Branch) -> nn.Sequential:
    layers = []
    before = _maps(maps_in)
    for maps, size in branch:
        layers.append(_convolution(before, _maps(maps), size))
        before = _maps(maps)
    return nn.Sequential(*layers)


class _InceptionResidual(nn.Module):
    """Branches of different reach, brought to the maps of the input and added to it, scaled."""

    def __init__(self, maps: int, branches: Sequence[_Branch], scale: float) -> None:
        super().__init__()
        self.side = _Side(*[_chain(maps, branch) for branch in branches])
        joined = sum(_maps(branch[-1][0]) for branch in branches)
        self.join = nn.Conv2d(joined, _maps(maps), 1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.scale * self.join(self.side(x)))


class _InceptionStem(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            _convolution(channels, _maps(32), 3, 2, same=False),
            _convolution(_maps(32), _maps(32), same=False),
            _convolution(_maps(32), _maps(64)),
            _Side(nn.MaxPool2d(3, 2), _convolution(_maps(64), _maps(96), 3, 2, same=False)),
        )
        self.second = _Side(
            nn.Sequential(_convolution(_maps(160), _maps(64), 1), _convolution(_maps(64), _maps(96), same=False)),
            nn.Sequential(
                _chain(160, ((64, 1), (64, (7, 1)), (64, (1, 7)))), _convolution(_maps(64), _maps(96), same=False)
            ),
        )
        self.third = _Side(_convolution(_maps(192), _maps(192), 3, 2, same=False), nn.MaxPool2d(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.third(self.second(self.first(x)))


def _reduction_a() -> nn.Module:
    maps = 384
    return _Side(
        nn.MaxPool2d(3, 2),
        _convolution(_maps(maps), _maps(384), 3, 2, same=False),
        nn.Sequential(_chain(maps, ((256, 1), (256, 3))), _convolution(_maps(256), _maps(384), 3, 2, same=False)),
    )


def _reduction_b() -> nn.Module:
    maps = 1152
    return _Side(
        nn.MaxPool2d(3, 2),
        nn.Sequential(_chain(maps, ((256, 1),)), _convolution(_maps(256), _maps(384), 3, 2, same=False)),
        nn.Sequential(_chain(maps, ((256, 1),)), _convolution(_maps(256), _maps(288), 3, 2, same=False)),
        nn.Sequential(_chain(maps, ((256, 1), (288, 3))), _convolution(_maps(288), _maps(320), 3, 2, same=False)),
    )
