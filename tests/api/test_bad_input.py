"""Objects that cannot be: one whole message of a documented class, before anything is computed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
import pytest
import torch
from torch import nn

import hotnas_hls as hn
from hotnas_hls.base.arguments import checked, kinds_of
from hotnas_hls.errors import CheckpointError, ConfigError, OutputRefused, UnsupportedNetwork

FORMS = "give a pair (images, labels) of arrays or tensors, or a DataLoader that gives such pairs"
IMAGES, LABELS = torch.zeros(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


@pytest.fixture(scope="module")
def network() -> hn.Network:
    return hn.load_network(small(), (1, 8, 8), name="small")


@pytest.mark.parametrize(
    "model, shape, kind, message",
    [
        (
            [1, 2],
            None,
            ConfigError,
            "a network is a torch.nn.Module, a zoo name, a path ending in .onnx, or package.module:function; "
            "not a list",
        ),
        (
            small(),
            None,
            ConfigError,
            "Sequential: its input shape is not known; give channels, rows and columns, e.g. "
            "--input 3x224x224 or input=(3, 224, 224)",
        ),
        (
            small(),
            "1x8x8",
            ConfigError,
            "load_network: these arguments cannot be:\n"
            "  - input: is '1x8x8'; give a list of whole numbers or None",
        ),
        (
            small(),
            (1, 0, 8),
            ConfigError,
            "input (1, 0, 8): give channels, rows and columns, e.g. (3, 224, 224)",
        ),
        (
            small(),
            (3, 8, 8),
            UnsupportedNetwork,
            "Sequential: it does not run on an input of 2x3x8x8: RuntimeError: Given groups=1, weight of "
            "size "
            "[4, 1, 3, 3], expected input[2, 3, 8, 8] to have 1 channels, but got 3 channels instead; check "
            "the input shape",
        ),
        (
            small().to("meta"),
            (1, 8, 8),
            ConfigError,
            "Sequential: cannot be copied to the CPU (NotImplementedError: Cannot copy out of meta tensor; "
            "no data!); a network needs weights that are there",
        ),
    ],
)
def test_networks_that_cannot_be(model, shape, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        hn.load_network(model, shape)


def test_weights_that_do_not_fit(tmp_path):
    torch.save({"0.weight": torch.zeros(1)}, tmp_path / "other.pt")
    told = r"other.pt: these weights do not fit the network\n  - missing: "
    with pytest.raises(CheckpointError, match=told):
        hn.load_network(small(), (1, 8, 8), weights=tmp_path / "other.pt")


def test_a_module_of_the_caller_stays_as_it_is():
    module = small().double().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    loaded = hn.load_network(module, (1, 8, 8))
    assert module.training and all(value.dtype == torch.float64 for value in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert loaded.module is not module and next(loaded.module.parameters()).dtype == torch.float32


def test_data_that_cannot_be_are_told_together():
    loader = torch.utils.data.DataLoader([IMAGES[0], IMAGES[1]])
    with pytest.raises(ConfigError) as caught:
        hn.make_dataset("folder", loader, (IMAGES.byte(), LABELS.bool()), name="")
    assert str(caught.value).splitlines() == [
        "these data cannot be searched with:",
        f"  - train: is a str; {FORMS}",
        f"  - test: a batch is a Tensor; {FORMS}",
        "  - validation: images are uint8; give floats, normalised as the network was trained with them",
        "  - validation: labels are bool of shape (4,); give whole numbers, one for each image or pixel, or "
        "real numbers for each image",
        "  - name: must be a text, not ''",
    ]


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (IMAGES[:, 0], LABELS, "images of shape (4, 8, 8); give (images, channels, rows, columns)"),
        (IMAGES, LABELS[:3], "4 images and 3 labels; give one label for each image"),
        (IMAGES, LABELS - 1, "labels from -1; the least may be 0"),
        (None, LABELS, f"images: a NoneType; {FORMS}"),
    ],
)
def test_data_whose_shapes_do_not_fit(images, labels, message):
    part = "train: " if not message.startswith("images:") else "train: "
    with pytest.raises(ConfigError) as caught:
        hn.make_dataset((images, labels), (IMAGES, LABELS))
    assert str(caught.value) == f"these data cannot be searched with:\n  - {part}{message}"


def test_tensors_of_another_device_that_hold_nothing_are_refused():
    with pytest.raises(ConfigError, match="train: images: a tensor that cannot be copied to memory "):
        hn.make_dataset((IMAGES.to("meta"), LABELS), (IMAGES, LABELS))


def test_every_way_to_give_data_gives_the_same():
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(40, 1, 8, 8, generator=generator), torch.arange(40) % 2
    pairs = torch.utils.data.TensorDataset(images.double().requires_grad_(), labels)
    loader = torch.utils.data.DataLoader(pairs, batch_size=7)
    ways = [(images, labels), [images.numpy(), labels.tolist()], pairs, loader, hn.Split(images, labels)]
    first, *others = [hn.make_dataset(way, way) for way in ways]
    for other in others:
        for part in ("train", "validation", "test"):
            assert np.array_equal(getattr(first, part).images, getattr(other, part).images)
            assert np.array_equal(getattr(first, part).labels, getattr(other, part).labels)
    assert [len(first.train), len(first.validation), len(first.test)] == [36, 4, 40]
    assert first.classes == ("0", "1")


def test_boards_and_designs_of_the_wrong_kind(network):
    with pytest.raises(ConfigError) as caught:
        hn.load_board(3)
    assert str(caught.value) == "a board is a name, the path of a YAML file or a Board; not an int"
    kinds = "a Design or an Accelerator or a PublishedHardware"
    with pytest.raises(ConfigError, match=f"  - on: is a dict; give {kinds}$"):
        network.latency({})


def test_settings_that_cannot_be_are_told_together(network, tmp_path):
    with pytest.raises(ConfigError) as caught:
        network.search("digits", "ZCU102", tmp_path, bound={"latency": 1}, search={"trials": 0}, sed=1)
    assert str(caught.value).splitlines()[0] == "these settings do not make a valid configuration:"
    said = str(caught.value)
    assert "bound.latency: " in said and "latency_ms" in said and "sed: " in said and "seed" in said
    with pytest.raises(ConfigError) as caught:
        network.explore("ZCU102", weight_bit=8)
    assert "weight_bit: " in str(caught.value) and "did you mean weight_bits?" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        network.explore("ZCU102", weight_bits=40, top=0, clock_mhz=-1.0)
    assert str(caught.value).splitlines() == [
        "these options cannot be:",
        "  - clock -1: must be 0.001 to 10000 MHz",
        "  - top 0: must be more than 0",
        "  - weight bits 40: must be 2 to 16",
    ]


def test_data_that_do_not_fit_the_network(network, tmp_path):
    with pytest.raises(ConfigError) as caught:
        network.search("digits", "ZCU102", tmp_path / "run", quiet=True)
    assert str(caught.value) == (
        "network.data: digits does not fit small:\n  - 10 classes, but the network has 2 outputs\n"
        "  - train: labels from 0 to 9, the network's outputs are 0 to 1\n"
        "  - validation: labels from 0 to 9, the network's outputs are 0 to 1\n"
        "  - test: labels from 0 to 9, the network's outputs are 0 to 1"
    )
    with pytest.raises(ConfigError) as caught:
        network.search([IMAGES, LABELS], "ZCU102", tmp_path / "run", quiet=True)
    assert str(caught.value) == (
        "data: is a list; give what make_dataset makes of arrays, tensors or a DataLoader, or the name of a "
        "data set"
    )


def test_studies_of_another_kind(network, tmp_path):
    data = hn.make_dataset((IMAGES, LABELS), (IMAGES, LABELS), (IMAGES, LABELS))
    with pytest.raises(ConfigError, match="^study: is an int; give an optuna.Study$"):
        network.search(data, "ZCU102", tmp_path, study=3, quiet=True)
    with pytest.raises(ConfigError) as caught:
        network.search(data, "ZCU102", tmp_path, study=optuna.create_study(study_name="s"), quiet=True)
    assert str(caught.value) == (
        "study s: its directions are minimize; a search wants accuracy up and latency down: "
        "optuna.create_study(directions=['maximize', 'minimize'])"
    )


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(ConfigError) as caught:
        hn.load_run(tmp_path)
    assert str(caught.value) == f"{tmp_path}/search.json: no finished search; hotnas search writes it"
    with pytest.raises(OutputRefused) as refused:
        hn.load_package(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path}: not a package of hotnas (no manifest.json); make one: hotnas hls RUN"
    )


# ---------------------------------------------------------------- every public function, whatever it is given
ELSEWHERE = {  # judged by what they are handed to, which knows more
    ("load_network", "model"),
    ("make_dataset", "train"),
    ("make_dataset", "test"),
    ("make_dataset", "validation"),
    ("search", "data"),
    ("compare_platforms", "data"),
    ("search", "study"),
    ("run_search", "study"),
}


def public_functions() -> list[Callable]:
    """The functions of the API, and the methods of its objects, that take something."""
    things = [getattr(hn, name) for name in hn.__all__ if name not in ("errors", "__version__")]
    functions = [thing for thing in things if inspect.isfunction(thing)]
    for kind in things:
        if inspect.isclass(kind) and kind.__module__.startswith("hotnas_hls.api."):
            functions += [f for n, f in vars(kind).items() if inspect.isfunction(f) and not n.startswith("_")]
    return [f for f in functions if set(inspect.signature(f).parameters) - {"self"}]


@pytest.mark.parametrize("function", public_functions(), ids=lambda function: function.__qualname__)
def test_arguments_of_the_wrong_kind_are_told_together(function):
    if function is hn.load_board:  # it tells of itself
        return
    thing, unjudged, judged = object(), {}, {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD:
            known = kinds_of(function, name)
            (judged if known else unjudged)[name] = " or ".join(kind.words for kind in known)
    assert {(function.__name__, name) for name in unjudged} <= ELSEWHERE
    if not judged:
        return
    given = dict.fromkeys(judged | unjudged, thing)
    if "self" in inspect.signature(function).parameters:
        given["self"] = thing
    with pytest.raises(ConfigError) as caught:
        function(**given)
    assert str(caught.value).splitlines() == [
        f"{function.__name__}: these arguments cannot be:",
        *(f"  - {name}: is an object; give {words}" for name, words in judged.items()),
    ]


def test_what_arguments_may_be_passes():
    @checked
    def taken(
        path: str | Path,
        sizes: Sequence[int] | None = None,
        share: float = 0.5,
        mode: Literal["a", 2] = "a",
        network: Network | None = None,  # noqa: F821 (of no module here: whatever is given passes)
        **more: int,
    ) -> str:
        return f"{path} {sizes} {share} {mode} {more}"

    assert taken(Path("a"), (np.int64(3), 4), 1, 2, more="x") == "a (np.int64(3), 4) 1 2 {'more': 'x'}"
    assert taken("a", sizes=np.arange(2), network=3).startswith("a [0 1] 0.5")
    for wrong in ({"sizes": "12"}, {"sizes": [1.5]}, {"share": True}, {"mode": "2"}, {"mode": True}):
        with pytest.raises(ConfigError, match=f"cannot be:\n  - {next(iter(wrong))}: is "):
            taken("a", **wrong)
    with pytest.raises(TypeError, match="missing a required argument: 'path'"):
        taken()
