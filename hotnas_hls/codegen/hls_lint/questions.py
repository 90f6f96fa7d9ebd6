"""What the rules ask the syntax tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from clang.cindex import Cursor, CursorKind, Type, TypeKind

from hotnas_hls.codegen.hls import TOP
from hotnas_hls.codegen.hls_lint.unit import Function, Loop, Pragma, Unit, called, is_ours

CONSTANT = re.compile(r"^k[A-Z]")
AP_INT = re.compile(r"\bap_u?int(_base)?\b")


def all_pragmas(function: Function) -> list[Pragma]:
    return [*function.pragmas, *(pragma for loop in function.loops for pragma in loop.pragmas)]


def rank_of(variable: Cursor) -> int:
    """Dimensions of an array variable; an array parameter has lost its first one to a pointer."""
    written = variable.type.get_canonical()
    rank = 0
    if written.kind is TypeKind.POINTER:
        rank, written = 1, written.get_pointee()
    while written.kind is TypeKind.CONSTANTARRAY:
        rank, written = rank + 1, written.element_type.get_canonical()
    return rank


def is_stream(type_: Type) -> bool:
    return "hls::stream<" in type_.get_canonical().spelling


def holds_ap_int(unit: Unit, type_: Type) -> bool:
    """The type is an ap_int, or an array, a stream, a pointer or a struct of ours that has one in it."""
    type_ = type_.get_canonical()
    while type_.kind in (TypeKind.POINTER, TypeKind.LVALUEREFERENCE, TypeKind.CONSTANTARRAY):
        pointed = type_.get_pointee() if type_.kind is not TypeKind.CONSTANTARRAY else type_.element_type
        type_ = pointed.get_canonical()
    if AP_INT.search(type_.spelling):
        return True
    arguments = [type_.get_template_argument_type(i) for i in range(type_.get_num_template_arguments())]
    fields = list(type_.get_fields()) if is_ours(type_.get_declaration(), unit.folder) else []
    inside = [*arguments, *(field.type for field in fields)]
    return any(part.kind is not TypeKind.INVALID and holds_ap_int(unit, part) for part in inside)


def is_in_registers(owner: Function, name: str, dimension: int) -> bool:
    return any(
        pragma.kind == "array_partition"
        and pragma.options.get("variable") == name
        and not {"block", "cyclic"} & {*pragma.flags}  # complete, where nothing is said
        and pragma.options.get("dim", "1") in ("0", str(dimension))
        for pragma in all_pragmas(owner)
    )


def is_burst_port(type_: Type) -> bool:
    return "burst_maxi<" in type_.get_canonical().spelling


def is_master(parameter: Cursor) -> bool:
    """A port whose bursts are asked for, or a pointer written as one; ``T x[8]`` is an array in registers."""
    written = {token.spelling for token in parameter.get_tokens()}
    pointer = parameter.type.get_canonical().kind is TypeKind.POINTER
    return is_burst_port(parameter.type) or (pointer and "[" not in written)


def is_written(parameter: Cursor) -> bool:
    """Whether a master's beats are not const."""
    named = parameter.type.get_declaration().underlying_typedef_type.spelling
    return "const" not in (named or parameter.type.spelling)


def has_fixed_bound(loop: Loop) -> bool:
    """The condition compares the loop variable with constants only."""
    children = list(loop.cursor.get_children())
    if loop.variable is None or len(children) < 3:
        return False
    names = names_in(children[1]) - {loop.variable}
    return loop.variable in names_in(children[1]) and all(CONSTANT.match(name) for name in names)


def names_in(cursor: Cursor) -> set[str]:
    """Names of variables an expression refers to."""
    kinds = (CursorKind.DECL_REF_EXPR, CursorKind.MEMBER_REF_EXPR)
    return {node.spelling for node in cursor.walk_preorder() if node.kind in kinds}


def names_changed(cursor: Cursor) -> set[str]:
    """Names of variables and members that a statement assigns to, or counts up or down."""
    changed: set[str] = set()
    for node in cursor.walk_preorder():
        children = list(node.get_children())
        if node.kind is CursorKind.COMPOUND_ASSIGNMENT_OPERATOR:
            changed.add(children[0].spelling)
        elif node.kind is CursorKind.BINARY_OPERATOR and is_operator(node, children, "="):
            changed.add(children[0].spelling)
        elif node.kind is CursorKind.UNARY_OPERATOR:
            words = [token.spelling for token in node.get_tokens()]
            if words and {words[0], words[-1]} & {"++", "--"}:
                changed.add(children[0].spelling)
    return changed


