"""Rules that feature maps, layers and their numbers must obey together."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.integers.activation import HIGHEST, LINE_BITS, LOWEST, SEGMENTS
from hotnas_hls.accel.integers.bounds import accumulator_bits
from hotnas_hls.accel.layer import (
    LARGEST_KERNEL,
    LARGEST_SIDE,
    LARGEST_STRIDE,
    FeatureMap,
    Layer,
    LayerKind,
    LayerNumbers,
)
from hotnas_hls.base.names import name_violation

BIAS_LIMIT = 1 << 31
LARGEST_FRAC_BITS = 126  # of a format, either way: its scale is a normal 32-bit float


def network_violations(
    feature_maps: Sequence[FeatureMap], layers: Sequence[Layer], image: str, host: HostWork
) -> list[str]:
    """Names that clash or do not exist, shapes that disagree, maps read before they are written."""
    names = {"feature map": [fm.name for fm in feature_maps], "layer": [layer.name for layer in layers]}
    found = [f"{kind} {name}: given twice; rename one" for kind in names for name in _twice(names[kind])]
    for kind, given in names.items():
        found += [f"{kind} {problem}" for name in given if (problem := name_violation(name))]
    maps = {fm.name: fm for fm in feature_maps}
    for fm in feature_maps:
        found += _feature_map_violations(fm, maps)
    if not layers:
        found.append("layers: none; give at least one")
    if image not in maps:
        found.append(f"image: there is no feature map {image!r}; known: {', '.join(maps)}")
    outputs = host.output_violations(maps)
    found += outputs or host.view_violations({fm.name: fm.values for fm in maps.values()})
    written, rows = {image}, collections.Counter(layer.target for layer in layers if layer.target_rows > 1)
    for layer in layers:
        found += _layer_violations(layer, maps)
        for role in ("source", "residual"):
            name = getattr(layer, role)
            if name in maps and not _is_written(name, written, maps):
                found.append(f"{layer.name}: its {role} {name!r} is not written by an earlier layer")
            if name in maps and layer.target in maps and _share(maps[name], maps[layer.target]):
                found.append(
                    f"{layer.name}: writes {layer.target!r}, which holds channels of its {role} {name!r}; "
                    "give it another map to write"
                )
        if layer.source in maps and layer.ifm_trimmed != maps[layer.source].trimmed:
            found.append(
                f"{layer.name}: ifm_trimmed = {str(layer.ifm_trimmed).lower()}, but trimmed of its source "
                f"{layer.source!r} is {str(not layer.ifm_trimmed).lower()}; give both the same"
            )
        rows[layer.target] -= 1
        if rows[layer.target] <= 0:  # all of its rows
            written.add(layer.target)
    found += _written_twice(layers, maps, image)
    found += _trimmed_violations(maps, layers, image, host)
    for output in host.outputs:
        if output.map in maps and layers and not _is_written(output.map, written, maps):
            found.append(f"{output.name}: no layer writes {output.map!r}")
        elif output.map in maps and maps[output.map].concat_of is not None:
            found.append(
                f"{output.name}: {output.map!r} is a part of {maps[output.map].concat_of!r}, which the host "
                "cannot read by itself; give it a map of its own"
            )
    return found


def _trimmed_violations(
    maps: Mapping[str, FeatureMap], layers: Sequence[Layer], image: str, host: HostWork
) -> list[str]:
    """Trimmed maps that are not the image, or that not only layers read, as their input."""
    return [
        f"feature map {fm.name}: trimmed, which only an image may be that layers read as their input and "
        "nothing else reads; set trimmed to false, and ifm_trimmed of the layers that read it"
        for fm in maps.values()
        if fm.trimmed and (fm.name != image or not only_an_input(fm, maps.values(), layers, host.maps))
    ]


def only_an_input(
    fm: FeatureMap, maps: Iterable[FeatureMap], layers: Iterable[Layer], outputs: Iterable[str]
) -> bool:
    """True when layers read a map as their input, whole, and nothing else reads it."""
    joined = fm.concat_of is not None or any(part.concat_of == fm.name for part in maps)
    added = any(layer.residual == fm.name for layer in layers)
    return not joined and not added and fm.name not in outputs


def layout_violations(
    layout: ImageLayout, feature_maps: Sequence[FeatureMap], layers: Sequence[Layer], image: str
) -> list[str]:
    """What keeps a re-laid image from being what its feature map and the one layer that reads it expect."""
    if layout.stem is Stem.PLAIN:
        return ["image_layout: a plain image has none; write null"]
    down = {} if layout.row_stride is None else {"row_stride": layout.row_stride}
    least = {"stride": layout.stride, **down, "out_rows": layout.out_rows, "out_columns": layout.out_columns}
    pairs = {"source": layout.source, "kernel": layout.kernel}
    least |= {f"{name}[{at}]": value for name, values in pairs.items() for at, value in enumerate(values)}
    found = [
        f"image_layout.{name} = {value}: must be at least 1" for name, value in least.items() if value < 1
    ]
    for name, kernel in (("pad_top", layout.kernel[0]), ("pad_left", layout.kernel[1])):
        if getattr(layout, name) >= max(1, kernel):
            found.append(f"image_layout.{name} = {getattr(layout, name)}: must be less than the kernel")
    if found:
        return found
    cure = "lower the network again, or write null for a plain stem"
    for fm in feature_maps:
        shape = (fm.channels, fm.rows, fm.columns)
        if fm.name == image and shape != layout.target:
            found.append(
                f"image_layout: lays {_by(layout.source)} as {_by(layout.target)}, but the image "
                f"{image!r} is {_by(shape)}; {cure}"
            )
    readers = [layer for layer in layers if image in (layer.source, layer.residual)]
    expected = (LayerKind.CONV, *layout.target_kernel, 1, 1, 0, 0, layout.out_rows, layout.out_columns)
    if [_as_stem(layer) for layer in readers] != [expected]:
        outputs = _by((layout.out_rows, layout.out_columns))
        found.append(
            f"image_layout: {image!r} must be read by one convolution of kernel {_by(layout.target_kernel)}, "
            f"stride 1, no padding, {outputs} outputs, and nothing else, but it is read by "
            f"{', '.join(layer.name for layer in readers) or 'no layer'}; {cure}"
        )
    return found


def _as_stem(layer: Layer) -> tuple[object, ...]:
    """What a stem's layout decides of the layer that reads the image."""
    kernel = (layer.kernel_rows, layer.kernel_columns)
    pad = (layer.pad_top, layer.pad_left)
    return (layer.kind, *kernel, *layer.strides, *pad, layer.out_rows, layer.out_columns)


