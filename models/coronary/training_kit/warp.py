"""Random warps of image crops, shared by the batches of the families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def random_warp(
    recipe: Mapping[str, Any],
    rng: np.random.Generator,
    *,
    size: int,
    crop_pixels: int,
    pixel_mm: float,
    bend_nodes: int,
    draw_middle: Callable[[], tuple[float, float]],
) -> Tensor:
    """Sampling grid of shape (1, crop, crop, 2) for a random rotation, stretch, bend and middle of a crop.

    Parameters
    ----------
    recipe
        ``rotation_deg``; ``scale`` of both axes; ``stretch`` of one; ``bend_mm``, standard deviation of a smooth
        displacement.
    size
        Rows and columns of the square image that is sampled.
    bend_nodes
        Nodes of the displacement along each side of the crop.
    draw_middle
        Gives the middle of the crop (row, column) in normalised coordinates.
    """
    angle = np.deg2rad(rng.uniform(-recipe["rotation_deg"], recipe["rotation_deg"]))
    ratio = (1.0 + rng.uniform(-recipe["scale"], recipe["scale"])) * crop_pixels / size
    stretch = 1.0 + rng.uniform(-recipe["stretch"], recipe["stretch"])
    y, x = draw_middle()
    cos, sin = np.cos(angle) * ratio, np.sin(angle) * ratio
    theta = torch.tensor([[[cos * stretch, -sin, x], [sin * stretch, cos, y]]], dtype=torch.float32)
    grid = functional.affine_grid(theta, [1, 1, crop_pixels, crop_pixels], align_corners=False)
    nodes = torch.from_numpy(rng.normal(size=(1, 2, bend_nodes, bend_nodes)).astype(np.float32))
    bend = functional.interpolate(nodes, size=grid.shape[1:3], mode="bicubic", align_corners=True)
    return grid + bend.permute(0, 2, 3, 1) * (recipe["bend_mm"] / pixel_mm * 2.0 / size)
