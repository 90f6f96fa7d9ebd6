"""Configuration of a run: the YAML file the search starts from, checked key by key.

``search/configs/digits.yaml`` is the default and shows every key; keys with a default may be left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from hotnas_hls.accel.accelerator import LEGAL_MASTERS, LEGAL_PORT_BITS
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.names import nearest
from hotnas_hls.base.records import load_yaml, read_value, to_record
from hotnas_hls.boards.board import Board, clock_violations, load_board
from hotnas_hls.errors import ConfigError, raise_all

CONFIG_FOLDER = Path(__file__).with_name("configs")
DEFAULT_CONFIG = "digits"
Strategy = Literal["reinforce", "random", "tpe", "nsga2"]
STORAGES = ("sqlite", "journal")  # a file in the run's folder
URL = re.compile(r"[a-z][a-z0-9+]*://.+")
ACCEPTED_STORAGES = (
    "must be sqlite, journal, journal:///PATH, or an SQLAlchemy URL such as postgresql://USER@HOST/DATABASE"
)


@dataclass(frozen=True)
class NetworkSettings:
    """Where the hot start comes from."""

    model: str  # a name of the zoo, an ONNX file, or package.module:function that returns a torch.nn.Module
    data: str  # digits, cifar10, shapes, a folder of images, or package.module:function
    weights: str | None = None  # a checkpoint; null: the ones that ship with the package
    input: tuple[int, int, int] | None = None  # channels, rows, columns; null: the zoo's
    mean: tuple[float, float, float] | None = None  # of a folder's channels, pixels 0 to 1; null: ImageNet's
    std: tuple[float, float, float] | None = None  # their standard deviation; null: ImageNet's


@dataclass(frozen=True)
class BoundSettings:
    """What the design must meet."""

    latency_ms: float | None = None  # null: no bound, unless ``reduction`` sets one
    reduction: float | None = None  # share of the objective of the best uncompressed design to be saved
    of: Literal["int8", "int16"] = "int8"  # that design: of 8 bits, or HotNAS's baseline of 16
    metrics: dict[str, float] = field(default_factory=dict)  # bounds on other metrics of the platform
    varied_accuracy: float | None = None  # least mean accuracy on validation where devices vary

    @property
    def by_metric(self) -> dict[str, float]:
        """Every bound by its metric's name."""
        latency = {} if self.latency_ms is None else {"latency_ms": self.latency_ms}
        return {**latency, **self.metrics}


@dataclass(frozen=True)
class AcceleratorSettings:
    """Values the search may choose from; null generates them from the board and the network."""

    tm: tuple[int, ...] | None = None  # output channels computed at a time
    tn: tuple[int, ...] | None = None  # input channels
    tr: tuple[int, ...] | None = None  # rows of a tile
    tc: tuple[int, ...] | None = None  # columns of a tile
    port_bits: tuple[int, ...] | None = None  # widths of the memory ports
    wgt_masters: tuple[int, ...] | None = None  # ports the weights are striped over: 1, 2 or 4
    dsp_limit: int | None = None  # DSP slices a design may use, other products are in LUTs; null: all
    on_chip: bool = True  # designs may keep maps and weights in the block RAM or UltraRAM they leave free
    stem: StemChoice = BEST  # how the first convolution runs; best: as is fastest on this board
    packed_resolutions: PackingChoice = BEST  # whose maps hold several pixels as one


@dataclass(frozen=True)
class SearchSettings:
    """How candidates are chosen, trained and rewarded."""

    strategy: Strategy = "tpe"  # who proposes candidates; reinforce: HotNAS's controller
    trials: int = 20  # candidates that are trained; what the hardware test refuses does not count
    validation_images: int = 1000  # candidates are compared on so many at most
    validation_blend: float = 0.0  # share of another image in each: where the network was trained on them
    batches: int = 50  # fine-tuning batches per trained candidate
    batch_size: int = 64  # images of a batch
    learning_rate: float = 0.001  # of that fine-tuning
    final_epochs: int = 10  # fine-tuning of the chosen design
    integer_epochs: float = 0.0  # after that: passes over all training images that train its integers
    integer_batches: int = 0  # instead: so many batches
    integer_learning_rate: float = 0.0003  # of those
    alpha: float = 0.7  # weight of the accuracy in the reward
    accuracy: tuple[float, float] = (0.9, 1.0)  # reward -1 at the first, +1 at the second
    chips: int = 0  # with drawn deviations, of whose accuracies candidates get the mean; 0: exact integers
    accuracy_drop: float = 0.01  # what the result may lose against the baseline, on validation
    patterns: bool = True  # pattern pruning
    channel_cut: bool = True  # fewer channels inside blocks
    kernel_expand: bool = True  # larger kernels where they cost nothing
    skip_cut: bool = True  # skip connections between scales left out
    hardware: bool = True  # search tiles and ports too
    early_stopping: bool = True  # of candidates that are slower and less accurate than most
    cold: bool = False  # start from random weights, to see what the hot start is worth
    time_limit_s: float | None = None  # no trial begins after it
    storage: str = "sqlite"  # or journal: a file in the run's folder; or a URL
    workers: int = 1  # processes that train candidates
    ray: str | None = None  # address of a Ray cluster that trains them instead (HOST:PORT, or auto)
    trial_cpus: float = 1.0  # of a Ray node, for each trial
    trial_gpus: float = 0.0  # the same


