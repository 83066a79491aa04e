"""The code a step's result depends on, as named symbols (rule 4 of the design).

For a component's function this is the closure by symbol: the definition with its decorators and defaults, the
module-level names it uses by the statements that define them, classes whole with their bases, through imports of local
files. For a module file it is every symbol of the file and its local imports. Local means below the code root. Where
names can't be resolved statically (`import *`, `globals()`, `eval`), the whole module counts. What is computed at
import, environment variables and data files don't count: they are passed as a parameter or as `Files`. A component that
is installed, in a package of somebody else's, counts with what it uses of its own package.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from penstock.pipeline import syntax
from penstock.pipeline.syntax import Symbols, is_import

DYNAMIC = frozenset({"globals", "locals", "vars", "eval", "exec", "__import__", "import_module"})
US = "penstock"
BUILT_IN = "penstock.components"
GROUND_IMPORT = re.compile(
    r"^[ \t]*(?:from|import) (penstock\.(?:components|data)[\w.]*)(?: import (\([^)]*\)|[^\n]*))?", re.M
)
WHOLE = "*"


@dataclass(frozen=True)
class Fingerprint:
    """Digests by symbol ("steps.clean:drop_nulls"), and the normalised source of each digest where it is the user's."""

    digests: dict[str, str]
    sources: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: Fingerprint) -> Fingerprint:
        return Fingerprint(self.digests | other.digests, self.sources | other.sources)


_INSTALLED = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def of_function(reference: str, code_root: str) -> Fingerprint:
    """Return the fingerprint of a component's function "module:name".

    Raises:
        UserCodeError: A local file can't be parsed.
    """
    module, _, name = reference.partition(":")
    if module == BUILT_IN or module.startswith(f"{BUILT_IN}."):
        return Fingerprint(dict(_built_in(module)))
    scope = _Scope(os.path.abspath(code_root))
    if scope.path_of(module) is None:
        scope = _home(module)
    return _closure(_Reference(module, name.split(".")[0], True), scope)


def of_module(module: str, code_root: str) -> Fingerprint:
    """Return the fingerprint of a whole module file and of what it imports from below the code root.

    Raises:
        UserCodeError: A local file can't be parsed.
    """
    return _closure(_Reference(module, WHOLE, True), _Scope(os.path.abspath(code_root)))


@dataclass(frozen=True)
class _Reference:
    """A use of a symbol. One from another file goes on through an import of the name (`from .clean import drop`)."""

    module: str
    symbol: str
    from_outside: bool


@dataclass
class _Scope:
    """Which files count: those below `root`, of one top-level package only where `package` says so."""

    root: str
    package: str = ""
    parsed: dict[str, Symbols | None] = field(default_factory=dict)

    def path_of(self, module: str) -> str | None:
        """Return the file of a module that counts; Penstock itself is never the user's code."""
        first = module.split(".", 1)[0]
        if not module or (self.package and first != self.package) or (first == US and self.package != US):
            return None
        base = os.path.join(self.root, *module.split("."))
        for path in (os.path.join(base, "__init__.py"), f"{base}.py"):
            if os.path.isfile(path):
                return path
        return None

    def symbols_of(self, module: str) -> Symbols | None:
        """Return what a module that counts holds."""
        if module not in self.parsed:
            path = self.path_of(module)
            if path is None:
                self.parsed[module] = None
            else:
                with open(path, "rb") as file:
                    self.parsed[module] = syntax.parse(path, file.read())
        return self.parsed[module]


def _home(module: str) -> _Scope:
    """Return the scope of an imported module that isn't below the code root: its own top-level package."""
    file = os.path.abspath(getattr(sys.modules.get(module), "__file__", None) or "")
    depth = module.count(".") + (os.path.basename(file) == "__init__.py")
    root = os.path.dirname(file)
    for _ in range(depth):
        root = os.path.dirname(root)
    return _Scope(root, module.split(".", 1)[0])


def _closure(start: _Reference, scope: _Scope) -> Fingerprint:
    pending, seen = [start], {start}
    digests: dict[str, str] = {}
    sources: dict[str, str] = {}
    while pending:
        reference = pending.pop()
        module = scope.symbols_of(reference.module)
        if module is None:
            continue
        if reference.symbol == WHOLE:
            found = [_Reference(reference.module, name, name not in module.used) for name in module.statements]
        else:
            statements = module.statements.get(reference.symbol, [])
            key = syntax.digest("\n".join(map(syntax.serialise, statements)))
            if statements:
                digests[f"{reference.module}:{reference.symbol}"] = key
                sources[key] = "\n".join(map(syntax.readable, statements))
            found = list(_Uses(reference, module, scope).all(statements))
        for each in found:
            if each not in seen:
                seen.add(each)
                pending.append(each)
    return Fingerprint(dict(sorted(digests.items())), sources)


