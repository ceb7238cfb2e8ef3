"""Export trained weights to one ONNX file with fp16 weights and write its hash into the manifest."""

from __future__ import annotations

import argparse
import hashlib
import re
import tomllib
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from coronary.csct_scoring.preprocess import CHANNELS, CROP_PIXELS
from coronary.csct_scoring.training.network import CalciumProbabilities, UNetPlusPlus
from coronary.training_kit.checkpoints import load_checkpoint
from coronary.training_kit.weights import write_weights

#: ONNX operator set of the exported graph.
OPSET = 18

#: Arrays smaller than this stay in fp32: shapes, scalars, batch-norm statistics.
SMALLEST_FP16_ARRAY = 512


def halve_weights(model: onnx.ModelProto) -> None:
    """Store large fp32 weights as fp16, each followed by a cast, so that the arithmetic stays fp32 everywhere.

    Runtimes fold the casts when the session is made; results do not depend on the provider's fp16 kernels.
    """
    graph = model.graph
    kept, halved, casts = [], [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type == TensorProto.FLOAT and values.size >= SMALLEST_FP16_ARRAY:
            halved.append(numpy_helper.from_array(values.astype(np.float16), f"{weight.name}_fp16"))
            casts.append(helper.make_node("Cast", [f"{weight.name}_fp16"], [weight.name], to=TensorProto.FLOAT))
        else:
            kept.append(weight)
    nodes = list(graph.node)
    del graph.initializer[:]
    del graph.node[:]
    graph.initializer.extend([*kept, *halved])
    graph.node.extend([*casts, *nodes])


def export(checkpoint: Path, width: int, out: Path) -> str:
    """Write the network of `checkpoint` to `out`; returns the SHA-256 of the file.

    Its weights also go to ``weights.npz`` beside this module, from which a later training can go on.
    """
    state = load_checkpoint(checkpoint)
    if state is None:
        raise FileNotFoundError(f"no checkpoint at {checkpoint}")
    network = UNetPlusPlus(CHANNELS, width)
    network.load_state_dict(state["network"])
    exported = CalciumProbabilities(network).eval()
    example = torch.zeros(2, CHANNELS, CROP_PIXELS, CROP_PIXELS)
    program = torch.onnx.export(
        exported,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["probability"],
        dynamic_shapes=({0: torch.export.Dim("slices", min=1, max=1024)},),
        external_data=False,
    )
    assert program is not None
    model = program.model_proto
    halve_weights(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    out.write_bytes(data)
    write_weights(Path(__file__).with_name("weights.npz"), state["network"])
    return hashlib.sha256(data).hexdigest()


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
