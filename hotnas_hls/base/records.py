"""Strict reading of YAML and JSON records into frozen dataclasses.

Every problem of a record is collected (unknown key, missing key, wrong type), each with its place
and what is accepted there; nothing is guessed and nothing is ignored.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from hotnas_hls.base.names import nearest, unprintable
from hotnas_hls.errors import ConfigError, HotnasError

LARGEST_FLOAT, LARGEST_INT = sys.float_info.max, (1 << 63) - 1
DEEPEST = 50  # tables and lists inside each other
MOST_VALUES = 1_000_000  # of a YAML file, whose anchors can stand for many times their size

# Metadata of a field that came to a record later: at its default, what was written before keeps its bytes.
LATER = {"later": True}


class UnknownKey(str):
    """A problem of a record that can be read all the same, so that its values can be checked too."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses repeated keys and reads ``1e-3`` as a number (as YAML 1.2 does)."""


def _no_repeated_keys(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is not text; write it in quotes", key_node.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is given twice; keep one", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _no_repeated_keys)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_text(path: Path, error: type[HotnasError] = ConfigError) -> str:
    """Text of a file, or an ``error`` that says why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")  # a byte order mark is no text
    except FileNotFoundError:
        raise error(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"{path}: cannot be read as text: {reason}") from None


def load_yaml(path: Path, error: type[HotnasError] = ConfigError) -> Any:
    """Contents of a YAML file; broken YAML and repeated keys are ``error``s that name the line."""
    text = read_text(path, error)
    try:
        return _sound(yaml.load(text, Loader=_StrictLoader))  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark is not None else ""
        reason = getattr(problem, "problem", None) or str(problem)
        raise error(f"{path}:{line} not valid YAML: {reason}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}: not valid YAML: {_why(problem)}") from None


def load_json(path: Path, error: type[HotnasError] = ConfigError) -> Any:
    """Contents of a JSON file; broken JSON, repeated keys and NaN are ``error``s."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            names = [name for name, _ in pairs]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"given twice: {', '.join(twice)}; keep one")
        return record

    def not_a_number(text: str) -> float:
        raise ValueError(f"{text} is not a number; write null for unknown")

    text = read_text(path, error)
    try:
        return _sound(json.loads(text, object_pairs_hook=unique, parse_constant=not_a_number))
    except json.JSONDecodeError as problem:
        raise error(f"{path}: line {problem.lineno}: not valid JSON: {problem.msg}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}: not valid JSON: {_why(problem)}") from None


def load_versioned(path: Path, kind: str, version: int, foreign: str, again: str) -> dict[str, Any]:
    """The record in a JSON file whose ``format`` is ``kind``, of this version.

    ConfigError for any other: ``foreign`` says what it is not, ``again`` how one of this version is made.
    """
    record = load_json(path)
    if not isinstance(record, dict) or record.get("format") != kind:
        raise ConfigError(f"{path}: {foreign}")
    if record.get("format_version") != version:
        raise ConfigError(f"{path}: format_version must be {version}; {again}")
    return record


def _sound(value: Any) -> Any:
    """``value``, or a ValueError where it is nested too deep, too large, or holds half a character."""
    waiting: list[Iterator[Any]] = [iter((value,))]
    seen = 0
    while waiting:
        item = next(waiting[-1], waiting)
        seen += 1
        if item is waiting:
            waiting.pop()
        elif isinstance(item, str):
            item.encode()
        elif isinstance(item, Mapping):
            waiting.append(iter((*item, *item.values())))
        elif isinstance(item, list):
            waiting.append(iter(item))
        if len(waiting) > DEEPEST:
            raise RecursionError
        if seen > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values, anchors written out; shorten it")
    return value


def _why(problem: ValueError | RecursionError) -> str:
    """What is wrong with a file, in words."""
    if isinstance(problem, RecursionError):
        return f"tables and lists are nested more than {DEEPEST} deep; flatten it"
    if isinstance(problem, UnicodeEncodeError):
        text = problem.object[problem.start : problem.end]
        return f"{ascii(text)} is half a character; write the whole one"
    return str(problem)


def record_fields(kind: Any) -> list[dataclasses.Field[Any]]:
    """Fields of a dataclass that a file holds: all but those with ``metadata={"record": False}``."""
    return [field for field in dataclasses.fields(kind) if field.metadata.get("record", True)]