Attributes = Mapping[str, set[str] | None]
"""Names to the attributes that are taken of them; None where a name is also used as a whole."""


@dataclass(frozen=True)
class _Uses:
    """What the statements of one symbol use."""

    reference: _Reference
    module: Symbols
    scope: _Scope

    def all(self, statements: list[ast.stmt]) -> Iterator[_Reference]:
        """Yield the local symbols that statements use."""
        for statement in statements:
            if is_import(statement):
                if self.reference.from_outside:
                    yield from self._imported(statement, None, {})
                continue  # followed from where the name is used, so that only what is used counts
            if self.module.has_star or _is_dynamic(statement):
                yield _Reference(self.reference.module, WHOLE, False)
            attributes = _attributes(statement)
            for name in attributes.keys() & self.module.statements.keys():
                yield _Reference(self.reference.module, name, False)
                for definition in self.module.statements[name]:
                    yield from self._imported(definition, {name}, attributes)
            yield from self._imported(statement, None, attributes)

    def _imported(self, statement: ast.stmt, bound: set[str] | None, taken: Attributes) -> Iterator[_Reference]:
        """Yield what the imports in a statement bring in, of `bound` names only where given."""
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if bound is None or (alias.asname or alias.name) in bound:
                        yield from self._from(node, alias, taken)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    local = alias.asname or alias.name.split(".")[0]
                    if bound is None or local in bound:
                        yield from self._import(alias, taken.get(local))

    def _from(self, node: ast.ImportFrom, alias: ast.alias, taken: Attributes) -> Iterator[_Reference]:
        source = self._absolute(node)
        submodule = f"{source}.{alias.name}" if source else alias.name
        if alias.name == "*":
            yield _Reference(source, WHOLE, True)
        elif self.scope.path_of(submodule):
            yield from self._members(submodule, taken.get(alias.asname or alias.name))
        else:
            yield _Reference(source, alias.name, True)

    def _import(self, alias: ast.alias, attributes: set[str] | None) -> Iterator[_Reference]:
        package, *below = alias.name.split(".")
        if alias.asname or not below:
            yield from self._members(alias.name, attributes)
            return
        yield _Reference(alias.name, WHOLE, False)  # `import a.b` is used as `a.b.name`
        yield from (_Reference(package, name, True) for name in (attributes or set()) - {below[0]})

    def _members(self, module: str, attributes: set[str] | None) -> Iterator[_Reference]:
        """Yield what is used of an imported module: the attributes when all are known, else all of it."""
        parsed = self.scope.symbols_of(module)
        if parsed is None:
            return
        for attribute in attributes or {WHOLE}:
            if attribute in parsed.statements:
                yield _Reference(module, attribute, True)
            elif self.scope.path_of(f"{module}.{attribute}"):
                yield _Reference(f"{module}.{attribute}", WHOLE, False)
            else:
                yield _Reference(module, WHOLE, False)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.reference.module.split(".")
        keep = len(parts) - node.level + self.module.is_package
        return ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])


def _attributes(statement: ast.stmt) -> dict[str, set[str] | None]:
    taken: dict[str, set[str] | None] = {}
    inner: set[int] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            inner.add(id(node.value))
            known = taken.setdefault(node.value.id, set())
            if known is not None:
                known.add(node.attr)
        elif isinstance(node, ast.Name) and id(node) not in inner:
            taken[node.id] = None
    return taken


def _is_dynamic(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) in DYNAMIC or getattr(node.func, "attr", None) == "import_module")
        for node in ast.walk(statement)
    )


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
    scope = _Scope(_INSTALLED, US)
    path = scope.path_of(module)
    assert path is not None, module
    with open(path, "rb") as file:
        content = file.read()
    digest = hashlib.sha256(content).hexdigest()[:32]
    if os.path.basename(path) == "__init__.py":
        return digest, ()
    names: set[str] = set()
    for source, imported in GROUND_IMPORT.findall(content.decode()):
        names |= {source, *(f"{source}.{name}" for name in re.findall(r"\w+", imported))}
    return digest, tuple(sorted(name for name in names if scope.path_of(name)))
