"""A Python file's syntax: its top-level statements by name, and their text, the same on every Python version.

`ast.dump` differs between versions, so it can't be hashed into a cache key. Left out are positions, comments,
docstrings, load/store contexts, and fields that are empty; adjacent text pieces of an f-string are one.

A statement counts for the names that it defines and for those whose objects it may alter: `CONFIG["x"] = 1`,
`@app.route("/")`, `register(handler)` where `register` fills a table of the same file.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock.pipeline.errors import UserCodeError

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
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


def docstrings(node: ast.AST) -> list[str]:
    """Return the docstrings in a statement, the outermost first."""
    inner = (each for each in ast.walk(node) if isinstance(each, DEFINITIONS))
    return [text for each in inner if (text := ast.get_docstring(each, clean=False)) is not None]


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
BINDERS = frozenset({"exec", "globals", "locals", "vars"})
"""What is called at the top level of a file to bind names that can't be told."""


@dataclass(frozen=True)
class Symbols:
    """What stands at the top level of one file.

    Attributes:
        statements: By name: what defines it, and what alters the object it stands for (`CONFIG["x"] = 1`).
        used: Every name that a statement other than an import mentions.
        imports: The imports that are done when the file is, wherever they stand.
        mutated: By function or class: the names of the file whose objects a call of it alters.
        touched: By imported name: the definitions that are handed to it, as a decorator or a base class.
        registering: The classes that learn of their subclasses.
        is_package: True for an `__init__.py`.
        unknowable: True when an `import *`, `exec` and the like bind names that can't be told.
        asks_subclasses: True where `__subclasses__` is asked for.
    """

    statements: Mapping[str, list[ast.stmt]]
    used: frozenset[str]
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    mutated: Mapping[str, set[str]]
    touched: Mapping[str, set[str]]
    registering: frozenset[str]
    is_package: bool
    unknowable: bool
    asks_subclasses: bool

    @property
    def for_effect(self) -> Iterator[ast.Import | ast.ImportFrom]:
        """The imports whose names nothing in the file uses; what an `__init__` imports from elsewhere it exports."""
        for each in self.imports:
            if isinstance(each, ast.Import) or not self.is_package:
                bound = {alias.asname or alias.name.split(".")[0] for alias in each.names}
                if "*" not in bound and not bound & self.used:
                    yield each


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
    inner = [node for statement in top for node in _own_nodes(statement)]
    imports = tuple(node for node in inner if isinstance(node, ast.Import | ast.ImportFrom))
    own: set[str] = set().union(*map(_defined, top))
    imported: set[str] = set().union(*map(_defined, imports)) if imports else set()
    mutated = _mutations(top, own)
    registering = _registering(top)
    asks = any(isinstance(node, ast.Attribute) and node.attr == "__subclasses__" for node in ast.walk(tree))
    objects = own - imported - {each.name for each in top if isinstance(each, DEFINITIONS)}
    statements: dict[str, list[ast.stmt]] = {}
    touched: dict[str, set[str]] = {}
    for statement in top:
        altered = _altered(statement, mutated) & own
        if isinstance(statement, DEFINITIONS):
            by_name, by_attribute, bases = _takers(statement)
            for name in (by_name | by_attribute | bases | altered) & imported:
                touched.setdefault(name, set()).add(statement.name)
            heirs = bases & own if asks else bases & registering
            altered = (altered | by_name & objects | by_attribute & own | heirs) - imported
        for name in sorted(_defined(statement) | _aliases(altered, top) & own or {LOOSE}):
            statements.setdefault(name, []).append(statement)
    return Symbols(
        statements,
        used=frozenset(name for statement in top if not is_import(statement) for name in names_in(statement)),
        imports=imports,
        mutated=mutated,
        touched=touched,
        registering=frozenset(registering),
        is_package=os.path.basename(path) == "__init__.py",
        unknowable=STAR in own or any(map(_binds_the_untold, inner)),
        asks_subclasses=asks,
    )


def is_import(statement: ast.stmt) -> bool:
    """Say whether a statement is an import and nothing else."""
    return isinstance(statement, ast.Import | ast.ImportFrom)


