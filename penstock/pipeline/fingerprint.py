"""The code a step's result depends on, as named symbols (rule 4 of the design).

For a component's function this is the closure by symbol: the definition with its decorators and defaults, the
module-level names it uses by the statements that define them, classes whole with their bases, through imports of local
files. For a module file it is every symbol of the file and its local imports. Local means below the code root. Where
names can't be resolved statically (`import *`, `globals()`, `eval`), the whole module counts. What is computed at
import, environment variables and data files don't count: they are passed as a parameter or as `Files`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from penstock.pipeline import syntax
from penstock.pipeline.errors import UserCodeError

DYNAMIC = frozenset({"globals", "locals", "vars", "eval", "exec", "__import__", "import_module"})
BUILT_IN = "penstock.components"
GROUND_IMPORT = re.compile(
    r"^[ \t]*(?:from|import) (penstock\.(?:components|data)[\w.]*)(?: import (\([^)]*\)|[^\n]*))?", re.M
)
WHOLE = "*"
LOOSE = "(top level)"
"""The symbol of statements that define and alter nothing of their own."""


@dataclass(frozen=True)
class Fingerprint:
    """Digests by symbol ("steps.clean:drop_nulls"), and the normalised source of each digest where it is the user's."""

    digests: dict[str, str]
    sources: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.digests | other.digests, self.sources | other.sources)


NOTHING = Fingerprint({})
_INSTALLED = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def of_function(reference: str, code_root: str) -> Fingerprint:
    """Return the fingerprint of a component's function "module:name".

    Raises:
        UserCodeError: A local file can't be parsed.
    """
    module, _, name = reference.partition(":")
    if module == BUILT_IN or module.startswith(f"{BUILT_IN}."):
        return Fingerprint(dict(_built_in(module)))
    return _closure([(module, name.split(".")[0])], os.path.abspath(code_root))


def of_module(module: str, code_root: str) -> Fingerprint:
    """Return the fingerprint of a whole module file and of what it imports from below the code root.

    Raises:
        UserCodeError: A local file can't be parsed.
    """
    return _closure([(module, WHOLE)], os.path.abspath(code_root))


def _closure(start: list[tuple[str, str]], root: str) -> Fingerprint:
    pending, seen = list(start), set(start)
    digests: dict[str, str] = {}
    sources: dict[str, str] = {}
    while pending:
        module_name, symbol = pending.pop()
        module = _local_module(module_name, root)
        if module is None:
            continue
        if symbol == WHOLE:
            found = [(module_name, name) for name in module.symbols]
        else:
            statements = module.symbols.get(symbol, [])
            text = "\n".join(syntax.serialise(statement) for statement in statements)
            key = syntax.digest(text)
            digests[f"{module_name}:{symbol}"] = key
            sources[key] = "\n".join(_readable(statement) for statement in statements)
            found = list(module.references(statements, root))
        for reference in found:
            if reference not in seen:
                seen.add(reference)
                pending.append(reference)
    return Fingerprint(dict(sorted(digests.items())), sources)


def _readable(statement: ast.stmt) -> str:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        copy = ast.parse(ast.unparse(statement)).body[0]
        assert isinstance(copy, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        copy.body = syntax.without_docstring(copy.body)
        return ast.unparse(copy)
    return ast.unparse(statement)


@dataclass
class _Module:
    """A parsed local file: its top-level statements by the names they define or alter."""

    name: str
    is_package: bool
    symbols: Mapping[str, list[ast.stmt]]
    dynamic: bool

    def references(self, statements: list[ast.stmt], root: str) -> Iterator[tuple[str, str]]:
        """Yield the local symbols that statements use, as (module, symbol)."""
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                continue  # followed from where the name is used, so that only what is used counts
            if self.dynamic or _is_dynamic(statement):
                yield (self.name, WHOLE)
            attributes = _attributes(statement)
            names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
            # Names inside strings are annotations as a rule: `"Model"`.
            for name in names & self.symbols.keys():
                yield (self.name, name)
                for definition in self.symbols[name]:
                    yield from self._imported(definition, {name}, attributes, root)
            yield from self._imported(statement, None, attributes, root)

    def _imported(
        self,
        statement: ast.stmt,
        bound: set[str] | None,
        attributes: Mapping[str, set[str] | None],
        root: str,
    ) -> Iterator[tuple[str, str]]:
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom):
                yield from self._from(node, bound, attributes, root)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.split(".")[0]
                    if bound is None or local in bound:
                        yield from _uses(alias.name, attributes.get(local) if alias.asname else None, root)

    def _from(
        self,
        node: ast.ImportFrom,
        bound: set[str] | None,
        attributes: Mapping[str, set[str] | None],
        root: str,
    ) -> Iterator[tuple[str, str]]:
        source = self._absolute(node)
        for alias in node.names:
            if bound is not None and (alias.asname or alias.name) not in bound and alias.name != "*":
                continue
            submodule = f"{source}.{alias.name}" if source else alias.name
            if alias.name != "*" and _path_of(submodule, root):
                yield from _uses(submodule, attributes.get(alias.asname or alias.name), root)
            elif _path_of(source, root):
                yield (source, WHOLE if alias.name == "*" else alias.name)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        keep = len(parts) - node.level + (1 if self.is_package else 0)
        return ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])


