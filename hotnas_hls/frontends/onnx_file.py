"""ONNX files as models that can be run: read, sound, in order, under names that tell nodes apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx

from hotnas_hls.errors import ConfigError, raise_all

try:
    import onnx
except ImportError:  # an optional extra
    onnx = None  # type: ignore[assignment]

OWN_DOMAINS = ("", "ai.onnx")
OLDEST_OPSET = 7
MOST_BYTES = (1 << 31) - 1  # of a model with its constants: what protobuf and onnxruntime hand on
SHOWN = 4  # nodes of a circle
FINDING = re.compile(r"\(op_type:(\w+)(?:, node name: ([^)]*))?\): (?:\[\w+\] )*(.+)")


def loaded(path: Path) -> Any:
    """The model of a file, its nodes in order; ConfigError with everything that keeps it from being one."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name an ONNX model")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's errors have no common parent
        raise _invalid(path, error) from error
    raise_all(ConfigError, f"{path}: not a model that can be read:", _problems(model, path))
    _name_apart(model)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
    except Exception as error:  # nor those of the checker
        raise _invalid(path, error) from error
    if model.ByteSize() > MOST_BYTES:
        raise ConfigError(
            f"{path}: its constants take {model.ByteSize() / 1e9:.1f} GB; a model may have 2 GB: "
            "export it with fewer or smaller layers"
        )
    return model


def inferred(model: Any, path: Path) -> Any:
    """``model`` with the shapes of all its tensors; ConfigError with those that do not fit each other."""
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        found = [
            f"{dotted(name)}: {operator}: {reason.strip()}" if name else f"{operator}: {reason.strip()}"
            for operator, name, reason in FINDING.findall(str(error))
        ]
        raise_all(
            ConfigError,
            f"{path}: its shapes do not fit each other; correct the model or export it again",
            found or [first_line(error)],
        )
        raise
    except Exception as error:  # of types that it does not know
        raise _invalid(path, error) from error


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators."""
    return max((entry.version for entry in model.opset_import if entry.domain in OWN_DOMAINS), default=1)


def dotted(name: str | bytes) -> str:
    """A name of letters, digits, underscores and dots, from "/layer1/conv/Conv".

    Protobuf hands on as bytes what is no text.
    """
    name = name.decode(errors="replace") if isinstance(name, bytes) else name
    return re.sub(r"[^A-Za-z0-9_]+", ".", name).strip(".") or "node"


def first_line(error: Exception) -> str:
    """What an error says first."""
    return str(error).strip().split("\n")[0] or type(error).__name__


def _invalid(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"{path}: not a valid ONNX model ({first_line(error)}); export it again")


def _problems(model: Any, path: Path) -> Iterator[str]:
    """What the checker does not say, or not so that one finds the place; sorts the nodes besides."""
    newest = onnx.defs.onnx_opset_version()
    if opset_of(model) > newest:
        yield (
            f"its operators are of opset {opset_of(model)}, the package onnx has none above {newest}; "
            f"export it with an opset from {OLDEST_OPSET} to {newest}"
        )
    if not model.graph.output:
        yield "it has no output; export it with what it computes"
    for tensor in model.graph.initializer:
        for entry in tensor.external_data if tensor.data_location == tensor.EXTERNAL else ():
            if entry.key == "location" and not (path.parent / entry.value).exists():
                name, file = dotted(tensor.name), dotted(entry.value)
                yield f"{name}: its values lie in {file}, which is not beside it; copy that file, too"
    versions = {entry.domain: entry.version for entry in model.opset_import}
    for node in model.graph.node:
        domain = "" if node.domain in OWN_DOMAINS else node.domain
        if domain not in versions and not (domain == "" and "ai.onnx" in versions):
            yield f"{_called(node)}: the file names no version of its domain; export it again"
        elif domain == "" and not onnx.defs.has(dotted(node.op_type), ""):
            yield f"{_called(node)}: ONNX has no such operator; export it again"
    yield from _order(model)


def _order(model: Any) -> Iterator[str]:
    """Sorts the nodes; yields those that read what is nowhere, or each other in a circle."""
    nodes, made = list(model.graph.node), dict[str, Any]()
    for node in nodes:
        for name in filter(None, node.output):
            if name in made:
                yield f"{_called(node)}: makes {dotted(name)}, as {_called(made[name])} does; export it again"
                return
            made[name] = node
    maker = {name: at for at, node in enumerate(nodes) for name in node.output if name}
    given = {entry.name for entry in (*model.graph.input, *model.graph.initializer)}
    given |= {entry.values.name for entry in model.graph.sparse_initializer}
    reads = nx.DiGraph()
    reads.add_nodes_from(range(len(nodes)))
    for at, node in enumerate(nodes):
        for name in filter(None, node.input):
            if name in maker:
                reads.add_edge(maker[name], at)
            elif name not in given:
                yield f"{_called(node)}: its input {dotted(name)} is nowhere; export the whole network"
    if all(first < second for first, second in reads.edges):
        return
    try:
        circle = [first for first, _ in nx.find_cycle(reads)]
    except nx.NetworkXNoCycle:
        order = list(nx.lexicographical_topological_sort(reads))
        kept = [type(nodes[at]).FromString(nodes[at].SerializeToString()) for at in order]
        del model.graph.node[:]
        model.graph.node.extend(kept)
        return
    names = [_called(nodes[at]) for at in circle]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    yield f"{', '.join(names[:SHOWN])}{more}: read each other in a circle; export it without loops"


def _called(node: Any) -> str:
    name = dotted(node.name or next(iter(node.output), ""))
    return f"{name}: {dotted(node.op_type)}"


def _name_apart(model: Any) -> None:
    """Names that several nodes have are left to the first: others are called by what they make.

    Of names that are no text, what is text stays.
    """
    seen: set[str] = set()
    for node in model.graph.node:
        if isinstance(node.name, bytes):
            node.name = dotted(node.name)
        if node.name in seen:
            node.name = ""
        seen.add(node.name)
