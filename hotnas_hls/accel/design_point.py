"""The design point: the one artefact between search and hardware.

``design_point.json`` says everything but the integers; those lie beside it in
``weights.safetensors``. Both are byte-deterministic. A design point written by hand may say
``"weights": null``; its numbers are then generated from the seed (:mod:`.random_numbers`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import encoding_violations
from hotnas_hls.accel.host_work import SOLE, HostWork
from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.integers.bounds import accumulator_violations
from hotnas_hls.accel.integers.random_numbers import random_images, random_numbers
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerNumbers
from hotnas_hls.accel.layer_checks import layout_violations, network_violations, numbers_violations
from hotnas_hls.accel.memory.dram_latency import DramLatency
from hotnas_hls.accel.memory.dram_timing import DramTiming, load_dram
from hotnas_hls.accel.memory.pricing import worst_phase
from hotnas_hls.accel.plan import Tile, plan_violations
from hotnas_hls.accel.port_plan import PortPlan, has_residual, plan_ports, port_violations
from hotnas_hls.accel.residency import residency_violations
from hotnas_hls.accel.timing.efficiency import needed_macs
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.weights_file import WEIGHTS_FILE, Golden, decoded, encoded
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.names import name_violation
from hotnas_hls.base.records import LATER, load_json, read_record, to_record
from hotnas_hls.boards.board import CLOCK_RANGE_MHZ, Board, with_port_names
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.version import __version__

FORMAT = "hotnas-design-point"
FORMAT_VERSION = 7
# 1 knew plain stems only; 1 and 2 packed neither pixels nor DSP slices; 1 to 3 said nothing of ports and DRAM
# and kept nothing on chip; 1 to 4 left nothing to the host; 1 to 5 had clamps alone; 1 to 6 one output.
READABLE_VERSIONS = (1, 2, 3, 4, 5, 6, 7)
DESIGN_FILE = "design_point.json"
_LINE = 120  # columns up to which a JSON record stays on one line


@dataclass(frozen=True)
class Accuracy:
    """Fractions of images classified right, or another measure from 0 to 1; ``None`` is unknown."""

    baseline: float | None = None  # of the float network the search began with
    final: float | None = None  # of the integer network of this design
    images: int | None = None  # test images both were measured on
    measure: str = field(default="accuracy", metadata=LATER)  # what was measured, in a few words


@dataclass(frozen=True)
class DesignLayer:
    """A layer and the tile it is computed in."""

    layer: Layer
    tile: Tile


@dataclass(frozen=True)
class WeightsFile:
    """The numbers file beside the design point."""

    file: str
    sha256: str


@dataclass(frozen=True)
class DesignPoint:
    """One design, immutable; the field order is that of the file."""

    network: str
    board: Board
    clock_mhz: float
    seed: int
    accelerator: Accelerator
    image: str  # feature map the host writes
    host: HostWork  # what it does to raw images, what it reads, and what it makes of that
    feature_maps: tuple[FeatureMap, ...]
    layers: tuple[DesignLayer, ...]
    image_layout: ImageLayout | None = None  # how the host lays an image; None: as it is (a plain stem)
    packed_resolutions: int = 0  # from the image's down; their maps hold several pixels as one
    packed_across: bool = field(default=False, metadata=LATER)  # pixels of a row, not squares of four
    port_plan: PortPlan | None = None  # None: as :func:`plan_ports` has it, which is then kept
    dram: DramTiming | None = None  # behind the ports; None: the board's where known, which is then kept
    memory: MemoryTiming = MemoryTiming()  # the ideal one, of which every term is predicted
    latency_bound_ms: float | None = None
    predicted_cycles: int | None = None  # a record of what the search saw; never read as the truth
    accuracy: Accuracy = Accuracy()
    config: dict[str, Any] = field(default_factory=dict)  # what led here
    weights: WeightsFile | None = None  # computed from ``numbers``
    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    tool_version: str = __version__
    numbers: Mapping[str, LayerNumbers] | None = field(
        default=None, compare=False, repr=False, metadata={"record": False}
    )
    golden: Golden | None = field(default=None, compare=False, repr=False, metadata={"record": False})

    def __post_init__(self) -> None:
        if self.port_plan is None and not self.accelerator.violations():
            object.__setattr__(self, "port_plan", plan_ports(self.accelerator, self.board))
        if self.dram is None and self.board.dram is not None:
            object.__setattr__(self, "dram", load_dram(self.board.dram))
        if self.numbers is not None:
            digest = hashlib.sha256(self.weights_bytes()).hexdigest()
            object.__setattr__(self, "weights", WeightsFile(WEIGHTS_FILE, digest))

    @property
    def tiles(self) -> dict[str, Tile]:
        """Tile of every layer, by name."""
        return {entry.layer.name: entry.tile for entry in self.layers}

    @property
    def stem(self) -> Stem:
        """How the first convolution runs."""
        return Stem.PLAIN if self.image_layout is None else self.image_layout.stem

    @property
    def latency_bound_cycles(self) -> int | None:
        """The most clock cycles that the bound allows, ``None`` when there is none."""
        if self.latency_bound_ms is None:
            return None
        nearest = round(self.latency_bound_ms * self.clock_mhz * 1000)
        return nearest if self.cycles_to_ms(nearest) <= self.latency_bound_ms else nearest - 1

    def cycles_to_ms(self, cycles: int) -> float:
        """Time of ``cycles`` at this design's clock."""
        return cycles / (self.clock_mhz * 1000)

    def configured(self, section: str, name: str) -> Any:
        """What the configuration that led here said, ``None`` where it did not."""
        found = self.config.get(section)
        return found.get(name) if isinstance(found, dict) else None

    def needed_macs(self) -> dict[str, int]:
        """Multiply-accumulates that remain of every layer, by name."""
        return needed_macs((entry.layer for entry in self.layers), self.image, self.image_layout)

    @functools.cached_property
    def behind_dram(self) -> DramLatency | None:
        """An image behind the DRAM, at the worst phase of its refresh; None if the DRAM is not known."""
        if self.dram is None:
            return None
        net = self.integer_network()
        return worst_phase(net, self.accelerator, self.tiles, self.dram, self.clock_mhz)

    @property
    def behind_dram_cycles(self) -> int | None:
        """What an image takes there."""
        return None if self.behind_dram is None else self.behind_dram.cycles

    def integer_network(self) -> IntegerNetwork:
        """The network with its numbers: the stored ones, or seeded ones when there are none."""
        accel, layers = self.accelerator, tuple(entry.layer for entry in self.layers)
        return self._network(
            self.numbers
            or {
                layer.name: random_numbers(layer, self.seed, accel.act_bits, accel.acc_bits)
                for layer in layers
            }
        )

    def _network(self, numbers: Mapping[str, LayerNumbers]) -> IntegerNetwork:
        return IntegerNetwork(
            self.network,
            {fm.name: fm for fm in self.feature_maps},
            tuple(entry.layer for entry in self.layers),
            dict(numbers),
            self.image,
            self.host,
            self.accelerator.act_bits,
            self.image_layout,
        )

    def golden_images(self, count: int) -> np.ndarray:
        """``count`` test images (count, C, H, W) int32: the stored ones, filled up with seeded ones."""
        image = self._map(self.image)
        stored = self.golden.images[:count].astype(np.int32) if self.golden is not None else None
        have = 0 if stored is None else len(stored)
        if have == count and stored is not None:
            return stored
        seeded = self._random_images(image, count - have)
        return seeded if stored is None else np.concatenate([stored, seeded])

    def _map(self, name: str) -> FeatureMap:
        return next(fm for fm in self.feature_maps if fm.name == name)

    @property
    def _image_shape(self) -> tuple[int, int, int]:
        """(channels, rows, columns) of an image before it is laid."""
        if self.image_layout is not None:
            return self.image_layout.source
        image = self._map(self.image)
        return image.channels, image.rows, image.columns

    def _random_images(self, image: FeatureMap, count: int) -> np.ndarray:
        if self.image_layout is None:
            return random_images(image, count, self.seed, self.accelerator.act_bits)
        channels, rows, columns = self.image_layout.source
        plain = dataclasses.replace(image, channels=channels, rows=rows, columns=columns)
        return self.image_layout.lay(random_images(plain, count, self.seed, self.accelerator.act_bits))

    def violations(self) -> list[str]:
        """Everything that makes this design impossible, each with its place; empty when it is sound."""
        found = [f"network: {problem}"] if (problem := name_violation(self.network)) else []
        found += [f"board.{problem}" for problem in self.board.violations()]
        found += [f"memory.{problem}" for problem in self.memory.violations()]
        if self.seed < 0:
            found.append(f"seed: must be 0 or more, not {self.seed}")
        fastest_mhz = CLOCK_RANGE_MHZ[1]
        if self.clock_mhz > fastest_mhz:
            found.append(f"clock_mhz: must be at most {fastest_mhz:,.0f}, not {self.clock_mhz:g}")
        for name in ("clock_mhz", "latency_bound_ms", "predicted_cycles"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                cure = "" if name == "clock_mhz" else "; write null for unknown"
                found.append(f"{name}: must be more than 0, not {value:g}{cure}")
        if self.latency_bound_ms is not None and self.latency_bound_cycles == 0 < self.latency_bound_ms:
            found.append(
                f"latency_bound_ms: {self.latency_bound_ms:g} ms is less than a clock cycle; "
                "write null for no bound"
            )
        if self.accuracy.images is not None and self.accuracy.images < 1:
            found.append(
                f"accuracy.images: must be at least 1, not {self.accuracy.images}; write null for unknown"
            )
        if self.packed_resolutions < 0:
            found.append(f"packed_resolutions: must be 0 or more, not {self.packed_resolutions}")
        if self.packed_across and not self.packed_resolutions:
            found.append("packed_across: packed_resolutions is 0; write false, or how many are packed")
        for name in ("baseline", "final"):
            value = getattr(self.accuracy, name)
            if value is not None and not 0 <= value <= 1:
                found.append(f"accuracy.{name}: must be 0 to 1, not {value:g}; write null for unknown")
        illegal = self.accelerator.violations()
        found += [f"accelerator.{problem}" for problem in illegal]
        wrong = network_violations(
            self.feature_maps, [entry.layer for entry in self.layers], self.image, self.host
        )
        if self.image_layout is not None:
            shapes = [entry.layer for entry in self.layers]
            wrong += layout_violations(self.image_layout, self.feature_maps, shapes, self.image)
        if not wrong and self.host.preparation is not None:
            found += [f"host.{problem}" for problem in self.host.preparation.violations(self._image_shape)]
        for entry in self.layers:
            if entry.tile.tr < 1 or entry.tile.tc < 1:
                wrong.append(f"{entry.layer.name}: tile {entry.tile.tr} x {entry.tile.tc}: at least 1 x 1")
        found += wrong
        if self.dram is not None:
            found += [f"dram.{problem}" for problem in self.dram.violations()]
        if illegal or wrong:
            return found
        residual = has_residual([entry.layer for entry in self.layers])
        if 0 < self.clock_mhz <= fastest_mhz:
            found += port_violations(self.accelerator, self.board, self.clock_mhz, residual, self.port_plan)
        block = self.accelerator.channel_block
        for fm in self.feature_maps:
            if fm.concat_offset % block:
                found.append(
                    f"feature map {fm.name}: concat_offset = {fm.concat_offset}: must be a multiple of the "
                    f"channel block {block}"
                )
        for entry in self.layers:
            found += plan_violations(entry.layer, self.accelerator, entry.tile)
        shapes = [entry.layer for entry in self.layers]
        found += residency_violations(shapes, self.feature_maps, self.image, self.host.maps, self.accelerator)
        misfits = [] if self.numbers is None else self._numbers_violations(self.numbers)
        found += misfits
        if not misfits and not any("concat_offset" in problem for problem in found):
            network = self._network(self.numbers or {})
            found += encoding_violations(network, self.accelerator, self.tiles)
            if self.numbers is not None:
                found += accumulator_violations(network)
        return found

    def _numbers_violations(self, numbers: Mapping[str, LayerNumbers]) -> list[str]:
        names, act_bits = [entry.layer.name for entry in self.layers], self.accelerator.act_bits
        found = [f"{WEIGHTS_FILE}: unknown layer {name}" for name in numbers if name not in names]
        for entry in self.layers:
            if entry.layer.name not in numbers:
                found.append(f"{WEIGHTS_FILE}: the numbers of layer {entry.layer.name} are missing")
                continue
            problems = numbers_violations(entry.layer, numbers[entry.layer.name], act_bits)
            found += [f"{WEIGHTS_FILE}: {problem}" for problem in problems]
        image = self._map(self.image)
        if self.golden is not None:
            shape = (image.channels, image.rows, image.columns)
            if self.golden.images.ndim != 4 or self.golden.images.shape[1:] != shape:
                found.append(
                    f"{WEIGHTS_FILE}: golden images have shape {self.golden.images.shape}, "
                    f"{self.image!r} is {shape}"
                )
            top = 1 << act_bits - 1
            found += _range(self.golden.images, "golden images", -top, top - 1)
            labels, first = self.golden.labels, self._map(self.host.outputs[0].map)
            if labels is not None and labels.shape != (len(self.golden.images),):
                found.append(
                    f"{WEIGHTS_FILE}: labels of shape {labels.shape} for {len(self.golden.images)} images"
                )
            elif labels is not None:
                found += _range(labels, "golden labels", 0, first.values - 1)
        return found

    def to_json(self) -> str:
        """The text of ``design_point.json``: the same design gives the same bytes."""
        record = to_record(self)
        heading = ("format", "format_version", "tool_version")
        ordered = {name: record.pop(name) for name in heading} | record
        return _format(ordered, 0) + "\n"

    def weights_bytes(self) -> bytes:
        """The bytes of ``weights.safetensors``."""
        bits = {entry.layer.name: entry.layer.weight_bits for entry in self.layers}
        return encoded(self.numbers or {}, self.golden, bits)

    def digest(self) -> str:
        """SHA-256 of the design: of its JSON, which holds the SHA-256 of the weights."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def save(self, folder: Path) -> Path:
        """Write both files into ``folder``; returns the path of the JSON."""
        folder = Path(folder)
        raise_all(ConfigError, f"{self.network}: not a valid design point:", self.violations())
        files = {WEIGHTS_FILE: self.weights_bytes()} if self.numbers is not None else {}
        replace_files(folder, files | {DESIGN_FILE: self.to_json().encode()})
        return folder / DESIGN_FILE

    @classmethod
    def load(cls, path: Path) -> DesignPoint:
        """Read a design point from its JSON file or from the folder that holds it, and check it all."""
        path = Path(path)
        path = path / DESIGN_FILE if path.is_dir() else path
        if not path.exists():
            raise ConfigError(f"{path}: no such file; 'hotnas search' and 'hotnas dse --save' write one")
        record = load_json(path)
        _refuse_foreign(path, record)
        problems: list[str] = []
        current = with_outputs(record) | {
            "format_version": FORMAT_VERSION,
            "board": with_port_names(record.get("board")),
        }
        point = read_record(cls, current, "", problems)
        if point is not None and point.weights is not None:
            point = _with_numbers(point, path.parent, problems)
        if point is not None:
            problems += point.violations()
        raise_all(ConfigError, f"{path}: not a valid design point:", problems)
        return point


def with_outputs(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose host reads ``logits`` alone, as versions 1 to 6 have it, in the form of today."""
    if "logits" not in record:
        return record
    host = {"answer": None, **(record.get("host") or {})}
    output = {"map": record["logits"], "name": SOLE, "answer": host.pop("answer")}
    kept = {name: value for name, value in record.items() if name != "logits"}
    return kept | {"host": host | {"outputs": [output]}}


def _refuse_foreign(path: Path, record: Any) -> None:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigError(f'{path}: not a design point (it has no "format": "{FORMAT}")')
    version = record.get("format_version")
    if version not in READABLE_VERSIONS:
        *older, newest = READABLE_VERSIONS
        readable = f"{', '.join(map(str, older))} and {newest}"
        raise ConfigError(
            f"{path}: format_version is {json.dumps(version)}, hotnas {__version__} reads {readable}; "
            f"use hotnas {record.get('tool_version', 'of the version that wrote it')} or generate it again"
        )


def _with_numbers(point: DesignPoint, folder: Path, problems: list[str]) -> DesignPoint:
    """``point`` with what its weights file holds; what is wrong with the file goes to ``problems``."""
    assert point.weights is not None
    name = point.weights.file
    if Path(name).name != name:
        problems.append(f"weights.file: {name!r} must be a file name beside {DESIGN_FILE}")
        return point
    try:
        data = (folder / name).read_bytes()
        arrays = safetensors.numpy.load(data)
    except FileNotFoundError:
        problems.append(f"weights.file: {name} is missing; restore it, or write null for seeded numbers")
        return point
    except OSError as reason:
        problems.append(f"weights.file: {name} cannot be read: {reason}")
        return point
    except safetensors.SafetensorError as reason:
        problems.append(f"weights.file: {name} is not a safetensors file: {reason}")
        return point
    actual = hashlib.sha256(data).hexdigest()
    if actual != point.weights.sha256:
        problems.append(
            f"weights.sha256: {name} has changed (it is {actual}); restore it, or write this sha256 "
            "if the change is meant"
        )
    numbers, golden = decoded(arrays, name, problems)
    return dataclasses.replace(point, numbers=numbers, golden=golden)


def _range(array: np.ndarray, what: str, low: int, high: int) -> list[str]:
    """The complaint about values outside [low, high], if there are any."""
    if not array.size or low <= int(array.min()) <= int(array.max()) <= high:
        return []
    return [f"{WEIGHTS_FILE}: {what} from {array.min()} to {array.max()}; they must be {low} to {high}"]


def _format(value: Any, depth: int) -> str:
    """JSON text: a record stays on one line where it fits, else one key a line."""
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or len(flat) + 2 * depth <= _LINE or not value:
        return flat
    pad, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_format(value[key], depth + 1)}" for key in value]
        return "{\n" + ",\n".join(pad + item for item in items) + f"\n{end}}}"
    return "[\n" + ",\n".join(pad + _format(item, depth + 1) for item in value) + f"\n{end}]"
