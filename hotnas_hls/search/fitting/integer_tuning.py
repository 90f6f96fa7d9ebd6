"""Fine-tuning of the integer network itself: its rounded weights and activations, in its own formats.

The last part of a fine-tuning. What is trained is what the hardware computes, so nothing is lost by rounding
afterwards. The lesson is the pre-trained network's answer to shifted, mirrored and blended training images:
labels of images it has seen in training teach nothing that it does not know, its answers between images do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.models.data import Dataset
from hotnas_hls.models.edits import copied
from hotnas_hls.models.integer_module import IntegerModule
from hotnas_hls.models.task import Answers, Task, answers_of
from hotnas_hls.search.fitting.finetune import batches_of, schedule

BLEND = 0.5  # largest share of another image in every second batch


@dataclass(frozen=True)
class IntegerTuning:
    """How an integer network is fine-tuned: Adam, a warm-up over the first tenth and a cosine to zero."""

    epochs: float = 0.0  # passes over all training images; a fraction is a part of one
    batches: int = 0  # instead: so many batches
    batch_size: int = 64
    learning_rate: float = 3e-4
    temperature: float = 2.0

    @property
    def trains(self) -> bool:
        """Whether anything is trained."""
        return self.epochs > 0 or self.batches > 0

    def steps(self, images: int) -> int:
        """Batches in all, of so many training images."""
        return self.batches or math.ceil(self.epochs * images / self.batch_size)


UNTUNED = IntegerTuning()  # integers stay as they were rounded


def tune_integers(
    net: IntegerNetwork,
    layers: Collection[str],
    teacher: nn.Module | None,
    dataset: Dataset,
    tuning: IntegerTuning,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> IntegerNetwork:
    """``net`` with the weights of ``layers`` trained; the labels are the lesson where there is no teacher."""
    if not tuning.trains:
        return net
    total = tuning.steps(len(dataset.train))
    rng = np.random.default_rng(seed)
    module, teacher = IntegerModule(net, layers).train(), None if teacher is None else copied(teacher)
    for one in (module, teacher):
        if one is not None:  # convolutions on a processor take less time with channels last in memory
            one.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=tuning.learning_rate)
    for step, (images, labels) in enumerate(batches_of(dataset, tuning.batch_size, total, rng)):
        for group in optimiser.param_groups:
            group["lr"] = tuning.learning_rate * schedule(step, total)
        if teacher is not None and step % 2:
            images = _blended(images, rng)
        images = images.contiguous(memory_format=torch.channels_last)
        loss = _loss(dataset.judged, module(images), labels, teacher, images, tuning)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress(step + 1, total)
    return module.integer_network()


def _blended(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Every image with up to BLEND of another one."""
    share = torch.from_numpy(rng.uniform(0, BLEND, (len(images), 1, 1, 1)).astype(np.float32))
    return torch.lerp(images, images.flip(0), share)


def _loss(
    task: Task,
    answers: Answers,
    labels: Tensor | None,
    teacher: nn.Module | None,
    images: Tensor,
    tuning: IntegerTuning,
) -> Tensor:
    """Divergence from the teacher's softened answers, or what the labels say."""
    answers = tuple(one.float() for one in answers)
    if teacher is None:
        assert labels is not None, "neither labels nor a teacher"
        return task.loss(answers, labels)
    with torch.no_grad():
        taught = tuple(one.float() for one in answers_of(teacher, images))
    return tuning.temperature**2 * task.divergence(answers, taught, tuning.temperature)
