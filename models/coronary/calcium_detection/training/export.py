"""Export a trained network to ONNX with fp16 weights; prints its hash for the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from coronary.calcium_detection.layouts import PICTURE_PIXELS
from coronary.calcium_detection.training.network import CHANNELS, NETWORK_NAMES, NetworkName, build_network
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import kept_weights


class Answers(nn.Module):
    """A trained network whose first answer is a probability."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Probability of calcium and root of its score, shape (batch, 2)."""
        answers = self.network(x)
        return torch.stack([torch.sigmoid(answers[:, 0]), answers[:, 1]], dim=1)


def export(name: NetworkName, checkpoint: Path | None, folder: Path) -> str:
    """Write a network to ``<name>.onnx`` in `folder`; returns the SHA-256 of the file.

    The weights of `checkpoint` are kept beside this module; without one, those kept there are written again.
    """
    network = build_network(name)
    kept = Path(__file__).with_name(f"{name}_weights.npz")
    network.load_state_dict(kept_weights(kept, checkpoint, lambda state: state["network"]))
    example = torch.zeros(2, CHANNELS, PICTURE_PIXELS, PICTURE_PIXELS)
    return write_network(Answers(network), example, "image", "answers", folder / f"{name}.onnx")


def main() -> None:
    """Export: ``python -m coronary.calcium_detection.training.export resnet-50 --checkpoint run/checkpoint.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("network", choices=NETWORK_NAMES)
    parser.add_argument("--checkpoint", type=Path, help="of the training; else the weights kept beside this module")
    arguments = parser.parse_args()
    digest = export(arguments.network, arguments.checkpoint, Path(__file__).parents[1])
    print(f"{arguments.network}.onnx  sha256 {digest}")


if __name__ == "__main__":
    main()
