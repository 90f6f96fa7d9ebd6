"""Views of outputs, as detectors end in them: both drivers put together what the network returns."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import Answer, HostWork, Output, View
from hotnas_hls.accel.integers.random_numbers import random_numbers
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.pieces import pieces_of
from hotnas_hls.accel.plan import Tile
from hotnas_hls.base.tools import find
from hotnas_hls.codegen.driver import driver_files
from hotnas_hls.codegen.hls import golden_answers
from hotnas_hls.codegen.render import Banner

C_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
SIZES = {"near": (6, 4, 6), "far": (6, 2, 3)}  # maps of a detector: two anchors of three values a pixel
VALUES = {name: int(np.prod(shape)) for name, shape in SIZES.items()}
NUMBERS = {"near": np.arange(144).reshape(2, 3, 4, 6), "far": 144 + np.arange(36).reshape(2, 3, 2, 3)}
SSD, YOLO = (2, 3, 0, 1), (0, 2, 3, 1)  # in which order they take the axes of a map
BOXES, ANCHORS = (
    np.concatenate([maps.transpose(axes).reshape(-1, 3) for maps in NUMBERS.values()]) for axes in (SSD, YOLO)
)


def view(name: str, elements: np.ndarray, answer: Answer | None = None, axis: int = 0) -> View:
    pieces = pieces_of(elements.reshape(-1), VALUES)
    assert pieces is not None
    return View(name, elements.shape, pieces, answer, axis)


def network(*views: View) -> IntegerNetwork:
    """Two maps of different formats, of which the host puts the views together."""
    maps = {"x": FeatureMap("x", 3, 4, 6), "near": FeatureMap("near", *SIZES["near"], frac_bits=6)}
    maps["far"] = FeatureMap("far", *SIZES["far"], frac_bits=3)
    layers = (
        Layer("near", LayerKind.CONV, "x", "near", 3, 6, 4, 6, 4, 6, 1, 1),
        Layer("far", LayerKind.CONV, "near", "far", 6, 6, 4, 6, 2, 3, 1, 1, stride=2),
    )
    numbers = {layer.name: random_numbers(layer, 1, 16, ACCEL.acc_bits) for layer in layers}
    host = HostWork(None, (Output("near", "near"), Output("far", "far")), views)
    return IntegerNetwork("views", maps, layers, numbers, "x", host, 16)


ACCEL = Accelerator(8, 8, 8, 8, 64, 64, 64, ifm_depth=1024, wgt_entries=9, max_entries=63, patterns=False)
PLAIN = (view("boxes", BOXES), view("anchors", ANCHORS))
CHANNELS = view("scores", np.concatenate([maps.reshape(6, -1) for maps in NUMBERS.values()], axis=1))


def drivers(net: IntegerNetwork, folder: Path) -> ModuleType:
    """The drivers of a network on disk; its Python driver."""
    tiles = {"near": Tile(4, 6), "far": Tile(2, 3)}
    for name, contents in driver_files(net, ACCEL, tiles, banner=Banner("views", "0" * 64)).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    path = folder / "driver" / "hotnas_pynq.py"
    module = ModuleType("hotnas_pynq")
    sys.modules[module.__name__] = module
    vars(module)["__file__"] = str(path)
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


def in_c(folder: Path, views: int, integers: np.ndarray) -> list[np.ndarray]:
    """What hotnas_view_of writes of each view, called through ctypes."""
    library, source = folder / "driver.so", folder / "driver" / "hotnas_accel.c"
    subprocess.run(["gcc", *C_FLAGS, "-shared", "-fPIC", source, "-o", library], check=True)

    class Of(ctypes.Structure):
        _fields_ = [
            ("name", ctypes.c_char_p),
            ("size", ctypes.c_size_t),
            *((name, ctypes.c_size_t) for name in ("first_piece", "pieces")),
            ("answer", ctypes.c_int),
            *((name, ctypes.c_size_t) for name in ("axis", "apart")),
        ]

    code, found = ctypes.CDLL(str(library)), []
    code.hotnas_view_of.restype = ctypes.c_size_t
    logits = integers.astype(np.int32)
    for each in (Of * views).in_dll(code, "hotnas_views"):
        to = np.full(each.size, np.nan, dtype=np.float32)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (logits, to))
        found.append(to[: code.hotnas_view_of(ctypes.byref(each), *pointers)])
    return found


@pytest.mark.parametrize(
    "views",
    [
        PLAIN,
        (view("boxes", BOXES), view("scores", ANCHORS, Answer.SOFTMAX, 1)),
        (view("scores", BOXES, Answer.ARGMAX, 1), view("best", BOXES, Answer.ARGMAX, 0)),
        (view("scores", BOXES, Answer.SIGMOID), view("flat", BOXES.reshape(-1), Answer.LOG_SOFTMAX)),
        (CHANNELS, view("middle", ANCHORS.reshape(5, 12, 3), Answer.SOFTMAX, 1)),
    ],
    ids=lambda views: "+".join(f"{one.name}_{one.answer}" for one in views),
)
def test_both_drivers_and_the_golden_answers_hold_the_views(views: tuple[View, ...], tmp_path: Path) -> None:
    net = network(*views)
    rng = np.random.default_rng(1)
    maps = {name: rng.integers(-300, 300, shape) for name, shape in SIZES.items()}
    real = {name: maps[name] * 2.0 ** -net.feature_maps[name].frac_bits for name in SIZES}
    flat = np.concatenate([real[name].reshape(-1) for name in SIZES])
    wanted = net.host.results({name: values[None] for name, values in real.items()})
    for one, elements in zip(views, (view_elements(one) for one in views), strict=True):
        plain = flat[elements]
        expected = plain if one.answer is None else one.answer.of(plain, one.axis)
        np.testing.assert_array_equal(wanted[one.name][0], expected)
    golden = np.frombuffer(golden_answers(net, maps), dtype="<f4")
    np.testing.assert_array_equal(
        golden, np.concatenate([result.astype(np.float32).reshape(-1) for result in wanted.values()])
    )
    module = drivers(net, tmp_path)
    design = json.loads((tmp_path / "driver" / "hotnas_design.json").read_text())
    outputs = {
        fm["name"]: module.made_of(fm, maps[fm["name"]][None].astype(np.int32))
        for fm in design["host"]["outputs"]
    }
    for record in design["host"]["views"]:
        found = module.view_of(record, outputs)
        assert found.shape == wanted[record["name"]].shape
        np.testing.assert_allclose(found, wanted[record["name"]], rtol=2e-6, atol=1e-6)
    if find("g++") is None:
        pytest.skip("needs gcc")
    integers = np.concatenate([maps[name].reshape(-1) for name in SIZES])
    for found, expected in zip(in_c(tmp_path, len(views), integers), wanted.values(), strict=True):
        np.testing.assert_allclose(found, expected.reshape(-1), rtol=2e-6, atol=1e-6)


def view_elements(one: View) -> np.ndarray:
    """The element numbers that a view was made of, by the reference's own words."""
    numbers = {name: first + np.arange(VALUES[name])[None] for name, first in (("near", 0), ("far", 144))}
    return dataclasses.replace(one, answer=None).of(numbers)[0]


def test_pieces_hold_every_order_of_reshapes_and_concatenations() -> None:
    for one, elements in zip(PLAIN, (BOXES, ANCHORS), strict=True):
        assert len(one.pieces) == 2
        np.testing.assert_array_equal(view_elements(one), elements)
    assert len(CHANNELS.pieces) == 2
    turned = BOXES[:, [2, 0, 1]][::-1]
    np.testing.assert_array_equal(view_elements(view("turned", turned)), turned)
    assert len(view("turned", turned).pieces) == 4
    twice = np.repeat(BOXES[:8], 2, axis=0)[:, None]
    np.testing.assert_array_equal(view_elements(view("twice", twice)), twice)
    assert pieces_of(np.random.default_rng(0).permutation(1000), {"near": 1000}) is None
