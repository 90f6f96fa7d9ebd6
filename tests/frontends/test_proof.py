"""The proof of imports: networks that a reader could take for others are refused, and the place is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from randomised import randomised
from torch import Tensor, nn

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.proof import TOLERANCE, batch, prove
from hotnas_hls.frontends.trace import TracedModule, trace
from hotnas_hls.network.execute import OPERATORS, run
from hotnas_hls.network.graph import Graph

SHAPE = (3, 8, 8)


class Network(nn.Module):
    """Convolution, ReLU, a step of the test's own, a mean, a linear layer, and another such step."""

    def __init__(
        self,
        on_map: Callable[[Tensor], Tensor] = lambda x: x,
        on_logits: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)
        self.on_map, self.on_logits = on_map, on_logits

    def forward(self, x: Tensor) -> Tensor:
        return self.on_logits(self.fc(self.on_map(torch.relu(self.conv(x))).mean((2, 3))))


def imported(model: nn.Module) -> Graph:
    """The proven graph of a module, as ``load_model`` makes it."""
    graph = trace(model.eval(), SHAPE, "net")
    prove(graph, TracedModule(model))
    return graph


def refusal(model: nn.Module) -> str:
    with pytest.raises(UnsupportedNetwork) as caught:
        imported(model)
    return str(caught.value)


def test_what_agrees_is_told_in_one_line() -> None:
    model = Network()
    proof = prove(trace(model, SHAPE), TracedModule(model))
    assert (proof.batches, proof.images) == (3, 7) and proof.difference < 1e-6
    assert str(proof) == (
        f"import proven: 7 images in 3 batches, maps differ by {proof.difference:.1g} of the largest "
        f"value (at most {TOLERANCE:g}), {proof.seconds:.1f} s"
    )


# --- what a reader must see ---------------------------------------------------------------------------------


def assigned(x: Tensor) -> Tensor:
    x[:, 0] = 0
    return x


def padded_by_assignment(x: Tensor) -> Tensor:
    wide = torch.zeros(len(x), 12, 8, 8)
    wide[:, :8] = x
    return wide[:, :8]


def given_other_data(x: Tensor) -> Tensor:
    x.data = x + x
    return x


ASSIGNS = "it assigns into a tensor; compute a new tensor by an operator instead"


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (Network(on_logits=lambda x: x[torch.arange(len(x) - 1, -1, -1)]),
         "getitem: it takes some of the images; keep the first axis for the images"),
        (Network(on_logits=lambda x: x[:2]),
         "getitem: it takes some of the images; keep the first axis for the images"),
        (Network(on_map=assigned), f"setitem: {ASSIGNS}"),
        (Network(on_map=padded_by_assignment), f"setitem: {ASSIGNS}"),
        (Network(on_map=given_other_data), f"set data: {ASSIGNS}"),
    ],
)  # fmt: skip
def test_images_taken_and_assignments_are_refused(model: nn.Module, line: str) -> None:
    assert refusal(model).split("\n")[:2] == [
        "net: the accelerator cannot run this network",
        f"  - {line}",
    ]


@pytest.mark.parametrize(
    "model",
    [
        Network(on_logits=lambda x: x[:, [3, 1, 0, 2]]),
        Network(on_logits=lambda x: x[:, [0] * 4]),
        Network(on_logits=lambda x: x[:, torch.tensor([3, 2, 1, 0])]),
        Network(on_map=lambda x: x.mean((2, 3), keepdim=True)[:, list(range(7, -1, -1))]),
        Network(on_map=lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)),
    ],
)
def test_channels_are_taken_in_any_order(model: nn.Module) -> None:
    imported(model)


def test_a_script_inside_is_refused() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.ReLU()))
    assert refusal(nn.Sequential(nn.Conv2d(3, 4, 1), scripted)) == (
        "net: a TorchScript module cannot be traced\n"
        "  - 1: Sequential in TorchScript; pass the python module\n"
        "  - 1.0: ReLU in TorchScript; pass the python module"
    )


# --- what only the proof sees -------------------------------------------------------------------------------


