"""Rules for the HLS C++ that a plain compiler does not check, over libclang's syntax tree.

``lint(folder)`` reads ``src/*.cpp`` of a generated package and returns what breaks a rule, with its
place. The rules are ours and small; each is a function of the parsed :class:`Unit`.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clang import cindex
from clang.cindex import Cursor, CursorKind, Token, Type, TypeKind

from hotnas_hls.base.tools import require
from hotnas_hls.codegen.hls import SOURCES, TOP

PRAGMA = re.compile(r"^\s*HLS_(VITIS|AGGREGATE|LUTRAM|DATAFLOW)\((.*)\)\s*$")
LITERAL_PRAGMA = re.compile(r"^\s*#\s*pragma\s+HLS\b|\b_Pragma\b", re.IGNORECASE)
MACROS = "include/pragmas.h"
CONSTANT = re.compile(r"^k[A-Z]")
AP_INT = re.compile(r"\bap_u?int(_base)?\b")
LOOPS = (CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT, CursorKind.CXX_FOR_RANGE_STMT)
FUNCTIONS = (CursorKind.FUNCTION_DECL, CursorKind.FUNCTION_TEMPLATE, CursorKind.CXX_METHOD)
ALLOCATORS = {"malloc", "calloc", "realloc", "free", "alloca", "vector", "unique_ptr", "shared_ptr", "string"}


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
    """One function with a body."""

    cursor: Cursor
    pragmas: list[Pragma] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.cursor.spelling

    @property
    def parameters(self) -> list[Cursor]:
        return [child for child in self.cursor.get_children() if child.kind is CursorKind.PARM_DECL]

    def variables(self) -> dict[str, Cursor]:
        """Parameters and locals by name."""
        kinds = (CursorKind.PARM_DECL, CursorKind.VAR_DECL)
        return {c.spelling: c for c in self.cursor.walk_preorder() if c.kind in kinds}


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


def lint(folder: Path, dataflow: bool = True) -> list[Finding]:
    """Broken rules of the sources in ``folder``, in the order of files and lines."""
    folder = folder.resolve()
    unit = _parse(folder, dataflow)
    found = {finding for rule in RULES for finding in rule(unit)}
    return sorted(found, key=lambda f: (f.file, f.line, f.rule, f.message))


# Parsing


def _parse(folder: Path, dataflow: bool) -> Unit:
    compiler = require("g++").path
    asked = subprocess.run([compiler, "-print-file-name=include"], capture_output=True, text=True, check=True)
    arguments = [
        "-std=c++14",
        f"-DHOTNAS_DATAFLOW={int(dataflow)}",
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
            if cursor.kind in FUNCTIONS and _is_ours(cursor, folder) and cursor.is_definition():
                functions[cursor.spelling] = _read_function(cursor, dataflow)
    return Unit(folder, functions, dataflow)


def _is_ours(cursor: Cursor, folder: Path) -> bool:
    return cursor.location.file is not None and folder in Path(cursor.location.file.name).resolve().parents


def _read_function(cursor: Cursor, dataflow: bool) -> Function:
    function = Function(cursor)
    for node, parent in _with_parents(cursor):
        if node.kind in LOOPS:
            label = parent.spelling if parent.kind is CursorKind.LABEL_STMT else None
            function.loops.append(Loop(node, label))
    path = Path(cursor.location.file.name).resolve()
    lines = path.read_text().splitlines()
    for number in range(cursor.extent.start.line, cursor.extent.end.line + 1):
        text = PRAGMA.match(lines[number - 1])
        if text and (dataflow or text[1] != "DATAFLOW"):  # the macro is empty without dataflow
            pragma = _read_pragma(path, number, text[1], text[2])
            around = [
                loop
                for loop in function.loops
                if loop.cursor.extent.start.line <= number <= loop.cursor.extent.end.line
            ]
            innermost = max(around, key=lambda loop: loop.cursor.extent.start.line, default=None)
            (innermost or function).pragmas.append(pragma)
    return function


def _read_pragma(path: Path, line: int, macro: str, text: str) -> Pragma:
    if macro in ("AGGREGATE", "LUTRAM"):
        return Pragma(path, line, macro.lower(), {"variable": text.strip()}, ())
    if macro == "DATAFLOW":
        return Pragma(path, line, "dataflow", {}, ())
    kind, _, rest = text.strip().partition(" ")
    rest = re.sub(r"\s*=\s*", "=", rest)
    rest = re.sub(r"\s*([-+*/])\s*", r"\1", rest)
    words = rest.split()
    options = dict(word.split("=", 1) for word in words if "=" in word)
    return Pragma(path, line, kind, options, tuple(word for word in words if "=" not in word))


def _with_parents(cursor: Cursor) -> Iterator[tuple[Cursor, Cursor]]:
    for child in cursor.get_children():
        yield child, cursor
        yield from _with_parents(child)


# Rules


def names_exist(unit: Unit) -> Iterator[Finding]:
    """Every variable, port and dimension a pragma names exists."""
    for function in unit.functions.values():
        known = function.variables()
        for pragma in _all_pragmas(function):
            name = pragma.options.get("variable") or pragma.options.get("port")
            if name is None or name == "return":
                continue
            variable = known.get(name.split(".")[0])
            if variable is None:
                yield unit.finding(pragma, "names-exist", f"{function.name} has no variable {name}")
            elif "dim" in pragma.options and "." not in name:
                dimension = int(pragma.options["dim"])
                if dimension > _rank(variable):
                    message = f"{name} has no dimension {dimension}"
                    yield unit.finding(pragma, "names-exist", message)


def loops_are_labelled(unit: Unit) -> Iterator[Finding]:
    """Every loop has a label in capitals of its own, so that reports and directives can name it."""
    for function in unit.functions.values():
        seen: set[str] = set()
        for loop in function.loops:
            if loop.label is None or not re.fullmatch(r"[A-Z][A-Z0-9_]*", loop.label):
                message = f"loop in {function.name} has no label in capitals"
                yield unit.finding(loop.cursor, "loops-labelled", message)
            elif loop.label in seen:
                yield unit.finding(loop.cursor, "loops-labelled", f"label {loop.label} stands twice")
            seen.add(loop.label or "")


def loops_are_bounded(unit: Unit) -> Iterator[Finding]:
    """Every loop is a for with a fixed bound, or says its trip count."""
    for function in unit.functions.values():
        for loop in function.loops:
            if loop.cursor.kind is not CursorKind.FOR_STMT:
                yield unit.finding(loop.cursor, "loops-bounded", "only for loops have a bound")
            elif not _has_fixed_bound(loop) and not loop.has("loop_tripcount"):
                message = f"{loop.label or 'loop'} has neither a fixed bound nor a loop_tripcount"
                yield unit.finding(loop.cursor, "loops-bounded", message)


def no_dynamic_memory(unit: Unit) -> Iterator[Finding]:
    """No new, delete, malloc or container."""
    for function in unit.functions.values():
        for node in function.cursor.walk_preorder():
            named = node.kind in (CursorKind.DECL_REF_EXPR, CursorKind.TYPE_REF, CursorKind.TEMPLATE_REF)
            allocates = node.kind in (CursorKind.CXX_NEW_EXPR, CursorKind.CXX_DELETE_EXPR)
            name = node.spelling.split("::")[-1]
            if allocates or (named and name in ALLOCATORS):
                what = name or "new or delete"
                yield unit.finding(node, "no-dynamic-memory", f"{function.name} uses {what}")


def no_pointer_arithmetic(unit: Unit) -> Iterator[Finding]:
    """Pointers are only indexed, so that a tool sees which port and which burst is meant."""
    operators = (
        CursorKind.BINARY_OPERATOR,
        CursorKind.UNARY_OPERATOR,
        CursorKind.COMPOUND_ASSIGNMENT_OPERATOR,
    )
    for function in unit.functions.values():
        for node in function.cursor.walk_preorder():
            if node.kind in operators and node.type.get_canonical().kind is TypeKind.POINTER:
                message = f"{function.name} computes with a pointer"
                yield unit.finding(node, "no-pointer-arithmetic", message)


def no_recursion(unit: Unit) -> Iterator[Finding]:
    """No function reaches itself by calls."""
    calls = {
        name: {callee for callee, _ in _calls(function) if callee in unit.functions}
        for name, function in unit.functions.items()
    }
    for name, function in unit.functions.items():
        reached: set[str] = set()
        todo = set(calls[name])
        while todo:
            callee = todo.pop()
            reached.add(callee)
            todo |= calls[callee] - reached
        if name in reached:
            yield unit.finding(function.cursor, "no-recursion", f"{name} reaches itself")


def no_ap_int_results(unit: Unit) -> Iterator[Finding]:
    """No ap_int is returned by value, in a struct neither, from a function that is not inlined."""
    for function in unit.functions.values():
        inlined = any(p.kind == "inline" and "off" not in p.flags for p in function.pragmas)
        if _holds_ap_int(unit, function.cursor.result_type) and not inlined:
            yield unit.finding(function.cursor, "no-ap-int-results", f"{function.name} returns an ap_int")


def memory_is_native(unit: Unit) -> Iterator[Finding]:
    """Ports, memories and FIFOs hold native integers; an array of ap_int is all registers."""
    for parameter in unit.functions[TOP].parameters:
        if _holds_ap_int(unit, parameter.type):
            message = f"argument {parameter.spelling} of {TOP} holds ap_int"
            yield unit.finding(parameter, "memory-is-native", message)
    for function in unit.functions.values():
        for name, variable in function.variables().items():
            if variable.kind is CursorKind.PARM_DECL or not _holds_ap_int(unit, variable.type):
                continue
            dimensions = range(1, _rank(variable) + 1)
            if _is_stream(variable.type) or not all(_is_in_registers(function, name, d) for d in dimensions):
                message = f"{name} in {function.name} is a memory of ap_int"
                yield unit.finding(variable, "memory-is-native", message)


def no_bit_ranges(unit: Unit) -> Iterator[Finding]:
    """Bits are taken by shifts and masks, not by ap_int's range()."""
    for function in unit.functions.values():
        tokens = list(function.cursor.get_tokens())
        for before, token in itertools.pairwise(tokens):
            if (before.spelling, token.spelling) == (".", "range"):
                yield unit.finding(token, "no-bit-ranges", f"{function.name} uses range()")


