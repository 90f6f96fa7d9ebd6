"""Arguments of public functions: those of the wrong kind are told together, before anything is done."""

from __future__ import annotations

import ast
import functools
import inspect
import numbers
import os
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

from hotnas_hls.base.names import article
from hotnas_hls.errors import ConfigError, raise_all

P = ParamSpec("P")
R = TypeVar("R")


class Kind(NamedTuple):
    """What a value may be: in words, and whether one is."""

    words: str
    fits: Callable[[Any], bool]


def _number(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _listed(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


KINDS = {
    "str": Kind("a text", lambda value: isinstance(value, str)),
    "Path": Kind("a path", lambda value: isinstance(value, os.PathLike)),
    "int": Kind("a whole number", lambda value: _number(value, numbers.Integral)),
    "float": Kind("a number", lambda value: _number(value, numbers.Real)),
    "bool": Kind("True or False", lambda value: isinstance(value, bool)),
    "None": Kind("None", lambda value: value is None),
    "Callable": Kind("a function", callable),
    "Mapping": Kind("a table", lambda value: isinstance(value, Mapping)),
    "Sequence": Kind("a list", _listed),
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which raises ConfigError for arguments that are not of the kinds its annotations name.

    Judged are texts, paths, numbers, switches, None, functions, tables, lists of these, literals, and classes
    that the function's module has imported; where an annotation names anything else, whatever is given
    passes.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        problems = []
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            kinds = kinds_of(function, name)
            if kinds and not any(kind.fits(value) for kind in kinds):
                told = repr(value) if isinstance(value, str | int | float) else article(type(value).__name__)
                problems.append(f"{name}: is {told}; give {' or '.join(kind.words for kind in kinds)}")
        raise_all(ConfigError, f"{function.__name__}: these arguments cannot be:", problems)
        return function(*args, **kwargs)

    return call


def kinds_of(function: Callable[..., Any], name: str) -> list[Kind]:
    """What the argument ``name`` may be; none where that cannot be judged."""
    function = inspect.unwrap(function)
    parameter = inspect.signature(function).parameters[name]
    written = parameter.annotation
    if not isinstance(written, str) or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
        return []
    kinds = _kinds(ast.parse(written, mode="eval").body, function.__globals__)
    return [kind for kind in kinds if kind is not None] if None not in kinds else []


def _kinds(written: ast.expr, known: Mapping[str, Any]) -> list[Kind | None]:
    """The alternatives of an annotation; None for one that cannot be judged."""
    if isinstance(written, ast.BinOp):
        return [*_kinds(written.left, known), *_kinds(written.right, known)]
    if isinstance(written, ast.Subscript):
        name = ast.unparse(written.value)
        if name in ("Sequence", "Iterable", "tuple"):
            return [_list_of(written.slice, known)]
        return [_literal(ast.literal_eval(written.slice))] if name == "Literal" else [KINDS.get(name)]
    name = ast.unparse(written)
    if name in KINDS:
        return [KINDS[name]]
    meant = known.get(name)
    if typing.get_origin(meant) is Literal:
        return [_literal(typing.get_args(meant))]
    return [_instance(meant) if isinstance(meant, type) and meant is not Any else None]


def _instance(meant: type) -> Kind:
    return Kind(article(meant.__name__), lambda value: isinstance(value, meant))


def _literal(values: Any) -> Kind:
    """One of some values; those of a text, a number or more."""
    ones = values if isinstance(values, tuple) else (values,)
    words = " or ".join(map(repr, ones))

    def fits(value: Any) -> bool:  # a member of an enumeration of texts is a text, True is no number
        same = (one for one in ones if isinstance(value, bool) == isinstance(one, bool))
        return any(isinstance(value, type(one)) and value == one for one in same)

    return Kind(words, fits)


def _list_of(items: ast.expr, known: Mapping[str, Any]) -> Kind:
    """A list, and where it can be judged, of what."""
    parts = items.elts if isinstance(items, ast.Tuple) else [items]
    kinds = [kind for part in parts for kind in _kinds(part, known)]
    if None in kinds or any(kind not in KINDS.values() for kind in kinds):
        return KINDS["Sequence"]
    plural = {"a whole number": "whole numbers", "a text": "texts", "a number": "numbers"}
    words = dict.fromkeys(plural.get(kind.words, kind.words) for kind in kinds if kind is not None)

    def fits(value: Any) -> bool:
        return _listed(value) and all(any(kind.fits(one) for kind in kinds if kind) for one in value)

    return Kind(f"a list of {' or '.join(words)}", fits)