def test_images_that_meet_in_another_batch_size() -> None:
    model = Network(on_logits=lambda x: x.flip(0) if len(x) == 3 else x)
    assert refusal(model) == (
        "Network: the accelerator cannot run this network\n"
        "  - flip: it works along axis 0 of 2; keep the first axis for the images"
    )


def test_a_network_of_one_batch_size() -> None:
    assert refusal(Network(on_logits=lambda x: x.view(2, 4))) == (
        "net: it does not run on an input of 3x3x8x8: RuntimeError: shape '[2, 4]' is invalid for input of "
        "size 12; it must take any number of images"
    )


def test_a_network_that_is_another_one_at_every_run() -> None:
    runs: Iterator[int] = iter(range(100))
    model = Network(on_map=lambda x: F.relu(x) if next(runs) < 2 else F.max_pool2d(x, 3, 1, 1))
    text = refusal(model)
    assert text.startswith("net: the imported graph does not compute what the network computes: ")
    assert text.endswith("build it from plain operators, the same for every image and every batch")


def test_the_first_node_that_differs_is_named() -> None:
    model = Network()
    graph = trace(model, SHAPE, "net")
    wrong = {role: array * 1.01 for role, array in graph["fc"].parameters.items()}
    changed = [dataclasses.replace(node, parameters=wrong) if node.name == "fc" else node for node in graph]
    with pytest.raises(UnsupportedNetwork) as caught:
        prove(Graph("net", changed), TracedModule(model))
    assert str(caught.value) == (
        "net: the imported graph does not compute what the network computes: fc (linear) differs by 0.01 of "
        "the largest value on images of 2x3x8x8; build it from plain operators, the same for every image and "
        "every batch"
    )


def test_a_norm_without_variance_is_refused() -> None:
    norm = nn.BatchNorm2d(3, eps=0.0)
    with torch.no_grad():
        norm.running_var[1] = 0
    assert refusal(nn.Sequential(norm, nn.Conv2d(3, 4, 3))) == (
        "net: the accelerator cannot run this network\n"
        "  - 0: batch_norm: its smallest running variance is 0, with epsilon 0; "
        "train it again: variances are more than 0"
    )


def test_a_network_without_finite_results() -> None:
    model = Network()
    nn.init.constant_(model.fc.weight, 1e38)
    assert "does not compute what the network computes: fc (linear) differs by inf" in refusal(model)


# --- random python ------------------------------------------------------------------------------------------

SEEDS = 400
BUFFER = torch.arange(64, dtype=torch.float32).reshape(1, 1, 8, 8) / 64


@torch.jit.script
def scripted_relu(x: Tensor) -> Tensor:
    return torch.relu(x) * 2


def in_place(change: Callable[[Tensor], object]) -> Callable[[Tensor], Tensor]:
    """A step that changes its input, or a view of it, and hands the input on."""

    def step(x: Tensor) -> Tensor:
        change(x)
        return x

    return step