def numbers_violations(layer: Layer, numbers: LayerNumbers, act_bits: int) -> list[str]:
    """Arrays whose shape or range does not fit the layer."""
    found = []
    fan_in = layer.n if layer.kind is LayerKind.CONV else 1
    kernel = (layer.kernel_rows, layer.kernel_columns)
    if layer.kind is LayerKind.MAXPOOL:
        if numbers.weights.size:
            found.append(f"{layer.name}: a maxpool has no weights, but {numbers.weights.size} are given")
    elif numbers.weights.shape != (layer.m, fan_in, *kernel):
        found.append(_shape(layer, "weights", numbers.weights, (layer.m, fan_in, *kernel)))
    elif numbers.weights.size:
        low, high = int(numbers.weights.min()), int(numbers.weights.max())
        limit = 1 << (layer.weight_bits - 1)
        if low < -limit or high >= limit:
            found.append(
                f"{layer.name}: weights from {low} to {high} do not fit weight_bits = {layer.weight_bits}"
            )
    if numbers.bias.shape != (layer.m,):
        found.append(_shape(layer, "bias", numbers.bias, (layer.m,)))
    elif numbers.bias.size and (numbers.bias.min() < -BIAS_LIMIT or numbers.bias.max() >= BIAS_LIMIT):
        found.append(f"{layer.name}: the bias does not fit 32 bits")
    elif layer.kind is LayerKind.MAXPOOL and numbers.bias.any():
        found.append(f"{layer.name}: a maxpool has no bias; give zeros")
    top = 1 << (act_bits - 1)
    if not -top <= numbers.clamp_low <= numbers.clamp_high < top:
        found.append(
            f"{layer.name}: clamp [{numbers.clamp_low}, {numbers.clamp_high}] is not a range of "
            f"{act_bits}-bit activations"
        )
    sums = accumulator_bits(act_bits) - 1
    products = 2 * act_bits - 1
    limits = {"output_shift": sums, "residual_shift": products if layer.residual_multiplies else sums}
    for name, most in limits.items():
        if not 0 <= getattr(numbers, name) <= most:
            found.append(f"{layer.name}: {name} = {getattr(numbers, name)}: must be 0 to {most}")
    found += _line_violations(layer, numbers)
    return found + _pattern_violations(layer, numbers, (layer.m, fan_in), kernel)


