"""The HLS C++ of a package as libclang's syntax tree: functions, loops, pragmas."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clang import cindex
from clang.cindex import Cursor, CursorKind, Token

from hotnas_hls.base.tools import require
from hotnas_hls.codegen.hls import SOURCES

PRAGMA = re.compile(r"^\s*HLS_(VITIS|AGGREGATE|SHARED|FIFO|LUTRAM_FIFO|DATAFLOW|PIPELINE|STAGE)\((.*)\)\s*$")
LOOPS = (CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT, CursorKind.CXX_FOR_RANGE_STMT)
FUNCTIONS = (CursorKind.FUNCTION_DECL, CursorKind.FUNCTION_TEMPLATE, CursorKind.CXX_METHOD)


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Pragma:
    """One vendor pragma: ``kind`` is its first word, ``options`` what has a value, ``flags`` the rest."""

    file: Path
    line: int
    kind: str
    options: dict[str, str]
    flags: tuple[str, ...]


@dataclass
class Loop:
    """One loop with the label and the pragmas that belong to it and to no inner loop."""

    cursor: Cursor
    label: str | None
    pragmas: list[Pragma] = field(default_factory=list)

    def has(self, kind: str) -> bool:
        return any(pragma.kind == kind for pragma in self.pragmas)

    @property
    def variable(self) -> str | None:
        """Name of the loop variable declared in the header."""
        first = next(self.cursor.get_children(), None)
        if first is None or first.kind is not CursorKind.DECL_STMT:
            return None
        return next(first.get_children()).spelling


@dataclass
class Function:
    """One function with a body; what the rules ask for again and again is read from libclang once."""

    cursor: Cursor
    pragmas: list[Pragma] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.cursor.spelling

    @functools.cached_property
    def nodes(self) -> list[Cursor]:
        """The function and all that is in it, outer ones first."""
        return list(self.cursor.walk_preorder())

    @functools.cached_property
    def parameters(self) -> list[Cursor]:
        return [child for child in self.cursor.get_children() if child.kind is CursorKind.PARM_DECL]

    @functools.cached_property
    def variables(self) -> dict[str, Cursor]:
        """Parameters and locals by name."""
        kinds = (CursorKind.PARM_DECL, CursorKind.VAR_DECL)
        return {c.spelling: c for c in self.nodes if c.kind in kinds}

    @functools.cached_property
    def calls(self) -> list[tuple[str, list[Cursor]]]:
        """Names of called functions with the arguments."""
        return [called(node) for node in self.nodes if node.kind is CursorKind.CALL_EXPR]


@dataclass(frozen=True)
class Unit:
    """Everything of one package that a rule may look at, as the build with or without dataflow has it."""

    folder: Path
    functions: dict[str, Function]
    dataflow: bool

    def finding(self, at: Cursor | Token | Pragma, rule: str, message: str) -> Finding:
        if isinstance(at, Pragma):
            return Finding(at.file.relative_to(self.folder).as_posix(), at.line, rule, message)
        path = Path(at.location.file.name).resolve()
        return Finding(path.relative_to(self.folder).as_posix(), at.location.line, rule, message)


def parse(folder: Path, dataflow: bool) -> Unit:
    compiler = require("g++").path
    asked = subprocess.run([compiler, "-print-file-name=include"], capture_output=True, text=True, check=True)
    arguments = [
        "-std=c++14",
        f"-DHOTNAS_DATAFLOW={int(dataflow)}",
        f"-DHOTNAS_COUNTS={int(dataflow)}",
        *(f"-I{folder / name}" for name in ("include", "tb")),
        *("-isystem", str(require("ap_types").path), "-isystem", asked.stdout.strip()),
    ]
    functions: dict[str, Function] = {}
    for source in SOURCES:
        tree = cindex.Index.create().parse(str(folder / source), arguments)
        errors = [d for d in tree.diagnostics if d.severity >= cindex.Diagnostic.Error]
        if errors:
            raise ValueError(f"{source} does not parse: {errors[0]}")
        for cursor in tree.cursor.get_children():
            if cursor.kind in FUNCTIONS and is_ours(cursor, folder) and cursor.is_definition():
                functions[cursor.spelling] = read_function(cursor, dataflow)
    return Unit(folder, functions, dataflow)


def is_ours(cursor: Cursor, folder: Path) -> bool:
    return cursor.location.file is not None and folder in Path(cursor.location.file.name).resolve().parents


def read_function(cursor: Cursor, dataflow: bool) -> Function:
    function = Function(cursor)
    for node, parent in with_parents(cursor):
        if node.kind in LOOPS:
            label = parent.spelling if parent.kind is CursorKind.LABEL_STMT else None
            function.loops.append(Loop(node, label))
    path = Path(cursor.location.file.name).resolve()
    lines = path.read_text(encoding="utf-8").splitlines()
    for number in range(cursor.extent.start.line, cursor.extent.end.line + 1):
        text = PRAGMA.match(lines[number - 1])
        if text and (dataflow or text[1] != "DATAFLOW"):  # the macro is empty without dataflow
            pragma = read_pragma(path, number, text[1], text[2])
            around = [
                loop
                for loop in function.loops
                if loop.cursor.extent.start.line <= number <= loop.cursor.extent.end.line
            ]
            innermost = max(around, key=lambda loop: loop.cursor.extent.start.line, default=None)
            (innermost or function).pragmas.append(pragma)
    return function


def read_pragma(path: Path, line: int, macro: str, text: str) -> Pragma:
    if macro in ("AGGREGATE", "SHARED", "LUTRAM_FIFO"):
        return Pragma(path, line, macro.lower(), {"variable": text.strip()}, ())
    if macro == "FIFO":
        name, depth = text.replace(" ", "").split(",")
        return Pragma(path, line, "stream", {"variable": name, "depth": depth}, ())
    if macro == "DATAFLOW":
        return Pragma(path, line, "dataflow", {}, ())
    if macro == "PIPELINE":
        return Pragma(path, line, "pipeline", {"II": "1"}, ())
    if macro == "STAGE":
        return Pragma(path, line, "inline", {}, ("off",))
    kind, _, rest = text.strip().partition(" ")
    rest = re.sub(r"\s*=\s*", "=", rest)
    rest = re.sub(r"\s*([-+*/])\s*", r"\1", rest)
    words = rest.split()
    options = dict(word.split("=", 1) for word in words if "=" in word)
    return Pragma(path, line, kind, options, tuple(word for word in words if "=" not in word))


def called(node: Cursor) -> tuple[str, list[Cursor]]:
    """Name and arguments of a call, else an empty name."""
    if node.kind is not CursorKind.CALL_EXPR:
        return "", []
    return node.spelling, list(node.get_children())[1:]


def with_parents(cursor: Cursor) -> Iterator[tuple[Cursor, Cursor]]:
    for child in cursor.get_children():
        yield child, cursor
        yield from with_parents(child)
