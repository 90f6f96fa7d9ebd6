"""Errors a user can meet: each says what is wrong, where, and the cure."""

from __future__ import annotations

from collections.abc import Iterable


class HotnasError(Exception):
    """Root of every error that is reported to the user as one message and exit status 1."""


class ConfigError(HotnasError):
    """A configuration, board, network or design file that is not valid."""


class UnsupportedNetwork(HotnasError):
    """A network with operators or shapes the accelerator does not have (all of them listed)."""


class CheckpointError(HotnasError):
    """Weights that do not fit the network, or that are not safe to load."""


class InfeasibleDesign(HotnasError):
    """No design meets the latency bound and the board's resources."""


class ToolNotFound(HotnasError):
    """An external tool is missing."""


class OutputRefused(HotnasError):
    """An output folder that is not ours to overwrite, or that cannot be written."""


class SimulationFailed(HotnasError):
    """A simulation that did not build, hung, or disagreed with the reference or the model."""


class DataMissing(HotnasError):
    """A data set that is not on this machine; says what to download and where to put it."""


class CallbackFailed(HotnasError):
    """A caller's function, called with every trial of a search, that raised; its error is the cause."""


def raise_all(error: type[HotnasError], headline: str, violations: Iterable[str]) -> None:
    """Raise one ``error`` that lists every violation, or return when there is none."""
    lines = [f"  - {violation}" for violation in violations]
    if lines:
        raise error("\n".join([headline, *lines]))