def _line_violations(layer: Layer, numbers: LayerNumbers) -> list[str]:
    if layer.activation_lines != (numbers.lines is not None):
        given, cure = ("missing", "give them") if layer.activation_lines else ("given", "leave them out")
        return [
            f"{layer.name}: lines are {given}, but its activation_lines is "
            f"{str(layer.activation_lines).lower()}; {cure}"
        ]
    if numbers.lines is None:
        return []
    if numbers.lines.shape != (SEGMENTS, 2):
        return [_shape(layer, "lines", numbers.lines, (SEGMENTS, 2))]
    if numbers.lines.min() < LOWEST or numbers.lines.max() > HIGHEST:
        return [f"{layer.name}: its lines do not fit {LINE_BITS} bits"]
    return []


def _pattern_violations(
    layer: Layer, numbers: LayerNumbers, index_shape: tuple[int, int], kernel: tuple[int, int]
) -> list[str]:
    if layer.pattern_ones is None:
        if numbers.patterns is not None or numbers.pattern_index is not None:
            return [f"{layer.name}: has patterns, but its pattern_ones is null; give their number of ones"]
        return []
    if numbers.patterns is None or numbers.pattern_index is None:
        return [f"{layer.name}: pattern_ones = {layer.pattern_ones}, but its patterns are missing"]
    if numbers.patterns.shape != (4, *kernel):
        return [_shape(layer, "patterns", numbers.patterns, (4, *kernel))]
    if numbers.pattern_index.shape != index_shape:
        return [_shape(layer, "pattern_index", numbers.pattern_index, index_shape)]
    ones = numbers.patterns.reshape(4, -1).sum(axis=1)
    if not np.isin(numbers.patterns, (0, 1)).all() or (ones != layer.pattern_ones).any():
        return [f"{layer.name}: its patterns are not four 0/1 masks of {layer.pattern_ones} ones"]
    strange = numbers.pattern_index[(numbers.pattern_index < 0) | (numbers.pattern_index > 3)]
    if strange.size:
        return [f"{layer.name}: pattern_index holds {strange[0]}; it must be 0 to 3"]
    first = np.arange(layer.m) // layer.pattern_rows * layer.pattern_rows  # of those that share
    apart = np.flatnonzero((numbers.pattern_index != numbers.pattern_index[first]).any(axis=1))
    if len(apart):
        return [
            f"{layer.name}: pattern_rows = {layer.pattern_rows}, but output channel {apart[0]} has other "
            f"patterns than channel {first[apart[0]]}; give both the same, or lower pattern_rows"
        ]
    if numbers.weights.shape == (*index_shape, *kernel):
        pruned = np.count_nonzero(numbers.weights[numbers.patterns[numbers.pattern_index] == 0])
        if pruned:
            return [f"{layer.name}: {pruned} weights at pruned positions are not zero"]
    return []


