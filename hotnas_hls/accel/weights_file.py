"""``weights.safetensors``: integers of a design's layers, images and labels that it is checked with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import safetensors.numpy

from hotnas_hls.accel.layer import LayerNumbers

WEIGHTS_FILE = "weights.safetensors"
_SCALARS = ("output_shift", "clamp_low", "clamp_high", "residual_shift", "weight_frac_bits")
_ROLES = ("weights", "bias", "scalars", "pattern_index", "patterns", "lines")


@dataclass(frozen=True, eq=False)
class Golden:
    """Test images as the accelerator reads them: integers (count, C, H, W), and their classes."""

    images: np.ndarray
    labels: np.ndarray | None = None


def encoded(numbers: Mapping[str, LayerNumbers], golden: Golden | None, bits: Mapping[str, int]) -> bytes:
    """The bytes of the file; ``bits``: of a weight, by layer. The same numbers give the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for name, layer in numbers.items():
        narrow = np.int8 if bits.get(name, 16) <= 8 else np.int16
        fits = not layer.weights.size or (layer.weights == layer.weights.astype(narrow)).all()
        arrays[f"layer/{name}/weights"] = layer.weights.astype(narrow if fits else np.int32)
        arrays[f"layer/{name}/bias"] = layer.bias.astype(np.int64)
        scalars = [getattr(layer, scalar) for scalar in _SCALARS]
        arrays[f"layer/{name}/scalars"] = np.array(scalars, dtype=np.int64)
        if layer.pattern_index is not None:
            arrays[f"layer/{name}/pattern_index"] = layer.pattern_index.astype(np.uint8)
        if layer.patterns is not None:
            arrays[f"layer/{name}/patterns"] = layer.patterns.astype(np.uint8)
        if layer.lines is not None:
            arrays[f"layer/{name}/lines"] = layer.lines.astype(np.int16)
    if golden is not None:
        arrays["golden/images"] = golden.images.astype(np.int16)
        if golden.labels is not None:
            arrays["golden/labels"] = golden.labels.astype(np.int64)
    arrays = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    return safetensors.numpy.save(arrays)


def decoded(
    arrays: dict[str, np.ndarray], file: str, problems: list[str]
) -> tuple[dict[str, LayerNumbers], Golden | None]:
    """What the arrays of the file named ``file`` say; what is wrong with them goes to ``problems``."""
    by_layer: dict[str, dict[str, np.ndarray]] = {}
    golden: dict[str, np.ndarray] = {}
    for key, array in arrays.items():
        place, _, rest = key.partition("/")
        name, _, role = rest.rpartition("/")
        integers = np.issubdtype(array.dtype, np.integer)
        if place == "layer" and role in _ROLES and integers:
            by_layer.setdefault(name, {})[role] = array
        elif key in ("golden/images", "golden/labels") and integers:
            golden[rest] = array
        else:
            problems.append(f"{file}: unknown array {key} ({array.dtype})")
    numbers = {}
    for name, roles in sorted(by_layer.items()):
        missing = [role for role in ("weights", "bias", "scalars") if role not in roles]
        if missing or roles["scalars"].shape != (len(_SCALARS),):
            what = ", ".join(missing) or "scalars"
            problems.append(f"{file}: layer {name}: {what} missing or of wrong shape")
            continue
        scalars = dict(zip(_SCALARS, map(int, roles["scalars"]), strict=True))
        numbers[name] = LayerNumbers(
            weights=_narrowed(roles["weights"], np.int32, f"{file}: {name}: weights", problems),
            bias=_narrowed(roles["bias"], np.int64, f"{file}: {name}: bias", problems),
            pattern_index=roles.get("pattern_index"),
            patterns=roles.get("patterns"),
            lines=roles.get("lines"),
            **scalars,
        )
    if "labels" in golden and "images" not in golden:
        problems.append(f"{file}: golden/labels without golden/images")
    if "images" not in golden:
        return numbers, None
    images = _narrowed(golden["images"], np.int32, f"{file}: golden/images", problems)
    return numbers, Golden(images, golden.get("labels"))


def _narrowed(array: np.ndarray, kind: type[np.signedinteger], what: str, problems: list[str]) -> np.ndarray:
    """``array`` in fewer bits; values that do not fit go to ``problems``."""
    limits = np.iinfo(kind)
    if array.size and not limits.min <= int(array.min()) <= int(array.max()) <= limits.max:
        problems.append(f"{what} from {array.min()} to {array.max()} do not fit {limits.bits} bits")
    return array.astype(kind)