SUPPORTED: list[Callable[[Tensor], Tensor]] = [
    F.relu, F.relu6, torch.clone, lambda x: x + x, lambda x: x.clamp(min=0), lambda x: x.detach().relu_(),
    lambda x: F.max_pool2d(x, 3, 1, 1), lambda x: F.avg_pool2d(x, 3, 1, 1), lambda x: x + F.relu(x),
    lambda x: torch.cat([x, F.relu(x)], 1)[..., ::1], lambda x: F.pad(x, (0, 0, 0, 0, 2, 0)),
    lambda x: x[:, :, ::2, ::2], lambda x: x.view(x.shape), lambda x: x.unsqueeze(2).squeeze(2),
    lambda x: x.relu_() + x, in_place(lambda x: x.relu_()), lambda x: x[...],
]  # fmt: skip
ODD: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.flip(1), lambda x: x.flip(0), lambda x: x.roll(1, 2), lambda x: x[:, range(x.shape[1])[::-1]],
    lambda x: x.transpose(2, 3), lambda x: x.mT, lambda x: x.sort(1)[0], lambda x: x[torch.arange(len(x))],
    lambda x: x.index_select(1, torch.arange(x.shape[1] - 1, -1, -1)), lambda x: x[:, None][:, 0],
    lambda x: x.mul(0.5), lambda x: x - x.mean(0), lambda x: x * (x > 0), lambda x: torch.where(x > 1, 1, x),
    lambda x: torch.einsum("bchw->bcwh", x), lambda x: torch.stack([x, x], 1).sum(1), lambda x: x.abs(),
    lambda x: scripted_relu(x), lambda x: x + scripted_relu(x), lambda x: x.masked_fill(x > 0.5, 0.0),
    lambda x: torch.cat([x, scripted_relu(x)], 1), lambda x: torch.cat([scripted_relu(x), x], 1),
    lambda x: torch.from_numpy(x.numpy().copy()), lambda x: torch.tensor(x.tolist()), lambda x: x / x.std(),
    lambda x: torch.cat(list(x.split(1))[::-1]), lambda x: torch.stack([row for row in x]),
    lambda x: torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x)),
    lambda x: x.new_zeros(x.shape).add_(x), lambda x: torch.zeros_like(x).copy_(x),
    lambda x: torch.add(x, x, out=torch.empty(0)), lambda x: x.flip(0) if len(x) == 3 else x,
    lambda x: F.relu(x) if len(x) % 2 else x, lambda x: x[: len(x)], lambda x: x.new_tensor(x.numpy()),
    in_place(lambda x: x.view(-1).mul_(2)), in_place(lambda x: x[:, :1].zero_()),
    in_place(lambda x: x.__setitem__((slice(None), 0), 1.0)), in_place(lambda x: x.fill_(1)),
    in_place(lambda x: setattr(x, "data", x.flip(1))), in_place(lambda x: x.copy_(x.flip(0))),
    in_place(lambda x: x.numpy().__setitem__(0, 1)), in_place(lambda x: x.transpose_(2, 3)),
    in_place(lambda x: x.untyped_storage().fill_(0)), in_place(lambda x: torch.relu(x, out=x)),
    in_place(lambda x: x.detach().neg_()), in_place(lambda x: torch.sub(x, 1, out=x)),
    in_place(lambda x: x.as_strided((4,), (1,)).add_(1)), in_place(lambda x: x.T.T.mul_(3)),
    in_place(lambda x: BUFFER.add_(0) + x), in_place(lambda x: x.expand_as(x).sub_(1)),
    in_place(lambda x: x.flatten(1).relu_()), in_place(lambda x: x.set_(x.flip(1))),
    in_place(lambda x: x.index_fill_(1, torch.tensor([0]), 0.0)), in_place(lambda x: x.resize_as_(x)),
    in_place(lambda x: torch._foreach_mul_([x], 2.0)), in_place(lambda x: nn.init.ones_(x)),
]  # fmt: skip


def random_forward(rng: np.random.Generator) -> Callable[[Tensor], Tensor]:
    """One to four random steps, now and then added or joined to what was before them."""
    kinds = [ODD if odd else SUPPORTED for odd in rng.random(rng.integers(1, 5)) < 0.3]
    chosen = [steps[rng.integers(len(steps))] for steps in kinds]
    joined = [int(choice) for choice in rng.integers(6, size=len(chosen))]

    def forward(x: Tensor) -> Tensor:
        for step, join in zip(chosen, joined, strict=True):
            y = step(x)
            if join == 0 and y.shape == x.shape:
                y = y + x
            elif join == 1 and y.shape[2:] == x.shape[2:]:
                y = torch.cat([x, y], 1)
            x = y
        return x

    return forward


