"""Pruned kernels refitted: closer to the network they come from, nothing else touched."""

import copy
from dataclasses import replace

import pytest
import torch

from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.edits import compress
from hotnas_hls.models.reconstruct import _solved, reconstruct
from hotnas_hls.search.evaluate import Evaluator
from hotnas_hls.search.finetune import Tuning

LAYERS = ("layer1.0.conv1", "layer2.0.conv2", "layer3.0.conv1", "layer3.0.conv2")
PRUNED = Compression(patterns={name: PatternChoice(3, 4, (0, 18, 36, 55)) for name in LAYERS})


def distance(problem, model) -> float:
    """Mean square between the outputs of ``model`` and of the original, on images nothing was fitted to."""
    images = torch.from_numpy(problem.dataset.validation.images)
    with torch.no_grad():
        return float((model(images) - problem.model(images)).square().mean())


@pytest.mark.parametrize(
    "compression",
    [
        PRUNED,
        replace(PRUNED, weight_bits={"layer2.0.conv2": 5}),
        replace(PRUNED, channels={"layer3.0.conv1": 40}, expanded=("layer1.0.conv2",)),
    ],
)
def test_outputs_come_closer_and_pruned_weights_stay_zero(problem, compression):
    model = compress(problem.model, problem.graph, compression)
    before, original = copy.deepcopy(model.state_dict()), copy.deepcopy(problem.model.state_dict())
    far = distance(problem, model)
    reconstruct(model, problem.model, problem.dataset.train.images)
    assert distance(problem, model) < 0.5 * far
    for name in LAYERS:
        weight = model.get_submodule(name).weight
        assert int((weight.flatten(2) != 0).sum(2).max()) <= 5
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    refitted = set(LAYERS) - set(compression.channels)
    assert changed == {f"{name}.parametrizations.weight.original" for name in refitted}
    assert all(torch.equal(value, original[key]) for key, value in problem.model.state_dict().items())


def test_what_is_not_pruned_is_left_alone(problem):
    model = compress(problem.model, problem.graph, Compression(weight_bits={"layer3.0.conv2": 4}))
    before = copy.deepcopy(model.state_dict())
    reconstruct(model, problem.model, problem.dataset.train.images)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("channels, measured", [({}, False), ({"layer3.0.conv1": 40}, True)])
def test_statistics_stay_where_nothing_is_trained(problem, channels, measured):
    compression = replace(PRUNED, channels=channels)
    evaluator = Evaluator(problem, None, None, None, None, None, problem.dataset.validation, 0)
    model = evaluator.tuned(compression, Tuning(batches=0))
    same = torch.equal(model.bn1.running_mean, problem.model.bn1.running_mean)
    assert same is not measured and not any(module.training for module in model.modules())


def test_conjugate_gradients_find_the_least_squares_of_what_is_kept():
    generator = torch.Generator().manual_seed(0)
    inputs, missing = (
        torch.randn(size, generator=generator, dtype=torch.float64) for size in ((200, 12), (200, 3))
    )
    mask = (torch.rand(3, 12, generator=generator) < 0.6).float()
    found = _solved(inputs.T @ inputs, missing.T @ inputs, mask)
    held = inputs.T @ inputs + 1e-2 * (inputs.T @ inputs).diagonal().mean() * torch.eye(
        12, dtype=torch.float64
    )
    for row, kept, wanted in zip(found, mask.bool(), missing.T @ inputs, strict=True):
        torch.testing.assert_close(row[kept], torch.linalg.solve(held[kept][:, kept], wanted[kept]))
        assert not row[~kept].any()