def is_operator(node: Cursor, operands: list[Cursor], operator: str) -> bool:
    """Whether a binary expression's operator is this one."""
    end = operands[0].extent.end.offset
    return any(
        token.spelling == operator
        for token in node.get_tokens()
        if end <= token.extent.start.offset < operands[1].extent.start.offset
    )


def array_access(cursor: Cursor) -> tuple[str, list[Cursor]] | None:
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


def declarations_of(
    unit: Unit, function: Function, name: str, dimension: int, seen: set[tuple[str, str, int]]
) -> Iterator[tuple[Function, str, int]]:
    """Where the array behind ``name`` is declared: through parameters to the callers' local arrays."""
    if (function.name, name, dimension) in seen:
        return
    seen.add((function.name, name, dimension))
    variable = function.variables.get(name)
    if variable is None or rank_of(variable) == 0:
        return  # a constant table, or a struct that is one register
    if variable.kind is not CursorKind.PARM_DECL:
        yield function, name, dimension
        return
    if function.name == TOP:
        return
    position = [parameter.spelling for parameter in function.parameters].index(name)
    for caller in unit.functions.values():
        for callee, arguments in caller.calls:
            if callee != function.name or position >= len(arguments):
                continue
            argument = arguments[position]
            while argument.kind in (CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR):
                argument = next(argument.get_children())
            access = array_access(argument)
            if access is not None:
                yield from declarations_of(unit, caller, access[0], dimension + len(access[1]), seen)
            elif argument.kind is CursorKind.DECL_REF_EXPR:
                yield from declarations_of(unit, caller, argument.spelling, dimension, seen)


def is_partitioned(owner: Function, name: str, dimension: int) -> bool:
    return any(
        pragma.kind in ("array_partition", "array_reshape")
        and pragma.options.get("variable") == name
        and pragma.options.get("dim", "1") in ("0", str(dimension))
        for pragma in all_pragmas(owner)
    )


def memory_accesses(unit: Unit, function: Function, loop: Loop) -> Counter[tuple[str, str]]:
    """How many places of a loop's body, calls included, reach an element of each memory.

    A memory is named by the function that declares it and its name; arrays of registers are left out. Where
    the loop's function is called with several arrays, each is counted.
    """
    most: Counter[tuple[str, str]] = Counter()
    for given in _callers_arrays(unit, (function,)):
        found: Counter[tuple[str, str]] = Counter()
        for owner, name, _ in _places(unit, (function,), loop.cursor, given):
            rank = rank_of(owner.variables[name])
            if not all(is_in_registers(owner, name, at) for at in range(1, rank + 1)):
                found[owner.name, name] += 1
        most |= found
    return most


Held = tuple[Function, str, int]  # who declares an array, its name, how many of its dimensions are chosen