def describe(kind: Any) -> str:
    """What a field of type ``kind`` accepts, in words."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"a list, each {describe(arguments[0])}"
        return f"a list of {len(arguments)}, each {describe(arguments[0])}"
    if origin is dict:
        return f"a table, each {describe(arguments[1])}"
    if dataclasses.is_dataclass(kind):
        return "a table of " + ", ".join(field.name for field in record_fields(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "one of " + ", ".join(kind)
    words = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        types.NoneType: "null",
        Any: "anything",
    }
    return words[kind]


def read_value(kind: Any, value: Any, where: str, problems: list[str]) -> Any:
    """``value`` as ``kind``; what is wrong with it is appended to ``problems``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return None
        others = [argument for argument in arguments if argument is not types.NoneType]
        if len(others) == 1:
            trial: list[str] = []
            result = read_value(others[0], value, where, trial)
            if dataclasses.is_dataclass(others[0]) or not trial:
                problems.extend(trial)
                return result
        else:
            for argument in others:
                trial = []
                result = read_value(argument, value, where, trial)
                if not trial:
                    return result
    elif origin is typing.Literal:
        if value in arguments and type(value) in {type(argument) for argument in arguments}:
            return value
    elif origin is tuple:
        if isinstance(value, list | tuple):
            many = len(arguments) == 2 and arguments[1] is Ellipsis
            if many or len(value) == len(arguments):
                kinds = [arguments[0]] * len(value) if many else list(arguments)
                return tuple(
                    read_value(item_kind, item, f"{where}[{index}]", problems)
                    for index, (item_kind, item) in enumerate(zip(kinds, value, strict=True))
                )
    elif origin is dict:
        if isinstance(value, Mapping):
            problems += [f"{where}: {found}" for key in value if (found := unprintable(str(key)))]
            return {
                str(key): read_value(arguments[1], item, _inside(where, str(key)), problems)
                for key, item in value.items()
            }
    elif dataclasses.is_dataclass(kind):
        if isinstance(value, Mapping):
            return read_record(kind, value, where, problems)
    elif isinstance(kind, type) and issubclass(kind, StrEnum):
        if value in list(kind):
            return kind(value)
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_FLOAT:
            return float(value)
    elif kind is str and isinstance(value, str) and (found := unprintable(value)):
        problems.append(f"{where or 'the file'}: {found}")
        return None
    elif isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        if kind is int and abs(value) > LARGEST_INT:
            problems.append(f"{where or 'the file'}: {value:.3g} is more than 64 bits hold; give less")
            return None
        return value
    shown = "null" if value is None else json.dumps(value, default=str)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    problems.append(f"{where or 'the file'}: expected {describe(kind)}, not {shown}")
    return None


def read_record(kind: Any, record: Mapping[str, Any], where: str, problems: list[str]) -> Any:
    """``record`` as the dataclass ``kind``; fields with a default may be left out.

    Unknown keys are problems, unless ``kind`` has a class variable ``other_keys``: its file says more. None
    where there are problems other than those.
    """
    fields = {field.name: field for field in record_fields(kind)}
    hints = _hints(kind)
    before = len(problems)
    for name in record if not getattr(kind, "other_keys", False) else ():
        if name not in fields:
            hint = nearest(str(name), fields)
            accepted = f"{hint}accepted here: {', '.join(fields)}"
            problems.append(UnknownKey(f"{_inside(where, str(name))}: unknown key; {accepted}"))
    values = {}
    for name, field in fields.items():
        if name in record:
            values[name] = read_value(hints[name], record[name], _inside(where, name), problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(f"{_inside(where, name)}: missing key; give {describe(hints[name])}")
    readable = all(isinstance(problem, UnknownKey) for problem in problems[before:])
    return kind(**values) if readable else None


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(kind)


def to_record(value: Any) -> Any:
    """The inverse: dataclasses as dicts in field order, tuples as lists, enums as their text.

    A field marked LATER is left out at its default.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field, getattr(value, field.name)) for field in record_fields(value))
        said = ((key, entry) for key, entry in fields if not (key.metadata == LATER and entry == key.default))
        return {key.name: to_record(entry) for key, entry in said}
    if isinstance(value, Mapping):
        return {str(key): to_record(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_record(item) for item in value]
    if isinstance(value, StrEnum | Path):
        return str(value)
    return value


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def differences(before: Mapping[str, Any], after: Mapping[str, Any], place: str = "") -> list[str]:
    """Where two records of plain values differ, a line a value: its name, what it was, what it is."""
    found = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{place}{name}.")
        elif old != new:
            found.append(f"{place}{name}: {json.dumps(old)} there, {json.dumps(new)} here")
    return found
