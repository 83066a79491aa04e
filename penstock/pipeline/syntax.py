"""A Python file's syntax: its top-level statements by name, and their text, the same on every Python version.

`ast.dump` differs between versions, so it can't be hashed into a cache key. Left out are positions, comments,
docstrings, load/store contexts, and fields that are empty; adjacent text pieces of an f-string are one.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.pipeline.errors import UserCodeError

SKIPPED_FIELDS = frozenset({"ctx", "type_comment", "kind", "type_ignores", "lineno", "col_offset"})


def serialise(node: ast.AST) -> str:
    """Return the canonical text of a node, such as `(Name id='x')`."""
    return "".join(_pieces(node))


def digest(text: str) -> str:
    """Return the hash of a normalised source, as it stands in cache keys."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name in sorted(value._fields):
            item = _field(value, name)
            if name not in SKIPPED_FIELDS and item is not None and item != []:
                yield f" {name}="
                yield from _pieces(item)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for item in value:
            yield from _pieces(item)
            yield ","
        yield "]"
    else:
        yield repr(value)


def _field(node: ast.AST, name: str) -> Any:
    item: Any = getattr(node, name, None)
    if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
        return without_docstring(item)
    if name == "values" and isinstance(node, ast.JoinedStr):
        return _joined(item)
    return item


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return a body without its docstring; one that held nothing else becomes `pass`."""
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:] or [ast.Pass()]
    return body


def readable(statement: ast.stmt) -> str:
    """Return a statement's source without comments and docstring, in one layout, as a diff shows it."""
    text = ast.unparse(statement)
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return text
    copy = ast.parse(text).body[0]
    assert isinstance(copy, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    copy.body = without_docstring(copy.body)
    return ast.unparse(copy)


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """Merge adjacent pieces of text and drop empty ones, which Pythons split differently."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(value, ast.Constant) and isinstance(last, ast.Constant):
            merged[-1] = ast.Constant(str(last.value) + str(value.value))
        elif not (isinstance(value, ast.Constant) and value.value == ""):
            merged.append(value)
    return merged


STAR = "(import *)"
LOOSE = "(top level)"
"""The symbol of statements that define and alter nothing of their own."""
MUTATORS = frozenset({"add", "append", "clear", "discard", "extend", "insert", "pop", "remove", "setdefault", "update"})
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Symbols:
    """What stands at the top level of one file.

    Attributes:
        statements: By name: what defines it, and what alters the object it stands for (`CONFIG["x"] = 1`).
        used: Every name that a statement other than an import mentions.
        is_package: True for an `__init__.py`.
        has_star: True when an `import *` makes names unknowable.
    """

    statements: Mapping[str, list[ast.stmt]]
    used: frozenset[str]
    is_package: bool
    has_star: bool


@functools.lru_cache(maxsize=1024)
def parse(path: str, content: bytes) -> Symbols:
    """Parse a file's content.

    Raises:
        UserCodeError: It is no Python.
    """
    try:
        tree = ast.parse(content, filename=path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        at = f"{os.path.basename(path)}:{line}" if line else os.path.basename(path)
        raise UserCodeError(f"{at}: {getattr(error, 'msg', error)}. The file can't be parsed.") from error
    top = [part for whole in without_docstring(tree.body) for part in _effective(whole)]
    own: set[str] = set().union(*map(_defined, top))
    mutated = {each.name: _mutated(each) & own for each in top if isinstance(each, ast.FunctionDef)}
    statements: dict[str, list[ast.stmt]] = {}
    for statement in top:
        for name in sorted(_defined(statement) | (_altered(statement, mutated) & own) or {LOOSE}):
            statements.setdefault(name, []).append(statement)
    used = {name for statement in top if not is_import(statement) for name in names_in(statement)}
    return Symbols(statements, frozenset(used), os.path.basename(path) == "__init__.py", STAR in own)


def is_import(statement: ast.stmt) -> bool:
    """Say whether a statement is an import and nothing else."""
    return isinstance(statement, ast.Import | ast.ImportFrom)


def names_in(*nodes: ast.AST) -> set[str]:
    """Return all names that nodes mention, at any depth."""
    return {node.id for root in nodes for node in ast.walk(root) if isinstance(node, ast.Name)}


def _effective(statement: ast.stmt) -> list[ast.stmt]:
    """Return what a worker runs of a statement, imports as one for each name, so that one more changes no other."""
    if isinstance(statement, ast.If):
        test = ast.unparse(statement.test)
        if test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return [part for inner in statement.orelse for part in _effective(inner)]
        if test in ("__name__ == '__main__'", "'__main__' == __name__"):
            return []
    if isinstance(statement, ast.Import):
        return [ast.Import(names=[alias]) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    return [statement]


def _own_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """Walk a statement without going into scopes of their own: functions, classes, variables of comprehensions."""
    yield statement
    if isinstance(statement, (*DEFINITIONS, ast.Lambda)):
        return
    inner: list[ast.AST] = list(ast.iter_child_nodes(statement))
    if isinstance(statement, ast.comprehension):
        inner = [statement.iter, *statement.ifs]
    for child in inner:
        yield from _own_nodes(child)


def _defined(statement: ast.stmt) -> set[str]:
    """Return the module-level names that a top-level statement defines."""
    names: set[str] = set()
    for node in _own_nodes(statement):
        if isinstance(node, DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0].replace("*", STAR) for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
    return names


def _altered(statement: ast.stmt, mutated: Mapping[str, set[str]]) -> set[str]:
    """Return the names whose objects a statement may alter: `CONFIG["x"] = 1`, `register(handler)`, `@register`.

    Args:
        statement: A top-level statement.
        mutated: For each function of the file, the module-level names whose objects its body alters.
    """
    if is_import(statement):
        return set()
    if isinstance(statement, DEFINITIONS):
        called = names_in(*statement.decorator_list)
        names = {name for node in ast.walk(statement) if isinstance(node, ast.Global) for name in node.names}
    else:
        called = names_in(statement)
        names = {name for node in _own_nodes(statement) if isinstance(node, ast.Expr) for name in names_in(node)}
        names |= _assigned_into(_own_nodes(statement))
    return names.union(*(mutated.get(name, set()) for name in called))


def _mutated(function: ast.FunctionDef) -> set[str]:
    """Return the names whose objects a function's body alters in place or binds as globals."""
    names = _assigned_into(ast.walk(function))
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            names |= set(node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            names |= names_in(node.func.value)
    return names


def _assigned_into(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the names in targets such as `CONFIG["x"]` and `model.rate`."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            names |= names_in(node)
        elif isinstance(node, ast.AugAssign):
            names |= names_in(node.target)
    return names