@dataclass(frozen=True)
class QuantisationSettings:
    """Fixed-point formats."""

    act_bits: Literal[8, 16] = 16  # of feature maps
    weight_bits: int = 16  # of layers the search leaves alone
    least_weight_bits: int = 4  # fewest it may choose
    least_act_bits: int = 4  # the same of what a layer reads, where the platform gains from it


@dataclass(frozen=True)
class RunConfig:
    """Everything a run needs to be repeated."""

    network: NetworkSettings
    board: str | None = field(default=None, kw_only=True)  # of ``hotnas boards``, or a YAML file
    bound: BoundSettings
    platform: str = "tiled-engine"  # a name of ``hotnas platforms``
    technology: str | None = None  # constants of a model, by name or a YAML file; null: its first
    objective: str | None = None  # the platform's metric that is lessened; null: its first
    beside: tuple[str, ...] = ()  # networks that run on the platform at the same time, by name or ONNX file
    clock_mhz: float | None = None  # null: the board's default
    accelerator: AcceleratorSettings = AcceleratorSettings()
    search: SearchSettings = SearchSettings()
    memory: MemoryTiming = MemoryTiming()
    quantisation: QuantisationSettings = QuantisationSettings()
    seed: int = 0  # of everything that is drawn; the same seed gives the same design
    output: str = "runs"  # the run's folder

    def load_board(self) -> Board | None:
        """The board's record; None where none is given."""
        return None if self.board is None else load_board(self.board)

    def record(self) -> dict[str, Any]:
        """This configuration as plain values, as it is kept in the design point: without passwords."""
        record: dict[str, Any] = to_record(self)
        record["search"]["storage"] = without_password(self.search.storage)
        return record

    def violations(self) -> list[str]:
        """Values that cannot be, each with its place."""
        search, quantisation = self.search, self.quantisation
        found = [f"memory.{problem}" for problem in self.memory.violations()]
        positive = {
            "bound.latency_ms": self.bound.latency_ms,
            **{f"bound.metrics.{name}": value for name, value in self.bound.metrics.items()},
            "accelerator.dsp_limit": self.accelerator.dsp_limit,
            "search.trials": search.trials,
            "search.validation_images": search.validation_images,
            "search.batch_size": search.batch_size,
            "search.learning_rate": search.learning_rate,
            "search.integer_learning_rate": search.integer_learning_rate,
            "search.time_limit_s": search.time_limit_s,
            "search.workers": search.workers,
            "search.trial_cpus": search.trial_cpus,
        }
        found += [
            f"{name}: must be more than 0, not {value:g}"
            for name, value in positive.items()
            if value is not None and not 0 < value < math.inf
        ]
        if self.clock_mhz is not None:
            found += [f"clock_mhz: {problem}" for problem in clock_violations(self.clock_mhz)]
        reduction = self.bound.reduction
        if reduction is not None and not 0 < reduction < 1:
            found.append(f"bound.reduction: must be more than 0 and less than 1, not {reduction:g}")
        if "latency_ms" in self.bound.metrics and self.bound.latency_ms is not None:
            found.append("bound: give latency_ms or metrics.latency_ms, not both")
        if reduction is not None and self.bound.latency_ms is not None:
            found.append("bound: give latency_ms or reduction, not both")
        counted = (
            "batches",
            "final_epochs",
            "integer_epochs",
            "integer_batches",
            "validation_blend",
            "accuracy_drop",
            "trial_gpus",
            "chips",
        )
        for name in counted:
            if getattr(search, name) < 0:
                found.append(f"search.{name}: must be 0 or more, not {getattr(search, name):g}")
        if search.integer_epochs and search.integer_batches:
            found.append("search: give integer_epochs or integer_batches, not both")
        if not 0 <= search.alpha <= 1:
            found.append(f"search.alpha: must be 0 to 1, not {search.alpha:g}")
        least = self.bound.varied_accuracy
        if least is not None and not 0 < least <= 1:
            found.append(f"bound.varied_accuracy: must be more than 0 and at most 1, not {least:g}")
        if least is not None and not search.chips:
            found.append("bound.varied_accuracy: give search.chips, the number of chips it is the mean of")
        if search.storage not in STORAGES and not URL.fullmatch(search.storage):
            found.append(f"search.storage: {ACCEPTED_STORAGES}; not {search.storage!r}")
        if search.validation_blend >= 0.5:
            found.append(f"search.validation_blend: must be less than 0.5, not {search.validation_blend:g}")
        low, high = search.accuracy
        if not 0 <= low < high <= 1:
            found.append(f"search.accuracy: must be two fractions, the lower first, not [{low:g}, {high:g}]")
        if not 2 <= quantisation.weight_bits <= 16:
            found.append(f"quantisation.weight_bits: must be 2 to 16, not {quantisation.weight_bits}")
        elif not 2 <= quantisation.least_weight_bits <= quantisation.weight_bits:
            found.append(
                f"quantisation.least_weight_bits: must be 2 to {quantisation.weight_bits} (weight_bits), "
                f"not {quantisation.least_weight_bits}"
            )
        if not 2 <= quantisation.least_act_bits <= quantisation.act_bits:
            found.append(
                f"quantisation.least_act_bits: must be 2 to {quantisation.act_bits} (act_bits), "
                f"not {quantisation.least_act_bits}"
            )
        found += normalisation_violations(self.network.mean, self.network.std)
        if self.network.input is not None and min(self.network.input) < 1:
            found.append(f"network.input: must be at least 1 each, not {list(self.network.input)}")
        if not 0 <= self.seed < 1 << 32:
            found.append(f"seed: must be 0 to {(1 << 32) - 1}, not {self.seed}")
        return found + self._choice_violations() + self._platform_violations()

    def _choice_violations(self) -> list[str]:
        found = []
        for one in fields(self.accelerator):
            values = getattr(self.accelerator, one.name)
            if not isinstance(values, tuple):
                continue
            where = f"accelerator.{one.name}"
            if not values:
                found.append(f"{where}: give at least one value, or null to generate them")
            elif min(values) < 1:
                found.append(f"{where}: must be at least 1 each, not {min(values)}")
            elif one.name == "port_bits":
                illegal = [str(bits) for bits in values if bits not in LEGAL_PORT_BITS]
                if illegal:
                    legal = ", ".join(map(str, LEGAL_PORT_BITS))
                    found.append(f"{where}: {', '.join(illegal)}: AXI ports have {legal} bits")
            elif one.name == "wgt_masters" and not set(values) <= set(LEGAL_MASTERS):
                several = ", ".join(str(count) for count in values if count not in LEGAL_MASTERS)
                found.append(f"{where}: {several}: weights are striped over 1, 2 or 4 masters")
        return found

    def _platform_violations(self) -> list[str]:
        from hotnas_hls.platforms.registry import asked_violations  # imports torch

        varied = {"search.chips": self.search.chips, "bound.varied_accuracy": self.bound.varied_accuracy}
        return asked_violations(
            self.platform,
            self.board is not None,
            self.objective,
            self.bound.by_metric,
            [name for name, value in varied.items() if value],
            bool(self.beside),
        )


