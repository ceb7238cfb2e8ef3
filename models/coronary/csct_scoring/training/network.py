"""U-Net++ of the CSCT scoring family (papers: Hong 2022, Fig. 3b; Zhou 2018, Fig. 1a).

Defines layers only; what goes in is decided in ``preprocess.py``, how it learns in ``train.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Feature maps per level of the paper's network; other widths scale the first number.
PAPER_WIDTH = 32
LEVELS = 5


def _conv_block(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with batch normalisation and ReLU (Hong 2022, section 2.4)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class UNetPlusPlus(nn.Module):
    """Nested U-Net with dense skip connections and two linear heads.

    Parameters
    ----------
    channels_in
        Input channels; the paper has 2 (slice, > 130 HU mask).
    width
        Feature maps of the first level; 32 gives the paper's 32-64-128-256-512.
    classes
        Classes of the calcium head: none, LM, LAD, LCX, RCA.

    Notes
    -----
    The territory head is ours, for training only: it learns where the vessels run, also where they hold no calcium,
    from the exact centrelines of the virtual patients. The exported network has the calcium head alone.
    """

    def __init__(self, channels_in: int, width: int = PAPER_WIDTH, classes: int = 5) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS)]
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.nodes = nn.ModuleDict()
        for level in range(LEVELS):
            self.nodes[f"{level}_0"] = _conv_block(channels_in if level == 0 else widths[level - 1], widths[level])
        for depth in range(1, LEVELS):
            for level in range(LEVELS - depth):
                channels = widths[level] * depth + widths[level + 1]
                self.nodes[f"{level}_{depth}"] = _conv_block(channels, widths[level])
        self.calcium_head = nn.Conv2d(widths[0], classes, 1)
        self.territory_head = nn.Conv2d(widths[0], classes, 1)

    def features(self, x: Tensor) -> Tensor:
        """Feature maps of node X(0,4), shape (batch, width, rows, columns)."""
        grid: dict[tuple[int, int], Tensor] = {}
        for level in range(LEVELS):
            source = x if level == 0 else self.pool(grid[level - 1, 0])
            grid[level, 0] = self.nodes[f"{level}_0"](source)
            for depth in range(1, level + 1):
                row = level - depth
                skips = [grid[row, j] for j in range(depth)]
                joined = torch.cat([*skips, self.up(grid[row + 1, depth - 1])], dim=1)
                grid[row, depth] = self.nodes[f"{row}_{depth}"](joined)
        return grid[0, LEVELS - 1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the calcium head and of the territory head, each (batch, classes, rows, columns)."""
        maps = self.features(x)
        return self.calcium_head(maps), self.territory_head(maps)


class CalciumProbabilities(nn.Module):
    """What is exported: class probabilities of the calcium head."""

    def __init__(self, network: UNetPlusPlus) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Softmax over (none, LM, LAD, LCX, RCA), shape (batch, 5, rows, columns)."""
        return torch.softmax(self.network.calcium_head(self.network.features(x)), dim=1)
