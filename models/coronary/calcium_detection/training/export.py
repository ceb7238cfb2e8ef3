"""Export a trained network to ONNX with fp16 weights; prints its hash for the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from coronary.calcium_detection.bright_pieces import CHANNELS, VIEW_PIXELS
from coronary.calcium_detection.training.network import build_network
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import kept_weights


class Probability(nn.Module):
    """A trained network that answers a probability."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probability of calcium, shape (batch,)."""
        return torch.sigmoid(self.network(x))


def export(checkpoint: Path | None, folder: Path) -> str:
    """Write the network to ``resnet-50.onnx`` in `folder`; returns the SHA-256 of the file.

    The averaged weights of `checkpoint` are kept beside this module; without one, those kept there are written again.
    """
    network = build_network("resnet-50", CHANNELS)
    kept = Path(__file__).with_name("resnet-50_weights.npz")
    network.load_state_dict(kept_weights(kept, checkpoint, lambda state: state["average"]))
    example = torch.zeros(2, CHANNELS, VIEW_PIXELS, VIEW_PIXELS)
    return write_network(Probability(network), example, "views", "probability", folder / "resnet-50.onnx")


def main() -> None:
    """Export: ``python -m coronary.calcium_detection.training.export --checkpoint run/checkpoint.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, help="of the training; else the weights kept beside this module")
    arguments = parser.parse_args()
    print(f"resnet-50.onnx  sha256 {export(arguments.checkpoint, Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
