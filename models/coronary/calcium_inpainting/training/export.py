"""Export a trained inpainting network to ONNX with fp16 weights; prints its hash for the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from coronary.calcium_inpainting.patches import HIDDEN_VOXELS, PATCH_VOXELS
from coronary.calcium_inpainting.training.network import CHANNELS, NETWORK_NAMES, NetworkName, build_network
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import kept_weights


def export(name: NetworkName, side: int, checkpoint: Path | None, folder: Path) -> str:
    """Write a network to ``<name>-<side>.onnx`` in `folder`; returns the SHA-256 of the file.

    The averaged weights of `checkpoint` are kept beside this module; without one, those kept there are written again.
    """
    kept = Path(__file__).with_name(f"{name}-{side}_weights.npz")
    network = build_network(name)
    network.load_state_dict(kept_weights(kept, checkpoint, lambda state: state["average"]))
    example = torch.zeros(2, CHANNELS, PATCH_VOXELS, PATCH_VOXELS, PATCH_VOXELS)
    return write_network(network, example, "image", "attenuation", folder / f"{name}-{side}.onnx")


def main() -> None:
    """Export: ``python -m coronary.calcium_inpainting.training.export dense-unet --checkpoint run/checkpoint.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=NETWORK_NAMES)
    parser.add_argument("--side", type=int, choices=HIDDEN_VOXELS, default=HIDDEN_VOXELS[0], help="of the hidden cube")
    parser.add_argument("--checkpoint", type=Path, help="of the training; else the weights kept beside this module")
    arguments = parser.parse_args()
    digest = export(arguments.network, arguments.side, arguments.checkpoint, Path(__file__).parents[1])
    print(f"{arguments.network}-{arguments.side}.onnx  sha256 {digest}")


if __name__ == "__main__":
    main()
