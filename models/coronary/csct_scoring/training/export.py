"""Export trained weights to one ONNX file with fp16 weights and write its hash into the manifest."""

from __future__ import annotations

import argparse
import re
import tomllib
from pathlib import Path

import torch

from coronary.csct_scoring.preprocess import CHANNELS, CROP_PIXELS
from coronary.csct_scoring.training.network import CalciumProbabilities, UNetPlusPlus
from coronary.training_kit.checkpoints import load_checkpoint
from coronary.training_kit.onnx_files import write_network
from coronary.training_kit.weights import write_weights


def export(checkpoint: Path, width: int, out: Path) -> str:
    """Write the network of `checkpoint` to `out`; returns the SHA-256 of the file.

    Its weights also go to ``weights.npz`` beside this module, from which a later training can go on.
    """
    state = load_checkpoint(checkpoint)
    if state is None:
        raise FileNotFoundError(f"no checkpoint at {checkpoint}")
    network = UNetPlusPlus(CHANNELS, width)
    network.load_state_dict(state["network"])
    example = torch.zeros(2, CHANNELS, CROP_PIXELS, CROP_PIXELS)
    digest = write_network(CalciumProbabilities(network), example, "image", "probability", out)
    write_weights(Path(__file__).with_name("weights.npz"), state["network"])
    return digest


def main() -> None:
    """Export: ``python -m coronary.csct_scoring.training.export --checkpoint run/best.pt``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    arguments = parser.parse_args()
    family = Path(__file__).parents[1]
    width = tomllib.loads(Path(__file__).with_name("config.toml").read_text())["network"]["width"]
    digest = export(arguments.checkpoint, width, family / "model.onnx")
    manifest = family / "manifest.toml"
    manifest.write_text(re.sub(r'^sha256 = ".*"$', f'sha256 = "{digest}"', manifest.read_text(), flags=re.MULTILINE))
    print(f"model.onnx  sha256 {digest}")


if __name__ == "__main__":
    main()
