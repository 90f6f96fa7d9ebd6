"""What each step brings that turns an edited network into accurate integers, one step after the other.

The subject is ResNet-20 on CIFAR-10 with 8-bit activations, 6-bit weights in all convolutions but the first,
and kernels of the 64-channel layers pruned to 6 of 9 positions, on blended validation images as the shipped
searches see them (the public weights know the plain ones by heart). Results go into a JSON file stage by
stage; one that is there and was measured by the same version with the same budget is not measured again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.records import load_json
from hotnas_hls.errors import ConfigError
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.train import one_thread
from hotnas_hls.network.graph import OpKind
from hotnas_hls.search.config import NetworkSettings
from hotnas_hls.search.fitting.finetune import Tuning, finetune, recalibrate_batchnorm
from hotnas_hls.search.fitting.integer import integer_accuracy, integer_network
from hotnas_hls.search.fitting.integer_tuning import IntegerTuning, tune_integers
from hotnas_hls.search.problem import Problem
from hotnas_hls.version import __version__

SUBJECT = NetworkSettings("resnet20", "cifar10", "resnet20-12fca82f.th")
FORMAT = "hotnas-ablation"
BITS = 6
ZEROS = 3
VALIDATION_IMAGES, BLEND = 2000, 0.3
REFIT_IMAGES = IntegerFormat().refit_images
Figures = dict[str, Any]


@dataclass(frozen=True)
class Steps:
    """Which steps are taken, and how many batches the trained ones get."""

    clip: bool = False  # formats may saturate rare values
    fit: bool = False  # integers fitted layer by layer
    integer_epochs: float = 0  # of fine-tuning the integers
    distillation: bool = False  # in that: the pre-trained network's answers instead of labels
    recalibrate: bool = False  # batch norms of the pruned network measured anew, before
    batches: int = 0  # of fine-tuning the float network, before that, 64 images each


def stages(batches: int, part: float, epochs: float) -> dict[str, Steps]:
    """The steps, each added to those before it; behind them what else could surround the fitting."""
    rounded = Steps()
    clipped = replace(rounded, clip=True)
    fitted = replace(clipped, fit=True)
    trained = replace(fitted, integer_epochs=part)
    taught = replace(trained, distillation=True)
    measured = replace(fitted, recalibrate=True)
    return {
        "pruned and rounded": rounded,
        "+ formats calibrated": clipped,
        "+ integers fitted": fitted,
        "+ fine-tuning of the integers": trained,
        "+ distillation in it": taught,
        "+ whole epochs of it": replace(taught, integer_epochs=epochs),
        "batch norms measured anew, then fitted": measured,
        "float fine-tuning, then fitted": replace(measured, batches=batches),
    }


def measure(
    problem: Problem,
    results: Path,
    report: Callable[[str, Figures], None] = lambda name, figures: None,
    batches: int = 50,
    part: float = 0.25,
    epochs: float = 2.0,
    seed: int = 0,
) -> dict[str, Figures]:
    """Validation accuracy after every stage, into the file ``results``.

    batches: of fine-tuning the float network; part, epochs: passes over the training images that train the
    integers, at first and in the stage of whole epochs.
    """
    known, measured = read_results(results), {}
    for name, steps in stages(batches, part, epochs).items():
        setting = {"tool_version": __version__, "network": problem.name, "seed": seed, **asdict(steps)}
        found = known.get(name, {})
        if not setting.items() <= found.items():
            found = setting | accuracy_after(problem, steps, seed)
            known[name] = found
            _write(results, known)
        measured[name] = {key: found[key] for key in ("validation_accuracy", "cpu_seconds")}
        report(name, measured[name])
    return measured


def accuracy_after(problem: Problem, steps: Steps, seed: int) -> Figures:
    """Share of validation images the integers of the edited network classify right, and what that cost."""
    started = time.process_time()
    with one_thread():
        edits, train = edits_of(problem), problem.dataset.train
        model = problem.compressed(edits)
        tuning = Tuning(steps.batches)
        if steps.batches:
            finetune(model, problem.model, problem.dataset, tuning, seed)
        elif steps.recalibrate:
            recalibrate_batchnorm(model, train, tuning, np.random.default_rng(seed))
        integers = IntegerTuning(steps.integer_epochs)
        teacher = problem.model if steps.distillation else None
        network = integer_network(
            problem,
            model,
            edits,
            IntegerFormat(8, 8, clip=steps.clip, refit_images=REFIT_IMAGES if steps.fit else 0),
            model if steps.recalibrate else problem.model,
            lambda net, layers: tune_integers(net, layers, teacher, problem.dataset, integers, seed),
        )
        seconds = time.process_time() - started
        validation = problem.dataset.validation.first(VALIDATION_IMAGES).blended(BLEND)
        accuracy = integer_accuracy(network, validation)
    return {"validation_accuracy": accuracy, "cpu_seconds": round(seconds, 1)}


def edits_of(problem: Problem) -> Compression:
    """Narrow weights behind the first convolution, pruned 3x3 kernels where there are most channels."""
    convolutions = [node for node in problem.graph if node.kind is OpKind.CONV and node.kernel == (3, 3)]
    widest = max(node.shape[0] for node in convolutions)
    pruned = [node.name for node in convolutions if node.parameters["weight"].shape[:2] == (widest, widest)]
    return Compression(
        patterns=dict.fromkeys(pruned, PatternChoice(3, ZEROS)),
        weight_bits=dict.fromkeys([node.name for node in convolutions[1:]], BITS),
    )


def read_results(path: Path) -> dict[str, Figures]:
    """Stages of an earlier run, none where the file is not there yet."""
    if not path.exists():
        return {}
    record = load_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigError(f"{path}: holds no results of an ablation; give another file, or move it away")
    return dict(record["stages"])


def _write(path: Path, found: dict[str, Figures]) -> None:
    text = json.dumps({"format": FORMAT, "stages": found}, indent=2) + "\n"
    replace_files(path.resolve().parent, {path.name: text.encode()})
