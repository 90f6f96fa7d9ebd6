"""Brief fine-tuning of an edited network, and the batch norm statistics that fit it afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.models.data import Dataset, Split
from hotnas_hls.models.edits import Norm
from hotnas_hls.models.task import Answers, Task, answers_of

CROP_PADDING = 4  # pixels: random crop of the padded image, as section 4.3 has it for CIFAR
FLIPPED = {"cifar10"}  # data sets whose images may be mirrored and shifted (a mirrored digit is no digit)


@dataclass(frozen=True)
class Tuning:
    """How an edited network recovers.

    AdamW with a warm-up over the first tenth and a cosine to zero (published: SGD at a constant 1e-4, which
    recovers less in the same number of batches).
    """

    batches: int | None = 50  # None: one epoch
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    distillation: float = 0.5  # weight of the pre-trained network's own answers in the loss
    temperature: float = 2.0
    calibration_batches: int = 8  # batches the batch norm statistics are measured on afterwards


def finetune(
    model: nn.Module,
    teacher: nn.Module | None,
    dataset: Dataset,
    tuning: Tuning,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train ``model`` in place, then measure its statistics anew; it ends in evaluation mode."""
    rng = np.random.default_rng(seed)
    images = len(dataset.train)
    total = tuning.batches if tuning.batches is not None else math.ceil(images / tuning.batch_size)
    model.requires_grad_(True)  # also what its author froze: an edit has changed it
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": weights, "weight_decay": tuning.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=tuning.learning_rate,
    )
    model.train()
    for step, (batch, answer) in enumerate(batches_of(dataset, tuning.batch_size, total, rng)):
        for group in optimiser.param_groups:
            group["lr"] = tuning.learning_rate * schedule(step, total)
        loss = _loss(dataset.judged, answers_of(model, batch), answer, teacher, batch, tuning)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress(step + 1, total)
    recalibrate_batchnorm(model, dataset.train, tuning, rng)
    model.eval()


def batches_of(
    dataset: Dataset, size: int, count: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """``count`` batches of training images and labels, shifted and mirrored where the data set allows it."""
    images, known = torch.from_numpy(dataset.train.images), dataset.train.labels
    labels = None if known is None else torch.from_numpy(known)
    order = np.empty(0, dtype=np.int64)
    for _ in range(count):
        if len(order) < size:
            order = np.concatenate([order, rng.permutation(len(images))])
        picked, order = order[:size], order[size:]
        batch = images[picked]
        batch = _crop_and_flip(batch, rng) if dataset.name in FLIPPED else batch
        yield batch, None if labels is None else labels[picked]


def recalibrate_batchnorm(model: nn.Module, split: Split, tuning: Tuning, rng: np.random.Generator) -> None:
    """Set every batch norm's statistics to those of some training batches under the weights as they are.

    The running statistics stay untouched until all batches are through, since fixed-point weights depend on
    them (:class:`~hotnas_hls.models.edits.FixedPoint`).
    """
    norms = [module for module in model.modules() if isinstance(module, Norm)]
    size = min(len(split), tuning.calibration_batches * tuning.batch_size)
    if not norms or size < 2:
        return
    sums: dict[Norm, list[Tensor]] = {norm: [] for norm in norms}

    def measure(norm: Norm, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].detach().double()
        over = [axis for axis in range(values.dim()) if axis != 1]
        sums[norm].append(torch.stack([values.mean(over), values.square().mean(over)]))

    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model.train()
    picked = rng.permutation(len(split))[:size]
    with torch.no_grad():
        for indices in np.array_split(picked, math.ceil(size / tuning.batch_size)):
            model(torch.from_numpy(split.images[indices]))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if not sums[norm]:
                continue  # the network does not use it
            mean, square = torch.stack(sums[norm]).mean(0)
            assert norm.running_mean is not None and norm.running_var is not None
            norm.running_mean.copy_(mean)
            norm.running_var.copy_((square - mean.square()).clamp_min(0))
    for hook in hooks:
        hook.remove()
    model.eval()


def _loss(
    task: Task,
    answers: Answers,
    labels: Tensor | None,
    teacher: nn.Module | None,
    batch: Tensor,
    tuning: Tuning,
) -> Tensor:
    """What the labels say, and the teacher; the teacher alone where there are none."""
    share = 1.0 if labels is None else tuning.distillation if teacher is not None else 0.0
    loss = torch.zeros(()) if labels is None else task.loss(answers, labels)
    if teacher is None or share == 0:
        return loss
    with torch.no_grad():
        taught = answers_of(teacher, batch)
    return (1 - share) * loss + share * task.lesson(answers, taught, tuning.temperature)


def schedule(step: int, total: int) -> float:
    """Share of the learning rate at a step: a warm-up over a tenth, then a cosine to zero."""
    warm = max(1, total // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _crop_and_flip(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Every image shifted by up to CROP_PADDING pixels and mirrored half of the time."""
    count, _, rows, columns = batch.shape
    padded = F.pad(batch, (CROP_PADDING,) * 4)
    top = torch.from_numpy(rng.integers(0, 2 * CROP_PADDING + 1, count))
    left = torch.from_numpy(rng.integers(0, 2 * CROP_PADDING + 1, count))
    flipped = torch.from_numpy(rng.random(count) < 0.5)
    row = top[:, None] + torch.arange(rows)
    column = left[:, None] + torch.where(
        flipped[:, None], torch.arange(columns - 1, -1, -1), torch.arange(columns)
    )
    images = torch.arange(count)
    return (
        padded[images[:, None, None], :, row[:, :, None], column[:, None, :]].permute(0, 3, 1, 2).contiguous()
    )
