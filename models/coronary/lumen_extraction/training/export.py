"""Export a trained mapping to the ONNX file with fp16 weights; prints its hash for the manifest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coronary.lumen_extraction import Form
from coronary.lumen_extraction.difference import MULTIPLE
from coronary.lumen_extraction.training.network import BlendedConvolutions
from coronary.lumen_extraction.training.train import FORMS, CycleGan
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import kept_weights


def export(form: Form, checkpoint: Path | None, folder: Path) -> str:
    """Write the mapping from contrast to non-contrast slices to ``<form>.onnx`` in `folder`; returns its SHA-256.

    The weights of `checkpoint` are kept beside this module; without one, those kept there are written again.
    """
    kept = Path(__file__).with_name(f"{form}_weights.npz")
    network = BlendedConvolutions()
    pick = {"paper": _of_gan, "paired": lambda state: state["average"]}[form]
    network.load_state_dict(kept_weights(kept, checkpoint, pick))
    example = torch.zeros(2, 1, 8 * MULTIPLE, 10 * MULTIPLE)
    return write_network(network, example, "image", "non_contrast", folder / f"{form}.onnx", side_multiple=MULTIPLE)


def _of_gan(state: dict[str, Any]) -> dict[str, Tensor]:
    gan = CycleGan(0.0)
    gan.load_state_dict(state["gan"])
    return gan.to_non_contrast.state_dict()


def main() -> None:
    """Export: ``python -m coronary.lumen_extraction.training.export paired --checkpoint run/checkpoint.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("form", choices=FORMS)
    parser.add_argument("--checkpoint", type=Path, help="of the training; else the weights kept beside this module")
    arguments = parser.parse_args()
    digest = export(arguments.form, arguments.checkpoint, Path(__file__).parents[1])
    print(f"{arguments.form}.onnx  sha256 {digest}")


if __name__ == "__main__":
    main()
