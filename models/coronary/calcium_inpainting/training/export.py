"""Export a trained network to ONNX with fp16 weights; prints its hash for the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import torch
from torch import nn

from coronary.calcium_inpainting.patches import PATCH_VOXELS
from coronary.calcium_inpainting.training.network import CHANNELS, RemovalNetwork, build_network
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import kept_weights

#: The network that sees the calcium, and that of the method ``hidden``: Dense-Unet with the smaller hidden cube.
REMOVAL: Final = "removal"
HIDDEN: Final = "dense-unet-8"


def export(name: str, network: nn.Module, checkpoint: Path | None, folder: Path) -> str:
    """Write a network to ``<name>.onnx`` in `folder`; returns the SHA-256 of the file.

    The averaged weights of `checkpoint` are kept beside this module; without one, those kept there are written again.
    """
    kept = Path(__file__).with_name(f"{name}_weights.npz")
    network.load_state_dict(kept_weights(kept, checkpoint, lambda state: state["average"]))
    example = torch.zeros(2, CHANNELS, PATCH_VOXELS, PATCH_VOXELS, PATCH_VOXELS)
    return write_network(network, example, "image", "attenuation", folder / f"{name}.onnx")


def main() -> None:
    """Export: ``python -m coronary.calcium_inpainting.training.export removal --checkpoint run/checkpoint.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=(REMOVAL, HIDDEN))
    parser.add_argument("--checkpoint", type=Path, help="of the training; else the weights kept beside this module")
    arguments = parser.parse_args()
    network = RemovalNetwork() if arguments.network == REMOVAL else build_network("dense-unet-coarse")
    digest = export(arguments.network, network, arguments.checkpoint, Path(__file__).parents[1])
    print(f"{arguments.network}.onnx  sha256 {digest}")


if __name__ == "__main__":
    main()
