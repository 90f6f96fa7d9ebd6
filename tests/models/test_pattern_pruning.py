"""Patterns by their effect: what brute force finds, and weights that are the least squares of those kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.models.compression import PatternChoice
from hotnas_hls.models.pattern_pruning import RIDGE, kernel_products, prune

MASKS = torch.from_numpy(PatternChoice(3, 5).masks()).double()


def inputs(channels: int, seed: int = 0) -> np.ndarray:
    """What a kernel's weights multiply, (pixels, channels, 9), neighbours alike as in real maps."""
    rng = np.random.default_rng(seed)
    maps = rng.standard_normal((channels, 40, 40))
    smooth = maps[:, 1:-1, 1:-1] + 0.8 * (maps[:, :-2, 1:-1] + maps[:, 1:-1, :-2])
    columns = F.unfold(torch.from_numpy(smooth)[None], 3)[0].numpy()
    return columns.reshape(channels, 9, -1).transpose(2, 0, 1)


def products_of(seen: np.ndarray) -> Tensor:
    return torch.from_numpy(np.einsum("pni,pnj->nij", seen, seen) / len(seen))


def test_size_misleads_where_inputs_say_the_same() -> None:
    """Two large weights read the same input: either can do the other's work, no small one can."""
    seen = np.random.default_rng(1).standard_normal((500, 1, 9))
    seen[:, 0, 1] = seen[:, 0, 0] + 1e-3 * seen[:, 0, 1]
    weight = torch.full((1, 1, 3, 3), 0.5, dtype=torch.float64)
    weight[0, 0, 0, :2] = 3.0
    masks = torch.from_numpy(PatternChoice(3, 1).masks()).double()
    found = prune(weight, products_of(seen), masks)
    chosen = found.masks[found.index[0, 0]]
    assert chosen.flatten().tolist() == [0, *[1] * 8]
    assert float(found.weight[0, 0, 0, 1]) > 5.99
    largest = masks[(weight[0, 0].square() * masks).sum((1, 2)).argmax()]
    assert not torch.equal(chosen, largest)


def test_patterns_and_weights_are_those_of_brute_force() -> None:
    """With as many patterns as a layer may have, each kernel gets the best, and the least squares for it."""
    seen, rng = inputs(3), np.random.default_rng(2)
    weight = torch.from_numpy(rng.standard_normal((4, 3, 3, 3)))
    masks = MASKS[::14][:4]
    found = prune(weight, products_of(seen), masks)
    for m, n in np.ndindex(4, 3):
        kernel, errors, fits = weight[m, n].flatten().numpy(), [], []
        for mask in found.masks:
            kept = mask.flatten().numpy() > 0
            fit = np.zeros(9)
            fit[kept] = np.linalg.lstsq(seen[:, n][:, kept], seen[:, n] @ kernel, rcond=None)[0]
            fits.append(fit)
            errors.append(np.square(seen[:, n] @ (fit - kernel)).sum())
        best = int(found.index[m, n])
        assert best == int(np.argmin(errors))
        np.testing.assert_allclose(found.weight[m, n].flatten(), fits[best], atol=1e-9)


def test_a_layer_gets_the_patterns_that_serve_it() -> None:
    """Fewer patterns than it would choose: the set is better than others, and pairs choose together."""
    seen, rng = inputs(4, 3), np.random.default_rng(4)
    weight = torch.from_numpy(rng.standard_normal((6, 4, 3, 3)) * rng.uniform(0.2, 2, (6, 4, 1, 1)))
    products = products_of(seen)

    def error(masks: Tensor, rows: int) -> float:
        found = prune(weight, products, masks, rows)
        moved = (found.weight - weight).flatten(2)
        return float(torch.einsum("mna,nab,mnb->", moved, products, moved))

    ours = error(MASKS, 1)
    for seed in range(20):
        assert ours <= error(MASKS[np.random.default_rng(seed).permutation(len(MASKS))[:4]], 1)
    paired = prune(weight, products, MASKS, 2)
    assert (paired.index[0::2] == paired.index[1::2]).all() and ours < error(MASKS, 2)
    odd = prune(weight[:5], products, MASKS, 2)
    assert odd.index.shape == (5, 4) and (odd.index[0:4:2] == odd.index[1:4:2]).all()


def test_only_patterns_that_go_together_are_chosen() -> None:
    """The first is the best alone; of the others those that may stand beside it."""
    seen, rng = inputs(4, 3), np.random.default_rng(4)
    weight, products = torch.from_numpy(rng.standard_normal((6, 4, 3, 3))), products_of(seen)

    def patterns(together: Callable[[Sequence[int]], bool]) -> Tensor:
        return prune(weight, products, MASKS, 1, together).masks

    free = patterns(lambda chosen: len(chosen) <= 4)
    (alone,) = patterns(lambda chosen: len(chosen) <= 1).unique(dim=0)
    assert torch.equal(alone, free[0]) and len(free.unique(dim=0)) == 4
    first = next(at for at, mask in enumerate(MASKS) if torch.equal(mask, alone))
    near = patterns(lambda chosen: len(chosen) <= 4 and all(at - first in range(3) for at in chosen))
    assert {*map(bytes, near.numpy())} == {*map(bytes, MASKS[first : first + 3].numpy())}


def test_products_are_those_of_what_kernels_multiply() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 3, stride=2, padding=1))
    images = torch.randn(70, 2, 6, 6)
    found = kernel_products(model, ["0", "2"], images)
    with torch.no_grad():
        read = F.pad(model[1](model[0](images)), (1, 1, 1, 1))
    windows = read.unfold(2, 3, 2).unfold(3, 3, 2).permute(1, 0, 2, 3, 4, 5).reshape(3, -1, 9).double()
    expected = torch.stack([torch.cov(one.T, correction=0) for one in windows])
    level = float(expected.diagonal(dim1=1, dim2=2).mean())
    torch.testing.assert_close(found["2"], expected + RIDGE * level * torch.eye(9), rtol=1e-4, atol=1e-6)
    assert found["0"].shape == (2, 9, 9) and not model[0]._forward_pre_hooks


def test_inputs_that_never_change_leave_the_choice_to_the_weights() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    found = kernel_products(model, ["0"], torch.zeros(3, 1, 5, 5))
    torch.testing.assert_close(found["0"], torch.eye(9, dtype=torch.float64)[None])
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1], weight[0, 0, 2, 2] = 1.0, 2.0
    pruned = prune(weight, found["0"], MASKS.float())
    assert torch.equal(pruned.weight, weight)
