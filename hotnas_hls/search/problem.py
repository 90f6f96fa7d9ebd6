"""What is searched: a pre-trained network, its graph and its data."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hotnas_hls.base.arguments import checked
from hotnas_hls.errors import ConfigError, HotnasError, raise_all
from hotnas_hls.frontends.proof import Proof
from hotnas_hls.frontends.source import LoadedModel, load_model
from hotnas_hls.frontends.trace import trace_twin
from hotnas_hls.models.channel_cut import Readers
from hotnas_hls.models.cifar10 import cifar10
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import Dataset, Split, digits, find_weights, shipped_weights
from hotnas_hls.models.edits import compress, copied, editable, readers_of
from hotnas_hls.models.graph_module import GraphModule
from hotnas_hls.models.image_folder import image_folder
from hotnas_hls.models.pattern_pruning import Products, kernel_products
from hotnas_hls.models.patterns import SIDES
from hotnas_hls.models.shapes import shapes
from hotnas_hls.models.task import Task, values_of
from hotnas_hls.models.train import answers
from hotnas_hls.network.graph import Graph
from hotnas_hls.search.config import NetworkSettings, normalisation_violations
from hotnas_hls.search.fitting.without_skips import fitted_without_skips

PRODUCT_IMAGES = 256  # of the training images, on which kernels are looked at
READ_IMAGES = 1024  # on which whole layers are, which have more weights
DATASETS = {"digits": digits, "cifar10": cifar10, "shapes": shapes}


@dataclass(frozen=True, eq=False)
class Problem:
    """The hot start: a network with its weights, in evaluation mode, and the data it is for.

    ``model`` gives logits of the images of ``dataset``, which are prepared as the host does it.
    ``cold`` is the same network with random weights, where the search is to start from them.
    """

    name: str
    model: nn.Module
    graph: Graph
    dataset: Dataset
    cold: nn.Module | None = None
    proof: Proof | None = None  # that the graph is the module's

    @property
    def task(self) -> Task:
        """How its answers are judged."""
        return self.dataset.judged

    def labelled(self, split: Split) -> Split:
        """The images of ``split`` with its labels; with the network's own answers where it has none."""
        if split.labels is not None:
            return split
        return Split(split.images, values_of(answers(self.model, split.images)).numpy())

    @property
    def start(self) -> nn.Module:
        """What every candidate is edited from."""
        return self.model if self.cold is None else self.cold

    @property
    def teacher(self) -> nn.Module | None:
        """Whose answers fine-tuning leans on; a cold start has nobody."""
        return self.model if self.cold is None else None

    def compressed(self, compression: Compression) -> nn.Module:
        """What ``start`` is under some edits."""
        if compression.skips_cut:
            rest = dataclasses.replace(compression, skips_cut=())
            return self._without(compression.skips_cut).compressed(rest)
        products = self.products if compression.patterns else {}
        readers = self.readers if compression.channels else {}
        return compress(self.start, self.graph, compression, products, readers)

    def _without(self, readers: tuple[str, ...]) -> Problem:
        """The same, the network without the skip connections that these convolutions read."""
        if readers not in self._problems:
            images = self.dataset.train.first(PRODUCT_IMAGES).images
            graph = fitted_without_skips(trace_twin(self.graph, self.start, self.name), readers, images)
            model = GraphModule(graph).eval()
            self._problems[readers] = dataclasses.replace(self, model=model, graph=graph, cold=None)
        return self._problems[readers]

    @cached_property
    def _problems(self) -> dict[tuple[str, ...], Problem]:
        return {}

    @cached_property
    def products(self) -> Products:
        """What the kernels of every layer multiply that patterns can prune."""
        allowed = editable(self.model, self.graph).convolutions  # the graph has its weights
        names = [node.name for node in self.graph if node.name in allowed and {*node.kernel} <= SIDES]
        images = self.dataset.train.first(PRODUCT_IMAGES).images
        return kernel_products(self.start, names, torch.from_numpy(images))

    @cached_property
    def readers(self) -> Readers:
        """What reads the channels of every layer that can lose some."""
        names = editable(self.model, self.graph).paths.keys()
        images = self.dataset.train.first(READ_IMAGES).images
        return readers_of(self.start, self.graph, names, torch.from_numpy(images))

    def digests(self) -> dict[str, str]:
        """SHA-256 of the weights and of the images: trials of a study are of these and no others."""
        weights, data = hashlib.sha256(), hashlib.sha256()
        for name, tensor in sorted(self.start.state_dict().items()):
            weights.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
            weights.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        for split in (self.dataset.train, self.dataset.validation):
            for array in (split.images, *(() if split.labels is None else (split.labels,))):
                data.update(f"{array.dtype} {array.shape}\0".encode())
                data.update(np.ascontiguousarray(array).data)
        return {
            "network.weights": f"sha256 {weights.hexdigest()}",
            "network.data": f"sha256 {data.hexdigest()}",
        }


