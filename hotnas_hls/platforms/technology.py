"""Technology files: the constants of a platform's model by name, each with its source in the file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from hotnas_hls.base.names import nearest
from hotnas_hls.base.records import load_yaml, read_value
from hotnas_hls.errors import ConfigError, raise_all


@dataclass(frozen=True)
class Technology:
    """Constants, all of them more than 0; a platform names its own in a subclass."""

    name: str

    def violations(self) -> list[str]:
        """Constants that cannot be, each with its name; a platform adds what its model is made for."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return [
            f"{name}: must be more than 0, not {value:g}"
            for name, value in values.items()
            if isinstance(value, int | float) and value <= 0
        ]


Constants = TypeVar("Constants", bound=Technology)


def load_technology(kind: type[Constants], shipped: Path, name: str | Path) -> Constants:
    """A technology by its name in the file ``shipped``, or by the path of a YAML file of one.

    ConfigError for an unknown name, and for a file with keys missing or unknown, or constants that cannot
    be: all of them at once.
    """
    text = str(name)
    if text.endswith((".yaml", ".yml")) or "/" in text:
        record = load_yaml(Path(text))
        records = record if isinstance(record, list) else [record]  # a list, as the shipped file is
        if len(records) != 1:
            raise ConfigError(f"{text}: holds {len(records)} technologies; give a file of one")
        return _read(kind, Path(text), records)[0]
    known = {one.name: one for one in known_technologies(kind, shipped)}
    if text in known:
        return known[text]
    raise ConfigError(
        f"unknown technology {text!r}; {nearest(text, known)}known: {', '.join(known)}; for another give the "
        f"path of a YAML file with the keys of {shipped.name}"
    )


def known_technologies(kind: type[Constants], shipped: Path) -> tuple[Constants, ...]:
    """Those of the file ``shipped``, in its order."""
    return _read(kind, shipped, load_yaml(shipped))


def _read(kind: type[Constants], path: Path, records: object) -> tuple[Constants, ...]:
    problems: list[str] = []
    found = read_value(tuple[kind, ...], records, "", problems)  # type: ignore[valid-type]
    if not problems:
        problems += [problem for one in found for problem in one.violations()]
    raise_all(ConfigError, f"{path}: not a valid technology:", map(_placed, problems))
    return tuple(found)


def _placed(problem: str) -> str:
    """A problem of the first record, the only one of a file of one, without its place in the list."""
    return problem.removeprefix("[0].").removeprefix("[0]: ")
