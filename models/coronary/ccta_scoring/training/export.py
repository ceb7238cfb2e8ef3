"""Export the trained networks to ONNX files with fp16 weights; prints their hashes for the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import torch

from coronary.ccta_scoring.preprocess import AORTA_CHANNELS, COARSE_PIXELS, CROP_PIXELS, TREE_CHANNELS
from coronary.ccta_scoring.training.network import Probability
from coronary.ccta_scoring.training.train import NetworkName, build_network
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import kept_weights

#: Shape of one item of each network's input.
SHAPES = {"tree": (TREE_CHANNELS, CROP_PIXELS, CROP_PIXELS), "aorta": (AORTA_CHANNELS, COARSE_PIXELS, COARSE_PIXELS)}

#: Name of each network's output.
OUTPUTS = {"tree": "answers", "aorta": "probability"}


def export(name: NetworkName, checkpoint: Path | None, folder: Path) -> str:
    """Write a network to ``<name>.onnx`` in `folder`; returns the SHA-256 of the file.

    The averaged weights of `checkpoint` are kept beside this module; without one, those kept there are written again.
    """
    kept = Path(__file__).with_name(f"{name}_weights.npz")
    network = build_network(name)
    network.load_state_dict(kept_weights(kept, checkpoint, lambda state: state["average"]))
    example = torch.zeros(2, *SHAPES[name])
    return write_network(Probability(network), example, "image", OUTPUTS[name], folder / f"{name}.onnx")


def main() -> None:
    """Export: ``python -m coronary.ccta_scoring.training.export tree --checkpoint run/checkpoint.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=get_args(NetworkName))
    parser.add_argument("--checkpoint", type=Path, help="of the training; else the weights kept beside this module")
    arguments = parser.parse_args()
    digest = export(arguments.network, arguments.checkpoint, Path(__file__).parents[1])
    print(f"{arguments.network}.onnx  sha256 {digest}")


if __name__ == "__main__":
    main()