def _uses(module: str, attributes: set[str] | None, root: str) -> Iterator[tuple[str, str]]:
    """Yield what is used of an imported local module: the attributes when all are known, else all of it."""
    parsed = _local_module(module, root)
    if parsed is None:
        return
    if attributes and attributes <= parsed.symbols.keys():
        yield from ((module, attribute) for attribute in attributes)
    else:
        yield (module, WHOLE)


def _attributes(statement: ast.stmt) -> dict[str, set[str] | None]:
    """Return name -> attributes taken of it; None where the name is also used as a whole."""
    taken: dict[str, set[str] | None] = {}
    inner = {id(node.value) for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            known = taken.setdefault(node.value.id, set())
            if known is not None:
                known.add(node.attr)
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and id(node) not in inner:
            taken[node.id] = None
    return taken


def _is_dynamic(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) in DYNAMIC or getattr(node.func, "attr", None) == "import_module")
        for node in ast.walk(statement)
    )


def _path_of(module: str, root: str) -> str | None:
    """Return the file of a module below `root`; Penstock itself is never the user's code."""
    if not module or (root != _INSTALLED and module.split(".", 1)[0] == "penstock"):
        return None
    base = os.path.join(root, *module.split("."))
    for path in (f"{base}.py", os.path.join(base, "__init__.py")):
        if os.path.isfile(path):
            return path
    return None


def _local_module(module: str, root: str) -> _Module | None:
    path = _path_of(module, root)
    if path is None:
        return None
    with open(path, "rb") as file:
        content = file.read()
    return _parse(module, path, content)


@functools.lru_cache(maxsize=1024)
def _parse(module: str, path: str, content: bytes) -> _Module:
    try:
        tree = ast.parse(content, filename=path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        at = f"{os.path.basename(path)}:{line}" if line else os.path.basename(path)
        raise UserCodeError(f"{at}: {getattr(error, 'msg', error)}. The file can't be parsed.") from error
    statements = [part for whole in syntax.without_docstring(tree.body) for part in _single_imports(whole)]
    own: set[str] = set().union(*(_defined(statement) for statement in statements))
    symbols: dict[str, list[ast.stmt]] = {}
    for statement in statements:
        for name in _defined(statement) | (_altered(statement) & own) or {LOOSE}:
            symbols.setdefault(name, []).append(statement)
    dynamic = any(
        isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names) for node in tree.body
    )
    return _Module(module, os.path.basename(path) == "__init__.py", symbols, dynamic)


def _single_imports(statement: ast.stmt) -> list[ast.stmt]:
    """Return an import statement as one for each name, so that importing one more changes no other symbol."""
    if isinstance(statement, ast.Import):
        return [ast.Import(names=[alias]) for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [ast.ImportFrom(statement.module, [alias], statement.level) for alias in statement.names]
    return [statement]


def _defined(statement: ast.stmt) -> set[str]:
    """Return the module-level names that a top-level statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
    return names


def _altered(statement: ast.stmt) -> set[str]:
    """Return the names whose objects a statement may alter: `CONFIG["x"] = 1`, `register(handler)`."""
    if isinstance(statement, ast.Assign):
        places: list[ast.expr] = [target for target in statement.targets if not isinstance(target, ast.Name)]
    elif isinstance(statement, ast.AugAssign):
        places = [statement.target]
    elif isinstance(statement, ast.Expr):
        places = [statement.value]
    else:
        return set()
    return {node.id for place in places for node in ast.walk(place) if isinstance(node, ast.Name)}


@functools.lru_cache(maxsize=256)
def _built_in(module: str) -> tuple[tuple[str, str], ...]:
    """Return (module, digest) of a built-in's own modules and of what they use of the ground below."""
    found: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name], used = _installed(name)
            pending += used
    return tuple(sorted(found.items()))


@functools.lru_cache(maxsize=1024)
def _installed(module: str) -> tuple[str, tuple[str, ...]]:
    """Return the digest of one of our own modules, and the modules of the ground below that it imports.

    Installed files don't change under a run, so their bytes are hashed as they are; and their imports stand on lines of
    their own, so they need no parser.
    """
    path = _path_of(module, _INSTALLED)
    assert path is not None, module
    with open(path, "rb") as file:
        content = file.read()
    digest = hashlib.sha256(content).hexdigest()[:32]
    if os.path.basename(path) == "__init__.py":
        return digest, ()
    names: set[str] = set()
    for source, imported in GROUND_IMPORT.findall(content.decode()):
        names |= {source, *(f"{source}.{name}" for name in re.findall(r"\w+", imported))}
    return digest, tuple(sorted(name for name in names if _path_of(name, _INSTALLED)))