def stream_calls(
    unit: Unit, path: tuple[Function, ...], node: Cursor, given: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Name and method of every call of a stream's method below ``node``, called functions included.

    path: how the last function is reached. given: the streams that its parameters are; one that is not in
    it goes by its own name.
    """
    function = path[-1]
    callee, arguments = called(node)
    member = next(node.get_children(), None) if node.kind is CursorKind.CALL_EXPR else None
    if member is not None and member.kind is CursorKind.MEMBER_REF_EXPR:
        stream = _stream(function, member, given)
        if stream is not None:
            yield stream, callee
    inner = unit.functions.get(callee)
    if inner is not None and inner not in path:
        streams = {
            parameter.spelling: _stream(function, argument, given)
            for parameter, argument in zip(inner.parameters, arguments, strict=False)
        }
        passed = {name: stream for name, stream in streams.items() if stream is not None}
        yield from stream_calls(unit, (*path, inner), inner.cursor, passed)
    for child in node.get_children():
        yield from stream_calls(unit, path, child, given)


def is_channel(variable: Cursor) -> bool:
    """A local stream or array: what stages hand to each other."""
    return is_stream(variable.type) or rank_of(variable) > 0


def uses_by_stages(unit: Unit, region: Function, name: str) -> list[tuple[str, str]]:
    """The stages that ``region`` calls with a channel, and whether each has it written, read, both, neither.

    A stage may write an array that is not const.
    """
    found = []
    for callee, arguments in region.calls:
        stage = unit.functions.get(callee)
        if stage is None:
            continue
        for parameter, argument in zip(stage.parameters, arguments, strict=False):
            if name not in names_in(argument):
                continue
            if is_stream(parameter.type):
                calls = stream_calls(unit, (stage,), stage.cursor, {})
                methods = {method.removesuffix("_nb") for at, method in calls if at == parameter.spelling}
            else:
                methods = {"read" if "const" in parameter.type.get_canonical().spelling else "write"}
            words = [word for method, word in (("write", "written"), ("read", "read")) if method in methods]
            found.append((callee, " and ".join(words) or "neither"))
    return found


def _stream(function: Function, node: Cursor, given: Mapping[str, str]) -> str | None:
    """The stream that an expression names, or an array of which it names one."""
    for inner in node.walk_preorder():
        if inner.kind is CursorKind.DECL_REF_EXPR and inner.spelling in function.variables:
            if is_stream(function.variables[inner.spelling].type):
                return given.get(inner.spelling, inner.spelling)
    return None


def _callers_arrays(unit: Unit, path: tuple[Function, ...]) -> list[dict[str, Held]]:
    """What the array parameters of the first function of ``path`` are, for each way to call it."""
    function = path[0]
    found = []
    for caller in unit.functions.values():
        for callee, arguments in caller.calls:
            if callee == function.name and caller not in path:
                for given in _callers_arrays(unit, (caller, *path)):
                    found.append(_passed_arrays(caller, function, arguments, given))
    return found or [{}]


def _places(
    unit: Unit, path: tuple[Function, ...], node: Cursor, given: Mapping[str, Held]
) -> Iterator[Held]:
    """Element accesses below ``node``, a part of the last function of ``path``.

    path: how that one is reached, so that a function that reaches itself is walked once. given: which
    arrays its parameters are.
    """
    function = path[-1]
    accesses = array_access(node)
    if accesses is not None:
        held = _held(function, accesses[0], given)
        if held is not None:
            owner, name, chosen = held
            if chosen + len(accesses[1]) == rank_of(owner.variables[name]):
                yield held
        for index in accesses[1]:
            yield from _places(unit, path, index, given)
        return
    callee, arguments = called(node)
    inner = unit.functions.get(callee)
    if inner is not None and inner.name not in {outer.name for outer in path}:
        passed = _passed_arrays(function, inner, arguments, given)
        yield from _places(unit, (*path, inner), inner.cursor, passed)
    for child in node.get_children():
        yield from _places(unit, path, child, given)


def _held(function: Function, name: str, given: Mapping[str, Held]) -> Held | None:
    """The memory behind a name: a local array, or what a parameter was given."""
    if name in given:
        return given[name]
    variable = function.variables.get(name)
    local = variable is not None and variable.kind is CursorKind.VAR_DECL and rank_of(variable) > 0
    return (function, name, 0) if local else None


def _passed_arrays(
    caller: Function, callee: Function, arguments: list[Cursor], given: Mapping[str, Held]
) -> dict[str, Held]:
    """Which arrays a call gives the parameters of ``callee``."""
    arrays = {
        parameter.spelling: _passed(caller, argument, given)
        for parameter, argument in zip(callee.parameters, arguments, strict=False)
    }
    return {name: array for name, array in arrays.items() if array is not None}


def _passed(function: Function, argument: Cursor, given: Mapping[str, Held]) -> Held | None:
    """The memory that an argument is, or a part of."""
    while argument.kind in (CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR):
        argument = next(argument.get_children())
    access = array_access(argument)
    name, chosen = (access[0], len(access[1])) if access is not None else (argument.spelling, 0)
    held = _held(function, name, given)
    if held is None:
        return None
    owner, array, before = held
    left = rank_of(owner.variables[array]) - before - chosen
    return (owner, array, before + chosen) if left > 0 else None
