"""Hardware of the published rule: one engine is eight numbers, a network uses one or two engines."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields, replace

from hotnas_hls.errors import ConfigError, raise_all


@dataclass(frozen=True)
class PublishedDesign:
    """One convolution engine (section 1.1), in the published order of its eight numbers."""

    tm: int  # output channels computed in parallel
    tn: int  # input channels computed in parallel (a depthwise engine: 1)
    tr: int  # rows of a tile
    tc: int  # columns of a tile
    tk: int  # largest kernel side the engine accepts
    wp: int  # weight port, 16-bit words a cycle
    ip: int  # input port, 16-bit words a cycle
    op: int  # output port, 16-bit words a cycle

    @classmethod
    def parse(cls, text: str) -> PublishedDesign:
        """Read ``"70,36,64,64,7,18,6,6"``. Raises ConfigError when it is not eight positive integers."""
        names = [field.name for field in fields(cls)]
        parts = text.split(",")
        if len(parts) != len(names):
            raise ConfigError(
                f"design {text!r}: {len(parts)} numbers; expected {len(names)}: {','.join(names)}"
            )
        values, violations = {}, []
        for name, part in zip(names, parts, strict=True):
            if not part.strip().isascii() or not part.strip().isdigit() or int(part) < 1:
                violations.append(f"{name} must be a positive integer, not {part.strip()!r}")
            else:
                values[name] = int(part)
        raise_all(ConfigError, f"design {text!r}:", violations)
        return cls(**values)

    def __str__(self) -> str:
        return ",".join(str(value) for value in astuple(self))

    @property
    def lanes(self) -> int:
        """16-bit words moved a cycle by the three ports together."""
        return self.wp + self.ip + self.op

    def with_ports(self, wp: int, ip: int, op: int) -> PublishedDesign:
        """The same engine behind other ports."""
        return replace(self, wp=wp, ip=ip, op=op)


@dataclass(frozen=True)
class PublishedHardware:
    """The engines of one accelerator. Both engines stand behind the same ports (section 1.7)."""

    cconv: PublishedDesign
    dconv: PublishedDesign | None = None  # None: the network has no depthwise layer

    def __post_init__(self) -> None:
        if self.dconv is not None and self._ports(self.dconv) != self._ports(self.cconv):
            raise ConfigError(
                f"the engines share their ports, yet cconv has {self._ports(self.cconv)} "
                f"and dconv {self._ports(self.dconv)} (wp, ip, op)"
            )

    @staticmethod
    def _ports(design: PublishedDesign) -> tuple[int, int, int]:
        return design.wp, design.ip, design.op

    @classmethod
    def parse(cls, cconv: str, dconv: str | None = None) -> PublishedHardware:
        """Read one or two engines, see :meth:`PublishedDesign.parse`."""
        return cls(PublishedDesign.parse(cconv), PublishedDesign.parse(dconv) if dconv else None)

    def __str__(self) -> str:
        return f"({self.cconv})" if self.dconv is None else f"({self.cconv}) d({self.dconv})"

    @property
    def lanes(self) -> int:
        """16-bit words moved a cycle by the shared ports."""
        return self.cconv.lanes

    def with_ports(self, wp: int, ip: int, op: int) -> PublishedHardware:
        """The same engines behind other ports."""
        return PublishedHardware(
            self.cconv.with_ports(wp, ip, op),
            None if self.dconv is None else self.dconv.with_ports(wp, ip, op),
        )