def _feature_map_violations(fm: FeatureMap, maps: Mapping[str, FeatureMap]) -> list[str]:
    found = [
        f"feature map {fm.name}: {name} = {getattr(fm, name)}: must be at least 1"
        for name in ("channels", "rows", "columns")
        if getattr(fm, name) < 1
    ]
    if max(fm.rows, fm.columns) > LARGEST_SIDE:
        found.append(
            f"feature map {fm.name}: {fm.rows} x {fm.columns} pixels: at most {LARGEST_SIDE:,} a side"
        )
    if fm.channels > LARGEST_SIDE:
        found.append(f"feature map {fm.name}: {fm.channels} channels: at most {LARGEST_SIDE:,}")
    if abs(fm.frac_bits) > LARGEST_FRAC_BITS:
        found.append(
            f"feature map {fm.name}: frac_bits = {fm.frac_bits}: must be -{LARGEST_FRAC_BITS} to "
            f"{LARGEST_FRAC_BITS}"
        )
    if fm.concat_of is None:
        return found
    whole = maps.get(fm.concat_of)
    if whole is None or whole.concat_of is not None:
        found.append(f"feature map {fm.name}: concat_of = {fm.concat_of!r} is not a whole feature map")
    elif whole.rows * whole.columns != fm.rows * fm.columns:
        found.append(
            f"feature map {fm.name}: {fm.rows} x {fm.columns} pixels, but {whole.name} has "
            f"{whole.rows} x {whole.columns}"
        )
    elif fm.concat_offset < 0 or fm.concat_offset + fm.channels > whole.channels:
        found.append(
            f"feature map {fm.name}: channels {fm.concat_offset} to {fm.concat_offset + fm.channels - 1} "
            f"are not all in {whole.name}, which has {whole.channels}"
        )
    return found


def _layer_violations(layer: Layer, maps: Mapping[str, FeatureMap]) -> list[str]:
    where = layer.name
    sizes = ("n", "m", "in_rows", "in_columns", "out_rows", "out_columns", "kernel_rows", "kernel_columns")
    found = [
        f"{where}: {name} = {getattr(layer, name)}: must be at least 1"
        for name in (*sizes, "stride")
        if getattr(layer, name) < 1
    ]
    if layer.kind is not LayerKind.CONV and layer.n != layer.m:
        found.append(f"{where}: a {layer.kind} layer has m = n channels, not n = {layer.n} and m = {layer.m}")
    if not 2 <= layer.weight_bits <= 16:
        found.append(f"{where}: weight_bits = {layer.weight_bits}: must be 2 to 16")
    if max(layer.kernel_rows, layer.kernel_columns) > LARGEST_KERNEL:
        found.append(
            f"{where}: a kernel of {layer.kernel_rows} x {layer.kernel_columns}: at most {LARGEST_KERNEL} x "
            f"{LARGEST_KERNEL}"
        )
    for name in ("stride", "row_stride"):
        if (getattr(layer, name) or 0) > LARGEST_STRIDE:
            found.append(f"{where}: {name} = {getattr(layer, name)}: at most {LARGEST_STRIDE}")
    if layer.row_stride is not None and layer.row_stride < 1:
        found.append(f"{where}: row_stride = {layer.row_stride}: must be at least 1, or null")
    area = layer.kernel_rows * layer.kernel_columns
    if layer.pattern_ones is not None and not 1 <= layer.pattern_ones <= area:
        found.append(f"{where}: pattern_ones = {layer.pattern_ones}: must be 1 to {area}, or null when dense")
    if layer.needed_macs is not None and layer.needed_macs < 1:
        found.append(f"{where}: needed_macs = {layer.needed_macs}: must be at least 1, or null")
    if layer.pattern_rows < 1:
        found.append(f"{where}: pattern_rows = {layer.pattern_rows}: must be at least 1")
    for pad, kernel in (("pad_top", "kernel_rows"), ("pad_left", "kernel_columns")):
        if getattr(layer, pad) >= max(1, getattr(layer, kernel)):
            found.append(f"{where}: {pad} = {getattr(layer, pad)}: must be less than {kernel}")
    for out, stride, pad, inside in (
        ("out_rows", layer.strides[0], "pad_top", "in_rows"),
        ("out_columns", layer.strides[1], "pad_left", "in_columns"),
    ):
        if (getattr(layer, out) - 1) * stride - getattr(layer, pad) >= getattr(layer, inside) > 0:
            found.append(
                f"{where}: {out} = {getattr(layer, out)} with stride {stride} reaches beyond "
                f"{inside} = {getattr(layer, inside)}"
            )
    if layer.residual is None:
        found += [
            f"{where}: {flag}, but it has no residual; set {flag} to false"
            for flag in ("residual_multiplies", "residual_vector")
            if getattr(layer, flag)
        ]
    if not 0 <= layer.target_row < layer.target_rows:
        found.append(
            f"{where}: target_row = {layer.target_row}: must be 0 or more and less than target_rows = "
            f"{layer.target_rows}"
        )
    for named, clash in (("a residual", layer.residual is not None), ("ofm_on_chip", layer.ofm_on_chip)):
        if layer.target_rows > 1 and clash:
            found.append(
                f"{where}: it writes one of every {layer.target_rows} rows, so it cannot have {named}; "
                "copy the map, or leave that out"
            )
    inputs = (layer.n, layer.in_rows, layer.in_columns)
    outputs = (layer.m, layer.out_rows * layer.target_rows, layer.out_columns)
    for role, shape in (("source", inputs), ("target", outputs), ("residual", layer.residual_shape)):
        name = getattr(layer, role)
        if name is None:
            continue
        fm = maps.get(name)
        if fm is None:
            found.append(f"{where}: there is no feature map {name!r}, its {role}")
        elif (fm.channels, fm.rows * fm.columns) != (shape[0], shape[1] * shape[2]):
            found.append(
                f"{where}: its {role} {name!r} is {fm.channels} x {fm.rows} x {fm.columns}, "
                f"the layer needs {shape[0]} x {shape[1]} x {shape[2]}"
            )
    return found


