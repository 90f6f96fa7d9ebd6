"""Network graph: the operators of a traced CNN with true shapes, over networkx.

Above this type torch (or ONNX) is known; below it, it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

import networkx as nx
import numpy as np

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.base.names import LONGEST_OPERATOR, name_violation
from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.network.activation import Activation

Shape = tuple[int, int, int]  # (channels, rows, columns)
Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-inf, inf)


class OpKind(StrEnum):
    """Operators a traced network can hold."""

    INPUT = "input"
    CONV = "conv"  # of one group, of several, or depthwise (groups == in channels == out channels)
    LINEAR = "linear"
    BATCHNORM = "batchnorm"
    RELU = "relu"
    CLIP = "clip"  # between the bounds
    ACTIVATION = "activation"  # any other function of each value
    MAXPOOL = "maxpool"
    AVGPOOL = "avgpool"  # padding counts; global average pooling is one whose kernel is the whole map
    ADD = "add"  # the second may be a vector: a value for each channel, one pixel
    MULTIPLY = "multiply"  # the same
    CONCAT = "concat"
    SUBSAMPLE = "subsample"  # x[:, :, ::s, ::s] cut first, zero channels padded behind (option A shortcuts)
    FLATTEN = "flatten"
    ROWS = "rows"  # the rows of several maps in turn: the first of each, then the second of each
    PIXELS = "pixels"  # the same pixels, one after the other, as other rows and columns


@dataclass(frozen=True)
class Grid:
    """Multiples of ``2**-frac_bits`` from ``low`` to ``high``."""

    frac_bits: int
    low: float
    high: float

    def fits(self, bits: int) -> bool:
        """Whether signed integers of ``bits`` bits hold it."""
        top, unit = 1 << (bits - 1), 2.0**self.frac_bits
        return -top <= self.low * unit and self.high * unit < top


@dataclass(frozen=True)
class Node:
    """One operator. ``shape`` is that of its output; a vector of F features is (F, 1, 1).

    ``parameters`` holds float32 arrays by role: CONV/LINEAR ``weight`` (out, in/groups, kh, kw)
    or (out, in) and optional ``bias``; BATCHNORM ``weight bias mean var`` (epsilon in ``epsilon``).
    """

    name: str  # unique; for a torch module its dotted path, e.g. "layer1.0.conv1"
    kind: OpKind
    inputs: tuple[str, ...]
    shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, left, bottom, right; less than none cuts
    dilation: tuple[int, int] = (1, 1)  # CONV only: rows and columns from one weight to the next
    groups: int = 1
    channel_pad: tuple[int, int] = (0, 0)  # SUBSAMPLE only: zero channels before, after
    epsilon: float = 1e-5  # BATCHNORM only
    bounds: Bounds = UNBOUNDED  # CLIP only: lowest and highest value
    activation: Activation | None = None  # ACTIVATION only
    grid: Grid | None = None  # INPUT and CLIP only: what its values are rounded to where integers run
    parameters: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns from the first weight of a kernel to the last."""
        rows, columns = (
            gap * (size - 1) + 1 for size, gap in zip(self.kernel, self.dilation, strict=True)
        )
        return rows, columns

    @property
    def limits(self) -> Bounds:
        """Lowest and highest value of a clip or a ReLU; infinite of any other node."""
        return (0.0, inf) if self.kind is OpKind.RELU else self.bounds

    @property
    def is_depthwise(self) -> bool:
        """True for a convolution that keeps every channel to itself."""
        return self.kind is OpKind.CONV and self.groups > 1 and self.groups == self.shape[0]

    @property
    def is_affine(self) -> bool:
        """True for a batch norm of no statistics: a factor and an offset for each channel."""
        of = self.parameters
        return (
            self.kind is OpKind.BATCHNORM
            and self.epsilon == 0
            and not of["mean"].any()
            and bool((of["var"] == 1).all())
        )

    @property
    def is_grouped(self) -> bool:
        """True for a convolution of several groups of channels."""
        return self.kind is OpKind.CONV and self.groups > 1 and not self.is_depthwise


class Graph:
    """A directed acyclic graph of :class:`Node`, iterated in topological (definition) order.

    ``host``: what the host does to the image before, the nodes whose output it reads, and what it makes of
    that; it reads the nodes that no other reads where it is not given. ``run`` does nothing of it.
    """

    def __init__(self, name: str, nodes: list[Node], host: HostWork | None = None) -> None:
        problems = (name_violation(given, LONGEST_OPERATOR) for given in (name, *(n.name for n in nodes)))
        raise_all(UnsupportedNetwork, "names that cannot stand in a table or a file:", filter(None, problems))
        self.name = name
        self.dag = nx.DiGraph(name=name)
        for node in nodes:
            if node.name in self.dag:
                raise ValueError(f"two nodes are called {node.name!r}")
            self.dag.add_node(node.name, node=node)
            for position, source in enumerate(node.inputs):
                if source not in self.dag:
                    raise ValueError(f"{node.name!r} reads {source!r}, which is not defined before it")
                self.dag.add_edge(source, node.name, position=position)
        last = [node.name for node in nodes if self.dag.out_degree(node.name) == 0]
        self.host = HostWork.reading(*last) if host is None else host

    def __iter__(self) -> Iterator[Node]:
        return (data["node"] for _, data in self.dag.nodes(data=True))

    def __len__(self) -> int:
        return len(self.dag)

    def __getitem__(self, name: str) -> Node:
        return self.dag.nodes[name]["node"]

    def __contains__(self, name: str) -> bool:
        return name in self.dag

    def consumers(self, name: str) -> list[Node]:
        """Nodes that read ``name``, in definition order."""
        return [self[successor] for successor in self.dag.successors(name)]

    @property
    def input(self) -> Node:
        """The single INPUT node."""
        return next(node for node in self if node.kind is OpKind.INPUT)

    @property
    def image(self) -> Shape:
        """(channels, rows, columns) of an image before the host prepares it."""
        before = self.host.preparation
        return self.input.shape if before is None else before.source

    @property
    def outputs(self) -> tuple[Node, ...]:
        """The nodes whose output the host reads, each once."""
        return tuple(self[name] for name in self.host.maps)

    def readers(self, name: str) -> int:
        """How many read ``name``: nodes, and the host."""
        return int(self.dag.out_degree(name)) + (name in self.host.maps)