def pragmas_stand_behind_macros(unit: Unit) -> Iterator[Finding]:
    """Vendor pragmas are written by the macros of pragmas.h alone, so that another compiler sees none."""
    for path in sorted(path for kind in ("include/*.h", "src/*.cpp") for path in unit.folder.glob(kind)):
        if path == unit.folder / MACROS:
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if LITERAL_PRAGMA.search(line):
                file = path.relative_to(unit.folder).as_posix()
                yield Finding(file, number, "pragmas-behind-macros", f"write it by a macro of {MACROS}")


def the_sequential_build_has_no_stages(unit: Unit) -> Iterator[Finding]:
    """Without dataflow nothing runs at once: no dataflow region that arrays could cross, and no stream."""
    if unit.dataflow:
        return
    for function in unit.functions.values():
        for pragma in _all_pragmas(function):
            if pragma.kind in ("dataflow", "stream"):
                message = f"{function.name} has a {pragma.kind} pragma without dataflow"
                yield unit.finding(pragma, "sequential-build", message)
        for name, variable in function.variables().items():
            if _is_stream(variable.type):
                message = f"{name} in {function.name} is a stream without dataflow"
                yield unit.finding(variable, "sequential-build", message)


def interfaces_are_complete(unit: Unit) -> Iterator[Finding]:
    """Every argument of the top function has its port, AXI masters with all that decides their speed."""
    top = unit.functions[TOP]
    interfaces = [pragma for pragma in top.pragmas if pragma.kind == "interface"]
    masters = {p.options.get("port"): p for p in interfaces if "m_axi" in p.flags}
    registers = {p.options.get("port") for p in interfaces if "s_axilite" in p.flags}
    for name in [*(parameter.spelling for parameter in top.parameters), "return"]:
        if name not in registers:
            yield unit.finding(top.cursor, "interfaces-complete", f"{name} has no s_axilite register")
    for parameter in top.parameters:
        if not _is_pointer_to_memory(parameter):
            continue
        pragma = masters.get(parameter.spelling)
        if pragma is None:
            message = f"{parameter.spelling} has no m_axi port"
            yield unit.finding(top.cursor, "interfaces-complete", message)
            continue
        wanted = ["bundle", "offset", "depth", "latency", "num_read_outstanding", "max_read_burst_length"]
        if not parameter.type.get_pointee().is_const_qualified():
            wanted += ["num_write_outstanding", "max_write_burst_length"]
        for option in wanted:
            if option not in pragma.options:
                message = f"m_axi port {parameter.spelling} has no {option}"
                yield unit.finding(pragma, "interfaces-complete", message)


