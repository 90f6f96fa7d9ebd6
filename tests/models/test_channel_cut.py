"""Channels by what their reader loses: what brute force finds, and the least squares of those kept."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.models.channel_cut import Reader, read_by

NAME = "0"


def network(kernel: int = 3, channels: int = 5, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(channels, 4, kernel, padding=kernel // 2, bias=False)).eval()


def maps(channels: int = 5, images: int = 40, seed: int = 1) -> Tensor:
    """Channels that say much of each other, with means that are not zero."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((images, channels, 8, 8))
    mixed = np.einsum("bchw,cd->bdhw", own, np.eye(channels) + 0.5 * rng.standard_normal((channels,) * 2))
    return torch.from_numpy(mixed + rng.uniform(-1, 1, (channels, 1, 1))).float()


def reader(model: nn.Sequential, images: Tensor) -> Reader:
    return read_by(model, {NAME: torch.ones(4, 1, 1, 1)}, images)[NAME]


def best_without(read: Reader, kept: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """The weights (kept kh kw, M) that change the sums least, by least squares on a root of H; the error."""
    weight = read.weight.double().flatten(1).T.numpy()
    cells = len(weight) // read.weight.shape[1]
    root = np.linalg.cholesky(read.products.numpy()).T
    stay = [channel * cells + cell for channel in kept for cell in range(cells)]
    found = np.linalg.lstsq(root[:, stay], root @ weight, rcond=None)[0]
    return found, float(np.square(root[:, stay] @ found - root @ weight).sum())


def test_channels_go_and_weights_change_as_brute_force_would_have_it() -> None:
    for kernel in (1, 3):
        read, left = reader(network(kernel), maps()), tuple(range(5))
        for _ in range(3):
            ways = {kept: best_without(read, kept) for kept in combinations(left, len(left) - 1)}
            left = min(ways, key=lambda kept: ways[kept][1])
            kept = read.kept(len(left))
            assert tuple(kept.tolist()) == left
            weight, _ = read.fitted(read.weight, kept)
            np.testing.assert_allclose(weight.flatten(1).T, ways[left][0], atol=1e-5)


def test_the_bias_keeps_the_mean_of_the_sums() -> None:
    model, images = network(), maps()
    kept = (read := reader(model, images)).kept(3)
    weight, gained = read.fitted(model[0].weight, kept)
    with torch.no_grad():
        moved = F.conv2d(images[:, kept], weight, gained, padding=1) - model(images)
    torch.testing.assert_close(moved.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)


def test_fewer_channels_are_some_of_those_that_more_would_be() -> None:
    read = reader(network(), maps())
    for keep in (2, 3, 4):
        assert set(read.kept(keep).tolist()) < set(read.kept(keep + 1).tolist())
    assert read.kept(5).tolist() == [0, 1, 2, 3, 4]


def test_size_misleads_where_channels_say_the_same() -> None:
    """Two channels of large weights say the same: one goes, and the other gets its weights."""
    model, images = network(1), torch.randn(40, 5, 8, 8, generator=torch.Generator().manual_seed(1))
    images[:, 1] = images[:, 0]
    with torch.no_grad():
        model[0].weight[:, :2] = 5.0
        model[0].weight[:, 2:] = 1.0
    read = reader(model, images)
    assert int(read.order[0]) in (0, 1)
    weight, gained = read.fitted(model[0].weight, read.kept(4))
    torch.testing.assert_close(weight[:, 0], torch.full((4, 1, 1), 10.0), rtol=0.01, atol=0.01)
    assert float(gained.abs().max()) < 0.05


def test_all_channels_kept_change_nothing() -> None:
    model = network()
    weight, gained = reader(model, maps()).fitted(model[0].weight, torch.arange(5))
    torch.testing.assert_close(weight, model[0].weight.detach())
    assert float(gained.abs().max()) < 1e-6