def names_in(*nodes: ast.AST) -> set[str]:
    """Return all names that nodes mention, at any depth, in quoted annotations as well."""
    return {node.id for root in nodes for node in walk(root) if isinstance(node, ast.Name)}


def walk(root: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all within it, and what is quoted in annotations."""
    for node in ast.walk(root):
        yield node
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            for text in ast.walk(annotation) if isinstance(annotation, ast.AST) else ():
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    with suppress(SyntaxError, ValueError):  # a Literal["a b"] is no type
                        yield from ast.walk(ast.parse(text.value.strip(), mode="eval"))


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
        called = names_in(*statement.decorator_list, *_metaclasses(statement))
        names = {name for node in ast.walk(statement) if isinstance(node, ast.Global) for name in node.names}
    else:
        called = names_in(statement)
        names = {name for node in _own_nodes(statement) if isinstance(node, ast.Expr) for name in names_in(node)}
        names |= _assigned_into(_own_nodes(statement)) | _called_on(_own_nodes(statement))
    return names.union(*(mutated.get(name, set()) for name in called))


def _takers(definition: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> tuple[set[str], set[str], set[str]]:
    """Return what takes a definition: `f` of `@f` and `@f(1)` and metaclasses, `f` of `@f.register`, base classes."""
    by_name = names_in(*_metaclasses(definition))
    by_attribute: set[str] = set()
    for each in definition.decorator_list:
        taker = each.func if isinstance(each, ast.Call) else each
        (by_name if isinstance(taker, ast.Name) else by_attribute).update(names_in(taker))
    bases = names_in(*definition.bases) if isinstance(definition, ast.ClassDef) else set()
    return by_name, by_attribute, bases


def _metaclasses(definition: ast.stmt) -> list[ast.expr]:
    """Return the metaclass that a class names, in a list."""
    keywords = definition.keywords if isinstance(definition, ast.ClassDef) else []
    return [keyword.value for keyword in keywords if keyword.arg == "metaclass"]


def _registering(top: Collection[ast.stmt]) -> set[str]:
    """Return the classes that learn of their subclasses, by `__init_subclass__` or a metaclass, or may by a base."""
    found: set[str] = set()
    for each in top:
        if isinstance(each, ast.ClassDef):
            hooks = any(isinstance(part, ast.FunctionDef) and part.name == "__init_subclass__" for part in each.body)
            if hooks or _metaclasses(each) or names_in(*each.bases) & found:
                found.add(each.name)
    return found


def _mutations(top: Collection[ast.stmt], own: set[str]) -> dict[str, set[str]]:
    """Return by function or class the names of the file whose objects a call of it alters, through others as well."""
    functions = {each.name: each for each in top if isinstance(each, DEFINITIONS)}
    found = {name: _mutated(function) & own for name, function in functions.items()}
    calls = {name: names_in(function) & functions.keys() for name, function in functions.items()}
    grown = True
    while grown:
        wider = {name: found[name].union(*(found[each] for each in calls[name])) for name in found}
        grown, found = wider != found, wider
    return {name: names for name, names in found.items() if names}


def _aliases(altered: set[str], top: Collection[ast.stmt]) -> set[str]:
    """Return names and those that stand for the same objects: `rows = ROWS`."""
    found, grown = set(altered), bool(altered)
    pairs = [
        {target.id, each.value.id}
        for each in top
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Name)
        for target in each.targets
        if isinstance(target, ast.Name)
    ]
    while grown:
        wider = found.union(*(pair for pair in pairs if pair & found))
        grown, found = wider != found, wider
    return found


def _binds_the_untold(node: ast.AST) -> bool:
    """Say whether a node binds names in a way that can't be told: `globals()["x"] = 1`, `setattr(sys.modules[...])`."""
    if isinstance(node, ast.Attribute):
        return node.attr == "modules" and isinstance(node.value, ast.Name) and node.value.id == "sys"
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) in BINDERS


def _mutated(function: ast.stmt) -> set[str]:
    """Return the names whose objects the body of a function or class alters in place or binds as globals."""
    names = _assigned_into(ast.walk(function)) | _called_on(ast.walk(function))
    return names.union(*(node.names for node in ast.walk(function) if isinstance(node, ast.Global)))


def _called_on(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the names whose objects are altered by a call, as in `ROWS.append(1)`."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
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