def _is_written(name: str, written: set[str], maps: Mapping[str, FeatureMap]) -> bool:
    """A map is written when all its channels are: by itself, its whole map, or parts that lie in it."""
    fm = maps[name]
    root = fm.concat_of or name
    covered = np.zeros(maps[root].channels, dtype=bool)
    for part in maps.values():
        if part.name in written and root in (part.name, part.concat_of):
            covered[part.concat_offset : part.concat_offset + part.channels] = True
    return bool(covered[fm.concat_offset : fm.concat_offset + fm.channels].all()) and covered.size > 0


def _channels(fm: FeatureMap) -> range:
    """Channels of its root tensor that a map is."""
    return range(fm.concat_offset, fm.concat_offset + fm.channels)


def _share(one: FeatureMap, other: FeatureMap) -> bool:
    """True when two maps hold a channel of the same tensor."""
    first, second = _channels(one), _channels(other)
    same = (one.concat_of or one.name) == (other.concat_of or other.name)
    return same and first.start < second.stop and second.start < first.stop


def _written_twice(layers: Sequence[Layer], maps: Mapping[str, FeatureMap], image: str) -> list[str]:
    """Layers that write over what the host or another layer has written."""
    firsts = (layer for layer in layers if layer.target_row == 0)  # those of other rows write beside them
    writers = [("the host", image), *((layer.name, layer.target) for layer in firsts)]
    by_root: dict[str, list[tuple[int, int, str, str]]] = collections.defaultdict(list)
    for order, (writer, name) in enumerate(writers):
        if name in maps:
            by_root[maps[name].concat_of or name].append((_channels(maps[name]).start, order, writer, name))
    found = []
    for places in by_root.values():
        (_, _, last_writer, last), *others = sorted(places)
        for _, _, writer, name in others:
            if _share(maps[last], maps[name]):
                found.append(
                    f"{writer}: writes {name!r}, some channels of which {last_writer} writes as {last!r}; "
                    "give each channel one writer"
                )
            if _channels(maps[name]).stop > _channels(maps[last]).stop:
                last_writer, last = writer, name
    rows: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
    for layer in layers:
        if layer.target_rows > 1 or layer.target_row > 0:
            rows[layer.target].append((layer.target_rows, layer.target_row))
    return found + [
        f"{target}: layers write every {given[0][0]} rows of it; give each row from 0 on one writer"
        for target, given in rows.items()
        if sorted(given) != [(given[0][0], row) for row in range(given[0][0])]
    ]


def _shape(layer: Layer, name: str, array: np.ndarray, expected: tuple[int, ...]) -> str:
    return f"{layer.name}: {name} have shape {_by(array.shape)}, the layer needs {_by(expected)}"


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in collections.Counter(names).items() if count > 1]
