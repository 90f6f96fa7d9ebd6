"""Train a network: one function that reads top to bottom, and the recipes of the weights we ship.

hotnas zoo train digits_resnet --seed 0
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.errors import CheckpointError, ConfigError
from hotnas_hls.models.data import WEIGHTS, Dataset, digits, shipped_weights
from hotnas_hls.models.zoo import build
from hotnas_hls.version import __version__


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, a linear warm-up over the first epoch, then a cosine to zero."""

    epochs: int
    lr: float  # peak learning rate
    batch: int = 128
    weight_decay: float = 0.05
    label_smoothing: float = 0.1


@dataclass(frozen=True)
class Epoch:
    """What one epoch ended with."""

    number: int  # from 1
    loss: float  # mean over the epoch's batches
    validation_accuracy: float


RECIPES: dict[str, tuple[Callable[[], Dataset], Recipe]] = {
    "digits_resnet": (digits, Recipe(epochs=20, lr=4e-3)),
}


def train(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Train ``model`` in place on ``dataset.train``; the same seed gives the same weights on one machine.

    ``report`` is called after every epoch. The model is left in evaluation mode.
    """
    rng = np.random.default_rng(seed)
    images, labels = torch.from_numpy(dataset.train.images), torch.from_numpy(dataset.train.labels)
    decayed = [p for p in model.parameters() if p.ndim > 1]  # biases and norms are left alone
    kept = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": kept, "weight_decay": 0.0}],
        lr=recipe.lr,
    )
    steps = math.ceil(len(labels) / recipe.batch)
    history = []
    for epoch in range(recipe.epochs):
        model.train()
        order = torch.from_numpy(rng.permutation(len(labels)))
        total = 0.0
        for step, batch in enumerate(order.split(recipe.batch)):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, epoch * steps + step, steps)
            loss = F.cross_entropy(
                scores(model, images[batch]), labels[batch], label_smoothing=recipe.label_smoothing
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        split = dataset.validation
        history.append(Epoch(epoch + 1, total / steps, accuracy(model, split.images, split.labels)))
        report(history[-1])
    model.eval()
    return history


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Rate at ``step`` (from 0), with ``steps`` to an epoch."""
    if step < steps:
        return recipe.lr * (step + 1) / steps
    progress = (step - steps) / max(1, (recipe.epochs - 1) * steps)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * progress))


def scores(model: nn.Module, images: Tensor) -> Tensor:
    """A value for each class (B, classes), also of a model whose result is a map of one pixel."""
    found: Tensor = model(images)
    return found.flatten(1)


def _batches(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (images[start : start + size] for start in range(0, len(images), size))


@torch.no_grad()
def logits(model: nn.Module, images: np.ndarray, batch: int = 256) -> np.ndarray:
    """Outputs float32 (B, classes) in evaluation mode for images (B, C, H, W)."""
    was_training = model.training
    model.eval()
    outputs = [scores(model, torch.from_numpy(part)).numpy() for part in _batches(images, batch)]
    model.train(was_training)
    return np.concatenate(outputs)


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of ``images`` (B, C, H, W) whose largest output is their label, 0 to 1."""
    return float((logits(model, images).argmax(axis=1) == labels).mean())


def divergence(answers: Tensor, wanted: Tensor) -> float:
    """Kullback-Leibler divergence of ``answers`` (B, classes) from ``wanted``, both logits; nats an image."""
    found, target = torch.log_softmax(answers, dim=1), torch.log_softmax(wanted, dim=1)
    return float(F.kl_div(found, target, log_target=True, reduction="batchmean"))


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: the sums, and so the weights, do not depend on the number of cores.

    On maps as small as the digits' it is also the fastest.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def train_zoo_network(
    name: str,
    seed: int = 0,
    path: Path | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Path, float]:
    """Train the zoo network ``name`` from scratch by its recipe and write ``<name>.safetensors``.

    The file's metadata says, as JSON under ``made``, how it was made. Returns its path (by default among
    the package's weights) and the test accuracy. Raises ConfigError for a network without a recipe.
    """
    if name not in RECIPES:
        raise ConfigError(f"no training recipe for {name!r}; there is one for: {', '.join(sorted(RECIPES))}")
    read_dataset, recipe = RECIPES[name]
    dataset = read_dataset()
    with one_thread():
        torch.manual_seed(seed)
        model = build(name)
        history = train(model, dataset, recipe, seed, report)
    test_accuracy = accuracy(model, dataset.test.images, dataset.test.labels)
    made = {
        "network": name,
        "dataset": dataset.name,
        "made_by": f"hotnas zoo train {name} --seed {seed}",
        "hotnas_hls": __version__,
        "torch": torch.__version__,
        "recipe": ", ".join(f"{field} {value}" for field, value in asdict(recipe).items()),
        "validation_accuracy": f"{history[-1].validation_accuracy:.4f}",
        "test_accuracy": f"{test_accuracy:.4f}",
    }
    path = path or WEIGHTS / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    # One entry: several would be written in random order, and the file's bytes should follow from the seed.
    safetensors.torch.save_file(state, path, metadata={"made": json.dumps(made)})
    return path, test_accuracy


def pretrained(name: str) -> nn.Module:
    """The zoo network ``name`` with the weights that ship with the package, in evaluation mode.

    Raises CheckpointError where none ship, naming those that do.
    """
    path = shipped_weights(name)
    if path is None:
        shipped = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))) or "none"
        raise CheckpointError(f"no weights ship for {name!r}; there are weights for: {shipped}")
    model = build(name)
    model.load_state_dict(safetensors.torch.load_file(path))
    return model.eval()