def test_random_forwards_are_equal_or_refused() -> None:
    accepted = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        on_map = random_forward(rng)

        class Random(nn.Sequential):
            def forward(self, x: Tensor) -> Tensor:
                return on_map(self[0](x)).flatten(1)  # noqa: B023 (used in this turn only)

        torch.manual_seed(seed)
        model = Random(nn.Conv2d(3, 4, 3, padding=1)).eval()
        try:
            graph = trace(model, SHAPE, f"seed {seed}")
            prove(graph, TracedModule(model))
        except UnsupportedNetwork:
            continue
        accepted += 1
        images = batch(SHAPE, 5, seed=1000 + seed)
        wanted = TracedModule(model).outputs(images)[0]
        (result,) = graph.host.results(run(graph, images)).values()
        actual = result.reshape(wanted.shape)
        np.testing.assert_allclose(actual, wanted, atol=TOLERANCE * np.abs(wanted).max(), err_msg=f"{seed}")
    assert SEEDS / 4 < accepted < SEEDS * 3 / 4  # both ends come often


# --- ONNX ---------------------------------------------------------------------------------------------------


def test_an_onnx_file_is_proven_too(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from onnx_files import saved, weights

    from hotnas_hls.frontends.onnx_import import OnnxModel

    path = saved(tmp_path / "net.onnx", ("Conv", weights(4, 3, 3, 3), weights(4)), ("Relu",))
    model = OnnxModel(path)
    assert prove(model.graph, model).images == 7
    wrong = {role: -array for role, array in model.graph["step0"].parameters.items()}
    nodes = [
        dataclasses.replace(node, parameters=wrong) if node.parameters else node for node in model.graph
    ]
    with pytest.raises(UnsupportedNetwork, match=r"computes: step0 \(conv\) differs by 2 of the largest"):
        prove(Graph("net", nodes), model)


def test_a_slice_cuts_padding_off_again(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from onnx_files import integers, saved, weights

    from hotnas_hls.frontends.onnx_import import OnnxModel

    pad = ("Pad", integers(0, 0, 1, 1, 0, 0, 1, 1))
    cut = ("Slice", integers(0), integers(12), integers(2))
    path = saved(tmp_path / "net.onnx", pad, cut, ("Conv", weights(4, 3, 3, 3)))
    model = OnnxModel(path)
    assert model.graph["step2"].padding == (1, 1, -1, 1)
    assert prove(model.graph, model).difference < 1e-5


class Rounding:
    """What a graph computes, but for some of its maps, and for its output."""

    fixed_batch, note = None, ""

    def __init__(
        self, graph: Graph, more: float = 0.0, untold: str = "", **others: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self.graph, self.more, self.untold, self.others = graph, more, untold, others

    def maps(self, images: np.ndarray) -> dict[str, np.ndarray]:
        return {name: made for name, made in self.all_maps(images).items() if name != self.untold}

    def all_maps(self, images: np.ndarray) -> dict[str, np.ndarray]:
        maps = {self.graph.input.name: images}
        for node in self.graph:
            if node.inputs:
                made = OPERATORS[node.kind](node, *(maps[name] for name in node.inputs))
                maps[node.name] = self.others.get(node.name, lambda x: x)(made)
        return maps

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        return [self.all_maps(images)[self.graph.host.logits] + self.more]


def noisy(logits: np.ndarray) -> np.ndarray:
    """Within what sums in another order make of logits."""
    return logits + np.float32(TOLERANCE / 2 * np.abs(logits).max())


def test_noise_that_a_saturating_function_makes_large_is_no_difference() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sigmoid(), nn.Conv2d(4, 2, 1))
    graph = trace(randomised(model), SHAPE, "net")
    assert prove(graph, Rounding(graph, **{"0": noisy})).difference <= TOLERANCE
    assert prove(graph, Rounding(graph, untold="1", **{"0": noisy})).difference <= TOLERANCE
    for original, place in (
        (Rounding(graph, **{"0": noisy, "1": lambda x: np.clip(x, 0.1, 0.9)}), "1 (activation)"),
        (Rounding(graph, **{"0": noisy, "2": lambda x: x + 0.1 * (len(x) == 3)}), "2 (conv)"),
        (Rounding(graph, 0.1, **{"0": noisy}), "its output"),
    ):
        with pytest.raises(UnsupportedNetwork) as caught:
            prove(graph, original)
        assert str(caught.value).startswith(
            f"net: the imported graph does not compute what the network computes: {place} differs by "
        )
