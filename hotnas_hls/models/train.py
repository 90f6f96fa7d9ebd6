"""Train a network: one function that reads top to bottom, and the recipes of the weights we ship.

hotnas zoo train digits_resnet --seed 0
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from hotnas_hls.errors import CheckpointError, ConfigError
from hotnas_hls.models.data import WEIGHTS, Dataset, Split, digits, shipped_weights
from hotnas_hls.models.shapes import shapes
from hotnas_hls.models.task import CLASSES, Answers, Classes, Task, answers_of, joined
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
    "shapes_unet": (shapes, Recipe(epochs=25, lr=1e-2, batch=32, label_smoothing=0.0)),
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
    images, labels, task = *tensors(dataset.train), dataset.judged
    if isinstance(task, Classes):
        task = replace(task, smoothing=recipe.label_smoothing)
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
            loss = task.loss(answers_of(model, images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        history.append(Epoch(epoch + 1, total / steps, score(model, dataset.validation, task)))
        report(history[-1])
    model.eval()
    return history


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Rate at ``step`` (from 0), with ``steps`` to an epoch."""
    if step < steps:
        return recipe.lr * (step + 1) / steps
    progress = (step - steps) / max(1, (recipe.epochs - 1) * steps)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def answers(model: nn.Module, images: np.ndarray, batch: int = 32) -> Answers:
    """Outputs in evaluation mode for images float32 (B, C, H, W)."""
    was_training = model.training
    model.eval()
    found = joined([answers_of(model, part) for part in torch.from_numpy(images).split(batch)])
    model.train(was_training)
    return found


def score(model: nn.Module, split: Split, task: Task = CLASSES) -> float:
    """What the answers to the images of ``split`` are worth, 0 to 1: the share classified right, for one."""
    return task.score(answers(model, split.images), tensors(split)[1])


def tensors(split: Split) -> tuple[Tensor, Tensor]:
    """Images and labels."""
    assert split.labels is not None
    return torch.from_numpy(split.images), torch.from_numpy(split.labels)


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
    test_accuracy = score(model, dataset.test, dataset.judged)
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
