"""The right side of a page: slices in two columns, each with its place in the patient.

Decides where the tiles lie and what is written on them; which slices are shown is the caller's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agatha.report.colours import VESSEL_RGB
from agatha.report.drawing import Page
from agatha.report.page_frame import MARGIN, MUTED, TEXT, WARNING, WIDTH
from agatha.report.slice_tiles import DisplayWindow, crop_around, edge_letters, slice_tile
from agatha.report.source_images import SourceImages
from coronary.calcium import Vessel
from coronary.ct_volume import CtVolume

_TILE_SIDE = 254
_TILE_GAP = 8
_TILE_COLUMNS = 2
_TILES_X = WIDTH - MARGIN - _TILE_COLUMNS * _TILE_SIDE - (_TILE_COLUMNS - 1) * _TILE_GAP

#: Width of what stands beside the tiles.
LEFT_WIDTH: Final = _TILES_X - 2 * MARGIN

#: So many tiles have room.
MAXIMUM_TILES: Final = 6


def spread_slices(volume: CtVolume) -> tuple[int, ...]:
    """Indices of evenly spaced slices of the middle of a volume, ascending, as many as there is room for."""
    last = volume.voxels_hu.shape[0] - 1
    return tuple(np.unique((np.linspace(0.2, 0.8, MAXIMUM_TILES) * last).astype(int)).tolist())


def draw_tiles(
    page: Page,
    sources: SourceImages,
    volume: CtVolume,
    slices: Sequence[int],
    heading: str,
    window: DisplayWindow,
    vessel_labels: NDArray[np.uint8] | None = None,
) -> None:
    """Draw slices row after row; with labels (shape of the volume) they are cropped around them and outlined."""
    labels = np.zeros(volume.voxels_hu.shape, np.uint8) if vessel_labels is None else vessel_labels
    page.text((_TILES_X, 158), heading, 16, MUTED, max_width=WIDTH - MARGIN - _TILES_X)
    crop = crop_around(volume, labels)
    letters = edge_letters(volume)
    for number, index in enumerate(slices[:MAXIMUM_TILES]):
        row, column = divmod(number, _TILE_COLUMNS)
        tile = _Tile(index, _TILES_X + column * (_TILE_SIDE + _TILE_GAP), 186 + row * (_TILE_SIDE + _TILE_GAP))
        page.image.paste(slice_tile(volume, labels, index, crop, _TILE_SIDE, window), (tile.x, tile.y))
        _label_tile(page, tile, letters, sources, volume, labels)


@dataclass(frozen=True, slots=True)
class _Tile:
    index: int
    x: int
    y: int


def _label_tile(
    page: Page,
    tile: _Tile,
    letters: tuple[str, str, str, str],
    sources: SourceImages,
    volume: CtVolume,
    labels: NDArray[np.uint8],
) -> None:
    left, right, top, bottom = letters
    middle_x, middle_y = tile.x + _TILE_SIDE / 2, tile.y + _TILE_SIDE / 2 - 8
    below, beyond = tile.y + _TILE_SIDE - 20, tile.x + _TILE_SIDE - 6
    page.text((tile.x + 6, middle_y), left, 13, WARNING, on_picture=True)
    page.text((beyond, middle_y), right, 13, WARNING, anchor="ra", on_picture=True)
    page.text((middle_x, tile.y + 4), top, 13, WARNING, anchor="ma", on_picture=True)
    page.text((middle_x, below), bottom, 13, WARNING, anchor="ma", on_picture=True)
    where = f"slice {tile.index + 1}/{volume.voxels_hu.shape[0]}"
    page.text((tile.x + 6, below), where, 13, TEXT, on_picture=True)
    page.text((beyond, below), sources.planes[tile.index].label, 13, TEXT, anchor="ra", on_picture=True)
    x = tile.x + 6.0
    for vessel in Vessel:
        if np.any(labels[tile.index] == vessel):
            x += page.text((x, tile.y + 5), vessel.name, 14, VESSEL_RGB[vessel], bold=True, on_picture=True) + 8
