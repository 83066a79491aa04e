"""A serialisation of Python's syntax tree that is the same on every Python version.

`ast.dump` differs between versions, so it can't be hashed into a cache key. Left out are positions, comments,
docstrings, load/store contexts, and fields that are empty; adjacent text pieces of an f-string are one.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from typing import Any

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
