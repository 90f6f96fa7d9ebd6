"""Exhaustive hardware exploration of the published rule (section 5).

Designs are listed in the published loop order, so that the first strict minimum is ``argmin`` of the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.latency import DesignArrays, Formula, network_cycles_of
from hotnas_hls.published.layers import ConvKind, PublishedLayer
from hotnas_hls.published.resources import DSP_LIMIT, PORT_LANES, BramPolicy, cconv_fits

CCONV_TM = tuple(range(10, 221, 30))
DCONV_TM = tuple(range(64, 961, 128))
CONV_ONLY_TILES = (32, 64, 256)  # rows and columns
MIXED_TILE = 32
PORT_CHOICES = (2, 6, 10, 14, 18)


@dataclass(frozen=True)
class Exploration:
    """The optimum and how many designs were feasible."""

    hardware: PublishedHardware
    cycles: float
    feasible: int

    @property
    def ms_100mhz(self) -> float:
        """Milliseconds at 100 MHz, the clock the recorded explorations printed."""
        return self.cycles / 1e5


@dataclass(frozen=True)
class _Grid:
    """Accelerators in loop order: ``cconv[i]`` with ``dconv[i]``."""

    cconv: DesignArrays
    dconv: DesignArrays | None = None

    def __len__(self) -> int:
        return len(self.cconv)

    def __getitem__(self, index: int) -> PublishedHardware:
        return PublishedHardware(self.cconv[index], None if self.dconv is None else self.dconv[index])


def explore(
    layers: Sequence[PublishedLayer],
    formula: Formula | None = None,
    policy: BramPolicy | None = None,
) -> Exploration:
    """The design of the published grid with the fewest cycles (section 5).

    Networks without depthwise layers use the conv-only grid and, unless told otherwise, ``Formula.A`` with
    the swapped BRAM check of the time; the others the mixed grid, ``Formula.HEAD`` and no BRAM check.
    Raises InfeasibleDesign when nothing of the grid fits ``policy``, and UnsupportedNetwork when there is no
    convolution at all.
    """
    if not layers:
        raise UnsupportedNetwork("there is no convolution to explore hardware for")
    mixed = any(layer.kind is ConvKind.DCONV for layer in layers)
    if formula is None:
        formula = Formula.HEAD if mixed else Formula.A
    if policy is None:
        policy = BramPolicy.OFF if mixed else BramPolicy.AS_PUBLISHED
    grid = _mixed_grid(layers, policy) if mixed else _conv_only_grid(layers, policy)
    if not len(grid):
        raise InfeasibleDesign(f"no design of the published grid fits the BRAM policy {policy.name}")
    cycles = network_cycles_of(layers, grid.cconv, grid.dconv, formula)
    best = int(np.argmin(cycles))
    return Exploration(hardware=grid[best], cycles=float(cycles[best]), feasible=len(grid))


def _conv_only_grid(layers: Sequence[PublishedLayer], policy: BramPolicy) -> _Grid:
    """Feasible designs in the loop order Tm > Tc > Tr > Wp > Ip > Op; Tn takes the DSPs left."""
    axes = product(CCONV_TM, CONV_ONLY_TILES, CONV_ONLY_TILES, PORT_CHOICES, PORT_CHOICES, PORT_CHOICES)
    tk = max(layer.K for layer in layers)
    tm, tc, tr, wp, ip, op = np.array(list(axes), dtype=np.int64).T[:, :, None]
    designs = DesignArrays(
        tm=tm, tn=DSP_LIMIT // tm, tr=tr, tc=tc, tk=np.full_like(tm, tk), wp=wp, ip=ip, op=op
    )
    return _Grid(_rows(designs, cconv_fits(designs, policy)))


def _mixed_grid(layers: Sequence[PublishedLayer], policy: BramPolicy) -> _Grid:
    """Feasible designs in the loop order Wp > Ip > Op > d_Tm > Tm; one tile size, shared ports.

    Each engine has the Tk of its own layers' largest kernel.
    """
    if policy is not BramPolicy.OFF:
        raise ValueError("the published mixed exploration had no BRAM check; use BramPolicy.OFF")
    axes = product(PORT_CHOICES, PORT_CHOICES, PORT_CHOICES, DCONV_TM, CCONV_TM)
    wp, ip, op, d_tm, tm = np.array(list(axes), dtype=np.int64).T[:, :, None]
    tn = (DSP_LIMIT - d_tm) // tm
    fits = ((tn >= 1) & (wp + ip + op <= PORT_LANES))[:, 0]
    tile = np.full_like(tm, MIXED_TILE)

    def engine(kind: ConvKind, out_tile: np.ndarray, in_tile: np.ndarray) -> DesignArrays:
        tk = np.full_like(tm, max((layer.K for layer in layers if layer.kind is kind), default=1))
        designs = DesignArrays(tm=out_tile, tn=in_tile, tr=tile, tc=tile, tk=tk, wp=wp, ip=ip, op=op)
        return _rows(designs, fits)

    return _Grid(engine(ConvKind.CCONV, tm, tn), engine(ConvKind.DCONV, d_tm, np.ones_like(tm)))


def _rows(designs: DesignArrays, chosen: np.ndarray) -> DesignArrays:
    return DesignArrays(**{name: getattr(designs, name)[chosen] for name in designs.__dataclass_fields__})