def normalisation_violations(mean: Sequence[float] | None, std: Sequence[float] | None) -> list[str]:
    """A mean or a standard deviation that no images have."""
    found = []
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and len(values) != 3:
            found.append(f"network.{name}: give one value for each of 3 channels, not {len(values)}")
    if mean is not None and not all(0 <= value <= 1 for value in mean):
        found.append(f"network.mean: must be 0 to 1 each, as pixels are; not {list(mean)}")
    if std is not None and not all(0 < value <= 1 for value in std):
        found.append(f"network.std: must be more than 0 and at most 1 each; not {list(std)}")
    return found


def without_password(text: str) -> str:
    """``text`` with the password of every URL in it hidden."""
    return re.sub(r"(://[^:/@\s]+):[^@\s]*@", r"\1:***@", text)


def shipped_configs() -> list[str]:
    """Names of the configurations that ship with the package."""
    return sorted(path.stem for path in CONFIG_FOLDER.glob("*.yaml"))


def config_path(name: str | Path) -> Path:
    """A YAML file, or that of the shipped configuration of this name; ConfigError where there is neither."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and len(path.parts) == 1:
        if str(name) not in shipped_configs():
            shipped = shipped_configs()
            raise ConfigError(
                f"unknown configuration {str(name)!r}; {nearest(str(name), shipped)}shipped: "
                f"{', '.join(shipped)}; or give the path of a YAML file"
            )
        path = CONFIG_FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; 'hotnas search --show-config' prints one to start from")
    return path


@checked
def load_config(name: str | Path = DEFAULT_CONFIG) -> RunConfig:
    """The configuration of a YAML file, or the shipped one of that name; every problem is listed."""
    path = config_path(name)
    problems: list[str] = []
    config = read_value(RunConfig, load_yaml(path), "", problems)
    if config is not None:
        problems += config.violations()
        try:
            config.load_board()
        except ConfigError as unknown:
            problems.append(f"board: {unknown}")
    raise_all(ConfigError, f"{path}: not a valid configuration:", problems)
    return config
