"""One way from a torch network to the ONNX file of a family: fixed operator set, fp16 weights, hash in the manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

#: ONNX operator set of the exported graphs.
OPSET = 18

#: Arrays smaller than this stay in fp32: shapes, scalars, batch-norm statistics.
SMALLEST_FP16_ARRAY = 512


def write_network(
    network: nn.Module,
    example: Tensor,
    input_name: str,
    output_name: str,
    out: Path,
    *,
    side_multiple: int | None = None,
) -> str:
    """Export `network` with a dynamic first axis ("slices") to `out`; returns the SHA-256 of the file.

    Parameters
    ----------
    side_multiple
        Rows and columns are dynamic as well, as multiples of this; None: they are those of `example`.
    """
    axes = {0: torch.export.Dim("slices", min=1, max=1024)}
    if side_multiple is not None:
        axes[2] = side_multiple * torch.export.Dim("rows", min=2, max=256)
        axes[3] = side_multiple * torch.export.Dim("columns", min=2, max=256)
    program = torch.onnx.export(
        network.eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[input_name],
        output_names=[output_name],
        dynamic_shapes=(axes,),
        external_data=False,
    )
    assert program is not None
    model = program.model_proto
    halve_weights(model)
    strip_origins(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def strip_origins(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes about where each node came from: paths and stack traces of this machine."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for function in model.functions:
        for part in (function, *function.node):
            del part.metadata_props[:]
            part.ClearField("doc_string")


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