def partitions_match_accesses(unit: Unit) -> Iterator[Finding]:
    """A dimension indexed by an unrolled loop is partitioned or reshaped, wherever the array is declared."""
    for function in unit.functions.values():
        for loop in function.loops:
            if not loop.has("unroll"):
                continue
            for access in loop.cursor.walk_preorder():
                array = _array_access(access)
                if array is None:
                    continue
                variable, indices = array
                for dimension, index in enumerate(indices, start=1):
                    if loop.variable not in _names(index):
                        continue
                    for owner, name, at in _declarations(unit, function, variable, dimension, set()):
                        if not _is_partitioned(owner, name, at):
                            message = (
                                f"{loop.label} is unrolled over dimension {at} of {name} in {owner.name}, "
                                f"which is not partitioned"
                            )
                            yield unit.finding(access, "partitions-match", message)


RULES: tuple[Callable[[Unit], Iterator[Finding]], ...] = (
    names_exist,
    loops_are_labelled,
    loops_are_bounded,
    no_dynamic_memory,
    no_pointer_arithmetic,
    no_recursion,
    no_ap_int_results,
    memory_is_native,
    no_bit_ranges,
    pragmas_stand_behind_macros,
    the_sequential_build_has_no_stages,
    interfaces_are_complete,
    partitions_match_accesses,
)


