"""Platforms by name: those of this project, and those that other packages register.

A package registers a class by an entry point of the group ``hotnas_hls.platforms``; the entry point's name is
the platform's. Classes are imported when they are asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Protocol, cast

from hotnas_hls.base.names import nearest
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.platforms.metric import Metric, metric_named
from hotnas_hls.platforms.platform import Emits, Platform, Varies
from hotnas_hls.platforms.request import PlatformRequest

GROUP = "hotnas_hls.platforms"
OWN = "hotnas-hls"
TILED_ENGINE = "tiled-engine"
BUILT_IN = {
    TILED_ENGINE: "hotnas_hls.platforms.tiled_engine:TiledEnginePlatform",
    "nacim": "hotnas_hls.platforms.nacim.platform:ComputeInMemoryPlatform",
    "nasaic": "hotnas_hls.platforms.nasaic.platform:SubAcceleratorPlatform",
    "nass": "hotnas_hls.platforms.nass.platform:PrivateInferencePlatform",
    "noc": "hotnas_hls.platforms.noc.platform:MeshPlatform",
}
NEEDED = ("about", "metrics", "needs_board", "of")


class PlatformClass(Protocol):
    """What an entry point names: a class of platforms."""

    about: ClassVar[str]  # one sentence
    metrics: ClassVar[tuple[Metric, ...]]  # the first is the objective where none is chosen
    needs_board: ClassVar[bool]

    @classmethod
    def of(cls, request: PlatformRequest) -> Platform[Any]:
        """The platform for a network; ConfigError for constants that cannot be."""
        ...


@dataclass(frozen=True)
class Registered:
    """A platform that can be chosen."""

    name: str
    target: str  # module:class
    package: str
    load: Callable[[], Any]

    def loaded(self) -> type[PlatformClass]:
        """Its class; ConfigError where it cannot be imported, or is no platform."""
        try:
            found = self.load()
        except (Exception, SystemExit) as reason:  # whatever another package raises
            raise ConfigError(
                f"platform {self.name}: {self.target} of {self.package} cannot be imported: "
                f"{type(reason).__name__}: {reason}; mend or uninstall {self.package}"
            ) from reason
        missing = [name for name in NEEDED if not hasattr(found, name)]
        if missing:
            raise ConfigError(
                f"platform {self.name}: {self.target} of {self.package} is no platform, it lacks "
                f"{', '.join(missing)}; mend or uninstall {self.package}"
            )
        return cast("type[PlatformClass]", found)


@dataclass(frozen=True)
class KnownPlatform:
    """A platform as ``hotnas platforms`` lists it."""

    name: str
    about: str
    metrics: tuple[Metric, ...]
    emits: bool  # writes designs that are generated, simulated and certified; else a model only
    package: str


def platform_class(name: str) -> type[PlatformClass]:
    """The platform called ``name``; ConfigError where there is none, or two, or it cannot be imported."""
    found = [one for one in _registered() if one.name == name]
    if not found:
        known = sorted({one.name for one in _registered()})
        raise ConfigError(
            f"platform: no platform is called {name!r}; {nearest(name, known)}known: {', '.join(known)} "
            "(hotnas platforms says more)"
        )
    raise_all(ConfigError, "platforms cannot be told apart:", _twins(found))
    return found[0].loaded()


def make_platform(name: str, request: PlatformRequest) -> Platform[Any]:
    """The platform called ``name`` for a network; ConfigError for a name, metric or constant that is none."""
    kind = platform_class(name)
    board, several = request.board is not None, bool(request.beside)
    problems = asked_violations(name, board, request.objective, several=several)
    raise_all(ConfigError, f"{name} cannot be searched on so:", problems)
    return kind.of(request)


def asked_violations(
    name: str,
    board: bool,
    objective: str | None = None,
    bounded: Iterable[str] = (),
    varied: Iterable[str] = (),
    several: bool = False,
) -> list[str]:
    """What a platform cannot do of what is asked of it, each with its cure.

    board: whether one is given. bounded: metrics by name. varied: keys that need devices that vary.
    several: whether networks are to run beside it.
    """
    try:
        kind = platform_class(name)
    except ConfigError as reason:
        return [str(reason)]
    found = []
    if kind.needs_board and not board:
        found.append(f"board: {name} runs on one; give a name of hotnas boards, or the path of a YAML file")
    if not callable(getattr(kind, Varies.varied.__name__, None)):
        found += [f"{key}: devices of {name} do not vary; leave it out" for key in varied]
    if several and not getattr(kind, "takes_several", False):
        found.append(f"beside: {name} runs one network at a time; leave it out")
    asked = {} if objective is None else {"objective": objective}
    asked |= {"bound.latency_ms" if one == "latency_ms" else f"bound.metrics.{one}": one for one in bounded}
    for where, metric in asked.items():
        try:
            known = metric_named(metric, kind.metrics, name, where)
        except ConfigError as reason:
            found.append(str(reason))
            continue
        if where == "objective" and known.more_is_better:
            found.append(
                f"objective: of {metric} more is better, and a search lessens its objective; bound it by "
                f"bound.metrics.{metric} instead"
            )
    return found


def known_platforms() -> tuple[KnownPlatform, ...]:
    """Every platform; ConfigError with all that cannot be told apart or imported."""
    registered = list(_registered())
    problems, found = _twins(registered), []
    for one in registered:
        try:
            kind = one.loaded()
        except ConfigError as reason:
            problems.append(str(reason))
        else:
            emits = callable(getattr(kind, Emits.emit.__name__, None))
            found.append(KnownPlatform(one.name, kind.about, tuple(kind.metrics), emits, one.package))
    raise_all(ConfigError, "these platforms cannot be used:", problems)
    return tuple(found)


def _registered() -> Iterator[Registered]:
    """Those of this project, then those of other packages by name."""
    for name, target in BUILT_IN.items():
        yield Registered(name, target, OWN, partial(_imported, target))
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        yield Registered(point.name, point.value, _package(point), point.load)


def _imported(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value.partition(".")[0]


def _twins(registered: list[Registered]) -> list[str]:
    """Names that stand for two platforms."""
    by_name: dict[str, list[Registered]] = {}
    for one in registered:
        by_name.setdefault(one.name, []).append(one)
    return [
        f"{len(same)} platforms are called {name}: "
        + ", ".join(f"{one.target} of {one.package}" for one in same)
        + "; rename or uninstall all but one"
        for name, same in by_name.items()
        if len(same) > 1
    ]
