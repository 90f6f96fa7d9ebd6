"""How a search goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.platforms.metric import Metric
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer_tuning import UNTUNED, IntegerTuning
from hotnas_hls.search.proposing.generate import SpaceOptions
from hotnas_hls.search.running.crew import CrewOptions

Baseline = Literal["int8", "int16"]  # the best uncompressed design of so many bits


@dataclass(frozen=True)
class SearchOptions:
    """How a search goes; the defaults suit the embedded example."""

    bound: float | None  # on the platform's objective
    reduction: float | None = None  # instead of the bound: share of the baseline's latency to be saved
    reduction_of: Baseline = "int8"  # the baseline of ``reduction``
    strategy: str = "reinforce"
    trials: int = 100
    rungs: int = 6  # first trials: from untouched to every edit at its strongest
    alpha: float = 0.7
    accuracy: tuple[float, float] = (0.9, 1.0)
    accuracy_drop: float = 0.01
    chips: int = 0  # that accuracies are the mean of, where devices vary; 0: of the exact integers
    varied_accuracy: float | None = None  # least mean over them that the result may have
    tuning: Tuning = Tuning()
    final_epochs: int = 10
    integer_tuning: IntegerTuning = UNTUNED  # of the chosen design's integers, after that
    space: SpaceOptions = SpaceOptions()
    format: IntegerFormat = IntegerFormat()
    validation_images: int = 1000  # candidates are compared on so many at most
    validation_blend: float = 0.0  # share of another image in each, see Split.blended
    golden_images: int = 32
    time_limit_s: float | None = None
    early_stopping: bool = False
    cold: bool = False  # start from random weights, to compare with
    crew: CrewOptions = CrewOptions()
    seed: int = 0
    stem: StemChoice = BEST  # how the first convolution runs; best: as is fastest on this platform
    packed: PackingChoice = BEST  # resolutions whose pixels are packed
    bounds: tuple[tuple[Metric, float], ...] = ()  # on other metrics of the platform
    config: Mapping[str, Any] = field(default_factory=dict)  # kept in the design point
