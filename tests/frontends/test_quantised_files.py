"""ONNX files that were quantised elsewhere are read as the network without the rounding of its maps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from onnx_files import exported
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.data import digits
from hotnas_hls.models.train import pretrained
from hotnas_hls.network.execute import run
from hotnas_hls.network.graph import OpKind


class Images(CalibrationDataReader):
    """Some of the digits, as onnxruntime's quantiser asks for them."""

    def __init__(self) -> None:
        self.parts: Iterator[np.ndarray] = iter(np.split(digits().train.images[:128], 4))

    def get_next(self) -> dict[str, np.ndarray] | None:
        part = next(self.parts, None)
        return None if part is None else {"x": part}


def quantised(net: nn.Module, folder: Path, **how: Any) -> Path:
    """A network of digits as onnxruntime quantises it."""
    plain, path = exported(net, folder / "plain.onnx"), folder / "quantised.onnx"
    quantize_static(plain, path, Images(), quant_format=QuantFormat.QDQ, **how)
    return path


@pytest.mark.parametrize(
    "how",
    [
        {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8},
        {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8, "per_channel": True},
        {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QUInt8},
    ],
    ids=["signed", "by channel", "unsigned"],
)
def test_what_onnxruntime_quantised_is_read(how: dict[str, Any], tmp_path: Path) -> None:
    """It took the ReLUs out; what is read has them, and classifies as the network that it was made of."""
    net = pretrained("digits_resnet")
    loaded = load_model(str(quantised(net, tmp_path, **how)))
    graph, test = loaded.graph, digits().test
    assert not any(node.op_type == "Relu" for node in onnx.load(tmp_path / "quantised.onnx").graph.node)
    assert sum(node.kind is OpKind.CLIP and node.bounds[0] == 0 for node in graph) == 7
    found = run(graph, test.images)[graph.host.logits].reshape(len(test.images), -1)
    with torch.no_grad():
        wanted = net(torch.from_numpy(test.images)).numpy()
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
    assert (found.argmax(1) == test.labels).mean() > (wanted.argmax(1) == test.labels).mean() - 0.01
    assert re.fullmatch(
        r"import proven: .*\n"
        r"quantised elsewhere: 16 pairs of QuantizeLinear and DequantizeLinear are left out, formats are "
        r"chosen anew; without them the result differs by \d\.\d% of the largest value",
        str(loaded.proof),
    )


def test_a_clip_that_was_taken_out_has_both_its_ends(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(288, 10)).eval()
    with torch.no_grad():
        net[0].weight.mul_(20)
    graph = load_model(str(quantised(net, tmp_path))).graph
    (clip,) = (node for node in graph if node.kind is OpKind.CLIP)
    assert clip.bounds == pytest.approx((0, 6), abs=0.01)


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    """Integers that another operator reads, and a scale that is computed."""
    path = exported(
        nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(288, 10)).eval(), tmp_path / "net.onnx"
    )
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "scale"))
    first = model.graph.node[0].output[0]
    made = [helper.make_node("QuantizeLinear", [first, "scale"], ["q"], name="round")]
    made.append(helper.make_node("Cast", ["q"], ["r"], name="cast", to=1))
    rest = list(model.graph.node)[1:]
    for node in rest:
        node.input[:] = ["r" if name == first else name for name in node.input]
    nodes = [model.graph.node[0], *made, *rest]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    with pytest.raises(UnsupportedNetwork, match="round: QuantizeLinear: not an operator of the accelerator"):
        load_model(str(path))