# What the rules ask the tree


def _all_pragmas(function: Function) -> list[Pragma]:
    return [*function.pragmas, *(pragma for loop in function.loops for pragma in loop.pragmas)]


def _rank(variable: Cursor) -> int:
    """Dimensions of an array variable; an array parameter has lost its first one to a pointer."""
    written = variable.type.get_canonical()
    rank = 0
    if written.kind is TypeKind.POINTER:
        rank, written = 1, written.get_pointee()
    while written.kind is TypeKind.CONSTANTARRAY:
        rank, written = rank + 1, written.element_type.get_canonical()
    return rank


def _is_stream(type_: Type) -> bool:
    return "hls::stream<" in type_.get_canonical().spelling


def _holds_ap_int(unit: Unit, type_: Type) -> bool:
    """The type is an ap_int, or an array, a stream, a pointer or a struct of ours that has one in it."""
    type_ = type_.get_canonical()
    while type_.kind in (TypeKind.POINTER, TypeKind.LVALUEREFERENCE, TypeKind.CONSTANTARRAY):
        pointed = type_.get_pointee() if type_.kind is not TypeKind.CONSTANTARRAY else type_.element_type
        type_ = pointed.get_canonical()
    if AP_INT.search(type_.spelling):
        return True
    arguments = [type_.get_template_argument_type(i) for i in range(type_.get_num_template_arguments())]
    fields = list(type_.get_fields()) if _is_ours(type_.get_declaration(), unit.folder) else []
    inside = [*arguments, *(field.type for field in fields)]
    return any(part.kind is not TypeKind.INVALID and _holds_ap_int(unit, part) for part in inside)