def cold_start(problem: Problem, seed: int) -> Problem:
    """The same problem from random weights: what the hot start is worth shows in the difference.

    ConfigError where the network's answers are all that is known of the images.
    """
    if problem.dataset.train.labels is None:
        raise ConfigError("search.cold: nothing is known but the network's answers; give labels")
    model = copied(problem.model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return dataclasses.replace(problem, cold=model)


def load_problem(settings: NetworkSettings) -> Problem:
    """The network and data a configuration names; errors say what is wrong before anything is computed."""
    size = settings.input[1] if settings.input else None
    dataset = load_dataset(settings.data, size, settings.mean, settings.std)
    named = settings.weights
    weights = shipped_weights(settings.model) if named is None else find_weights(named)
    loaded = load_model(settings.model, weights, settings.input)
    if loaded.module is not None and weights is None and ":" not in settings.model:
        raise ConfigError(
            f"network.weights: none ship for {settings.model}, and a hot start needs them; give a checkpoint"
        )
    name = loaded.graph.name if loaded.module is None else settings.model
    return problem_of(loaded, name, dataset, settings.data)


def problem_of(loaded: LoadedModel, name: str, dataset: Dataset, source: str) -> Problem:
    """A network and the data it is for; ConfigError where they do not fit, or cannot be searched.

    name: the network's; source: what the data are called.
    """
    graph = loaded.graph
    raise_all(
        ConfigError,
        f"network.data: {source} does not fit {name}:",
        dataset.violations(graph.image, [node.shape for node in graph.outputs]),
    )
    loaded = loaded.trainable()
    assert loaded.module is not None
    prepared = dataset.prepared(loaded.graph.host.prepared)
    return Problem(name, loaded.module, loaded.graph, prepared, proof=loaded.proof)


@checked
def load_dataset(
    name: str | Path,
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Dataset:
    """A data set by name, a folder of images, or what ``package.module:function`` returns.

    size: rows and columns of a folder's images (224); mean, std: of each of their channels, pixels from 0 to
    1, None for ImageNet's.
    Raises ConfigError for what is none of these or cannot be, DataMissing for files that are not there.
    """
    name = str(name)
    given = normalisation_violations(mean, std)
    if (mean is not None or std is not None) and (name in DATASETS or not Path(name).is_dir()):
        given.append(f"network.mean, network.std: are of folders of images; {name} is normalised as it is")
    raise_all(ConfigError, f"{name}: cannot be read so:", given)
    if name in DATASETS:
        return DATASETS[name]()
    if Path(name).is_dir():
        return image_folder(name, size or 224, mean=mean, std=std)
    if ":" in name:
        dataset = _called(name)
        if not isinstance(dataset, Dataset):
            raise ConfigError(f"network.data: {name}() returned no hotnas_hls.models.data.Dataset")
        return dataset
    raise ConfigError(
        f"network.data: no data set is called {name!r}; known: {', '.join(DATASETS)}, a folder of images, "
        "or package.module:function"
    )


def _called(spec: str) -> object:
    """What ``package.module:function`` returns; the working folder is searched too."""
    package, _, function = spec.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(package), function)()
    except HotnasError:
        raise
    except Exception as error:  # whatever a user's module raises
        raise ConfigError(f"network.data: {spec} failed ({type(error).__name__}: {error})") from error
    finally:
        sys.path.pop(0)
