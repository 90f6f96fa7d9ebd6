"""Small ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

MAP = ("N", 3, 12, 12)


def weights(*shape: int) -> np.ndarray:
    """Drawn numbers, the same for a shape whatever was drawn before."""
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def saved(
    path: Path, *steps: tuple[Any, ...], shape: tuple = MAP, opset: int = 18, more: tuple[str, ...] = ()
) -> Path:
    """A chain of operators in a file: (operator, *further inputs, attributes); "x" is the image.

    A further input is a constant array or the output of an earlier step ("y0" is the first's).
    more: outputs of steps that are outputs of the model, too.
    """
    nodes, constants, last = [], [], "x"
    for index, (operator, *rest) in enumerate(steps):
        attributes = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        inputs = [last] if attributes.pop("chained", True) else []
        for position, item in enumerate(rest):
            if isinstance(item, np.ndarray | np.generic):
                constants.append(numpy_helper.from_array(np.asarray(item), f"c{index}_{position}"))
                item = constants[-1].name
            inputs.append(item)
        last = f"y{index}"
        nodes.append(helper.make_node(operator, inputs, [last], name=f"step{index}", **attributes))
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    kind = TensorProto.INT64 if steps[-1][0] == "ArgMax" else TensorProto.FLOAT
    output = helper.make_tensor_value_info(last, kind, None)
    others = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape) if name == "x" else None)
        for name in more
    ]
    graph = helper.make_graph(nodes, "main", [image], [output, *others], constants)
    domains = [helper.make_opsetid(domain, 1) for domain in sorted({node.domain for node in nodes} - {""})]
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *domains])
    model = onnx.shape_inference.infer_shapes(model)  # gives the output its shape
    known = model.graph.output[0].type.tensor_type
    if not known.HasField("shape"):  # a model whose shapes do not fit: all are left open
        axes = 2 if any(operator == "Flatten" for operator, *_ in steps) else 4
        for axis in range(axes):
            known.shape.dim.add().dim_param = f"side{axis}"
    onnx.save(model, path)
    return path


class Whole(nn.Module):
    """A network of digits with what is around it: it reads raw images and gives probabilities."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.net((x - 3) / 8), dim=1)


def raw(images: np.ndarray) -> np.ndarray:
    """The images that :class:`Whole` makes into ``images``."""
    return images * 8 + 3


def exported(net: nn.Module, path: Path) -> Path:
    """A network of digits as a file that takes any number of images."""
    image = torch.zeros(1, 1, 8, 8)
    torch.onnx.export(net, (image,), path, dynamo=False, dynamic_axes={"x": [0]}, input_names=["x"])
    return path