def _is_in_registers(owner: Function, name: str, dimension: int) -> bool:
    return any(
        pragma.kind == "array_partition"
        and pragma.options.get("variable") == name
        and "complete" in pragma.flags
        and pragma.options.get("dim", "1") in ("0", str(dimension))
        for pragma in _all_pragmas(owner)
    )


def _is_pointer_to_memory(parameter: Cursor) -> bool:
    """A pointer written as one; ``T x[8]`` is an array in registers."""
    written = {token.spelling for token in parameter.get_tokens()}
    return parameter.type.kind is TypeKind.POINTER and "[" not in written


def _has_fixed_bound(loop: Loop) -> bool:
    """The condition compares the loop variable with constants only."""
    children = list(loop.cursor.get_children())
    if loop.variable is None or len(children) < 3:
        return False
    names = _names(children[1]) - {loop.variable}
    return loop.variable in _names(children[1]) and all(CONSTANT.match(name) for name in names)


def _names(cursor: Cursor) -> set[str]:
    """Names of variables an expression refers to."""
    kinds = (CursorKind.DECL_REF_EXPR, CursorKind.MEMBER_REF_EXPR)
    return {node.spelling for node in cursor.walk_preorder() if node.kind in kinds}


def _calls(function: Function) -> Iterator[tuple[str, list[Cursor]]]:
    """Names of called functions with the arguments; templates are found by their spelling."""
    for node in function.cursor.walk_preorder():
        if node.kind is not CursorKind.CALL_EXPR:
            continue
        children = list(node.get_children())
        name = node.spelling
        if not name and children:
            name = next((c.spelling for c in children[0].walk_preorder() if c.spelling), "")
        yield name, children[1:]


def _array_access(cursor: Cursor) -> tuple[str, list[Cursor]] | None:
    """``x[i][j]`` as (x, [i, j]) for a plain variable x, else None."""
    if cursor.kind is not CursorKind.ARRAY_SUBSCRIPT_EXPR:
        return None
    indices: list[Cursor] = []
    node = cursor
    while node.kind is CursorKind.ARRAY_SUBSCRIPT_EXPR:
        base, index = list(node.get_children())
        indices.insert(0, index)
        node = base
        while node.kind in (CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR):
            node = next(node.get_children())
    return (node.spelling, indices) if node.kind is CursorKind.DECL_REF_EXPR else None


def _declarations(
    unit: Unit, function: Function, name: str, dimension: int, seen: set[tuple[str, str, int]]
) -> Iterator[tuple[Function, str, int]]:
    """Where the array behind ``name`` is declared: through parameters to the callers' local arrays."""
    if (function.name, name, dimension) in seen:
        return
    seen.add((function.name, name, dimension))
    variable = function.variables().get(name)
    if variable is None or _rank(variable) == 0:
        return  # a constant table, or a struct that is one register
    if variable.kind is not CursorKind.PARM_DECL:
        yield function, name, dimension
        return
    if function.name == TOP:
        return
    position = [parameter.spelling for parameter in function.parameters].index(name)
    for caller in unit.functions.values():
        for callee, arguments in _calls(caller):
            if callee != function.name or position >= len(arguments):
                continue
            argument = arguments[position]
            while argument.kind in (CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR):
                argument = next(argument.get_children())
            access = _array_access(argument)
            if access is not None:
                yield from _declarations(unit, caller, access[0], dimension + len(access[1]), seen)
            elif argument.kind is CursorKind.DECL_REF_EXPR:
                yield from _declarations(unit, caller, argument.spelling, dimension, seen)


def _is_partitioned(owner: Function, name: str, dimension: int) -> bool:
    return any(
        pragma.kind in ("array_partition", "array_reshape")
        and pragma.options.get("variable") == name
        and pragma.options.get("dim", "1") in ("0", str(dimension))
        for pragma in _all_pragmas(owner)
    )
