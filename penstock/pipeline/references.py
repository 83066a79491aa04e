"""What of the user's files a symbol depends on: what its statements use, and what other files do to it.

A file that is imported on the way acts on others: it registers with a table, replaces a function, derives from a class
that learns of its subclasses. Such statements count for the symbols that they alter.
"""

from __future__ import annotations

import ast
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from penstock.pipeline import syntax
from penstock.pipeline.syntax import Symbols, is_import

DYNAMIC = frozenset({"globals", "locals", "vars", "eval", "exec", "__import__", "import_module"})
US = "penstock"
IMPORTERS = frozenset({"__import__", "import_module", "run_module"})
WHOLE = "*"
INSTALLED = tuple({os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "purelib", "platlib")})
"""Folders of code that is not the user's own, though an environment may lie in the project."""


@dataclass(frozen=True)
class Reference:
    """A use of a symbol. One from another file goes on through an import of the name (`from .clean import drop`)."""

    module: str
    symbol: str
    from_outside: bool


@dataclass
class Scope:
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
        return self._elsewhere(module)

    def _elsewhere(self, module: str) -> str | None:
        """Return the file of a module that was imported from a folder below the root which `sys.path` was told of."""
        path = getattr(sys.modules.get(module), "__file__", None) or ""
        below = path.endswith(".py") and path.startswith(os.path.join(self.root, ""))
        return path if below and not any(path.startswith(each) for each in INSTALLED) else None

    def below(self, package: str) -> list[str]:
        """Return the modules in a package and in its packages; with "" those beside the pipeline's file."""
        folder = os.path.join(self.root, *package.split("."))
        found: list[str] = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            module = f"{package}.{name}".lstrip(".")
            if name.endswith(".py") and name != "__init__.py":
                found.append(module.removesuffix(".py"))
            elif name.isidentifier() and os.path.isfile(os.path.join(folder, name, "__init__.py")):
                found += [module, *self.below(module)]
        return found

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


def reached(start: Reference, scope: Scope) -> set[Reference]:
    """Return the symbols that one depends on: what is used from symbol to symbol, and what other files do to it."""
    effects = Effects(scope)
    found = {start}
    while True:
        effects.load({reference.module for reference in found})
        wider = _followed(start, scope, effects)
        if wider == found:
            return found
        found = wider


def _followed(start: Reference, scope: Scope, effects: Effects) -> set[Reference]:
    pending, seen = [start], {start}
    while pending:
        reference = pending.pop()
        module = scope.symbols_of(reference.module)
        if module is None:
            continue
        if reference.symbol == WHOLE:
            found = {Reference(reference.module, name, name not in module.used) for name in module.statements}
        elif reference.symbol not in module.statements:  # bound by an `import *`, a `__getattr__`, who knows
            lazy = scope.below(reference.module) if "__getattr__" in module.statements else ()
            found = {Reference(name, WHOLE, False) for name in (reference.module, *lazy)}
        else:
            found = set(Uses(reference, module, scope).all(module.statements[reference.symbol]))
        for each in found | effects.on(reference):
            if each not in seen:
                seen.add(each)
                pending.append(each)
    return seen


def statements_of(reference: Reference, scope: Scope) -> list[ast.stmt]:
    """Return what defines and alters a symbol; nothing where it isn't the user's, or a whole module."""
    module = scope.symbols_of(reference.module)
    return list(module.statements.get(reference.symbol, ())) if module else []


@dataclass
class Effects:
    """What files do to the symbols of others when they are imported: fill a table, register with it, replace it."""

    scope: Scope
    loaded: set[str] = field(default_factory=set)
    links: dict[tuple[str, str], set[Reference]] = field(default_factory=dict)

    def on(self, reference: Reference) -> set[Reference]:
        """Return what has to do with a symbol because other files act on it, or are imported for what they do."""
        module = self.scope.symbols_of(reference.module)
        uses = Uses(reference, module, self.scope) if module else None
        bare = {name for each in module.for_effect for name in uses.submodules(each)} if module and uses else set()
        acts = [self.links.get((reference.module, name), set()) for name in (reference.symbol, WHOLE)]
        return {Reference(name, WHOLE, False) for name in bare}.union(*acts)

    def load(self, modules: Iterable[str]) -> None:
        """Look at files and at those that importing them imports."""
        pending = list(modules)
        while pending:
            name = pending.pop()
            module = self.scope.symbols_of(name) if name not in self.loaded else None
            self.loaded.add(name)
            if module is None:
                continue
            pending.append(name.rpartition(".")[0])  # its package is imported before it
            for statement in module.imports:
                uses = Uses(Reference(name, WHOLE, True), module, self.scope)
                pending += [*uses.submodules(statement), uses.source(statement)]
                for alias in statement.names:
                    self._link(uses, statement, alias.asname or alias.name.split(".")[0])

    def _link(self, uses: Uses, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        """Note what a file does to a name that it imports."""
        module, here = uses.module, uses.reference.module
        acts = [each for each in module.statements.get(name, ()) if not is_import(each)]
        by = {Reference(here, each, False) for each in module.touched.get(name, ())}
        acting = [*acts, *(part for each in by for part in statements_of(each, self.scope))]
        if not acting:
            return
        if acts:
            by.add(Reference(here, name, False))
        taken = [_attributes(each).get(name, set()) for each in acting]
        attributes = None if None in taken else set().union(*(each or set() for each in taken))
        depth = 2 if any(uses.submodules(statement)) else 1
        replaced = any(_chain(node, name) >= depth or _stores(node, name) for each in acting for node in ast.walk(each))
        for target in uses.imported(statement, {name}, {name: attributes}):
            for place in self._altered(target, replaced):
                self.links.setdefault(place, set()).update(by)

    def _altered(self, target: Reference, replaced: bool) -> set[tuple[str, str]]:
        """Return the symbols that an act on an imported name alters, followed to where they are defined.

        A function that is called, as a decorator or otherwise, stays as it is: altered is what its body alters.
        """
        found: set[tuple[str, str]] = set()
        pending, seen = [target], {target}
        while pending:
            reference = pending.pop()
            module = self.scope.symbols_of(reference.module)
            if module is None:
                continue
            statements = statements_of(reference, self.scope)
            is_called = any(isinstance(each, syntax.DEFINITIONS) for each in statements) and not replaced
            if not is_called or self._learns(reference.symbol, module):
                found.add((reference.module, reference.symbol))
            uses = Uses(reference, module, self.scope)
            onward = {Reference(reference.module, name, True) for name in module.mutated.get(reference.symbol, ())}
            for statement in filter(is_import, statements):
                onward |= set(uses.imported(statement, {reference.symbol}, {}))
            pending += onward - seen
            seen |= onward
        return found

    def _learns(self, name: str, module: Symbols) -> bool:
        """Say whether a class learns of its subclasses, or is asked for them somewhere."""
        files = map(self.scope.symbols_of, self.loaded)
        return name in module.registering or any(each.asks_subclasses for each in files if each)


Attributes = Mapping[str, set[str] | None]
"""Names to the attributes that are taken of them; None where a name is also used as a whole."""


@dataclass(frozen=True)
class Uses:
    """What the statements of one symbol use."""

    reference: Reference
    module: Symbols
    scope: Scope

    def all(self, statements: list[ast.stmt]) -> Iterator[Reference]:
        """Yield the local symbols that statements use."""
        for statement in statements:
            if is_import(statement):
                if self.reference.from_outside:
                    yield from self.imported(statement, None, {})
                continue  # followed from where the name is used, so that only what is used counts
            if self.module.unknowable or _is_dynamic(statement):
                yield Reference(self.reference.module, WHOLE, False)
            texts = {*self._imported_by_text(statement), *self._scripts(statement)}
            yield from (Reference(name, WHOLE, False) for name in texts)
            attributes = _attributes(statement)
            for name in attributes.keys() & self.module.statements.keys():
                yield Reference(self.reference.module, name, False)
                for definition in self.module.statements[name]:
                    yield from self.imported(definition, {name}, attributes)
            yield from self.imported(statement, None, attributes)

    def imported(self, statement: ast.stmt, bound: set[str] | None, taken: Attributes) -> Iterator[Reference]:
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

    def _from(self, node: ast.ImportFrom, alias: ast.alias, taken: Attributes) -> Iterator[Reference]:
        source = self._absolute(node)
        submodule = f"{source}.{alias.name}" if source else alias.name
        if alias.name == "*":
            yield Reference(source, WHOLE, True)
        elif self.scope.path_of(submodule) and not self._binds_another(source, alias.name, submodule):
            yield from self._members(submodule, taken.get(alias.asname or alias.name))
        else:
            yield Reference(source, alias.name, True)

    def _binds_another(self, package: str, name: str, submodule: str) -> bool:
        """Say whether a package's `__init__` gives a name to something else than its module of that name."""
        parsed = self.scope.symbols_of(package)
        if parsed is None or package == self.reference.module:
            return False
        uses = Uses(Reference(package, WHOLE, True), parsed, self.scope)
        return any(
            not is_import(each) or submodule not in uses.submodules(each) for each in parsed.statements.get(name, ())
        )

    def submodules(self, statement: ast.stmt) -> list[str]:
        """Return the modules that an import statement binds."""
        if isinstance(statement, ast.Import):
            return [alias.name for alias in statement.names]
        source = self.source(statement)
        names = (f"{source}.{alias.name}" for alias in statement.names) if isinstance(statement, ast.ImportFrom) else ()
        return [name for name in names if self.scope.path_of(name)]

    def source(self, statement: ast.stmt) -> str:
        """Return the module that a `from` import takes names from, "" for other statements."""
        return self._absolute(statement) if isinstance(statement, ast.ImportFrom) else ""

    def _imported_by_text(self, statement: ast.stmt) -> Iterator[str]:
        """Yield the modules that `import_module` may import: the one that is named, or those that it may come to."""
        for node in ast.walk(statement):
            if _is_import_call(node):
                text, whole = _leading_text(node.args[0])  # type: ignore[attr-defined]
                name = text if whole else text.rpartition(".")[0] or "." * text.startswith(".")
                level = len(name) - len(name.lstrip("."))
                module = self._absolute(ast.ImportFrom(name[level:] or None, [], level)) if name else ""
                if whole:
                    yield module
                else:
                    home = self.reference.module
                    yield from self.scope.below(module or (home.split(".", 1)[0] if "." in home else ""))

    def _scripts(self, statement: ast.stmt) -> Iterator[str]:
        """Yield the user's files that a statement names as text, to run them: "train.py", or "-m", "train"."""
        beside = self.reference.module.split(".")[: -1 + self.module.is_package or None]
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".py"):
                parts = os.path.normpath(node.value.removesuffix(".py")).split(os.sep)
                yield from (name for name in (".".join(parts), ".".join([*beside, *parts])) if self.scope.path_of(name))
            elif isinstance(node, ast.List | ast.Tuple):
                words = [each.value if isinstance(each, ast.Constant) else None for each in node.elts]
                yield from (str(name) for flag, name in zip(words, words[1:]) if flag == "-m")  # noqa: B905, RUF007

    def _import(self, alias: ast.alias, attributes: set[str] | None) -> Iterator[Reference]:
        package, *below = alias.name.split(".")
        if alias.asname or not below:
            yield from self._members(alias.name, attributes)
            return
        yield Reference(alias.name, WHOLE, False)  # `import a.b` is used as `a.b.name`
        yield from (Reference(package, name, True) for name in (attributes or set()) - {below[0]})

    def _members(self, module: str, attributes: set[str] | None) -> Iterator[Reference]:
        """Yield what is used of an imported module: the attributes when all are known, else all of it."""
        parsed = self.scope.symbols_of(module)
        if parsed is None:
            return
        for attribute in attributes or {WHOLE}:
            if attribute in parsed.statements:
                yield Reference(module, attribute, True)
            elif self.scope.path_of(f"{module}.{attribute}"):
                yield Reference(f"{module}.{attribute}", WHOLE, False)
            else:
                yield Reference(module, attribute, True)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.reference.module.split(".")
        keep = len(parts) - node.level + self.module.is_package
        return ".".join([*parts[: max(keep, 0)], *([node.module] if node.module else [])])


def _attributes(statement: ast.stmt) -> dict[str, set[str] | None]:
    taken: dict[str, set[str] | None] = {}
    inner: set[int] = set()
    for node in syntax.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            inner.add(id(node.value))
            known = taken.setdefault(node.value.id, set())
            if known is not None:
                known.add(node.attr)
        elif isinstance(node, ast.Name) and id(node) not in inner:
            taken[node.id] = None
    return taken


def _chain(node: ast.AST, name: str) -> int:
    """Return how many attributes are taken in a row, beginning with a name: 2 for `name.table.get`."""
    length = 0
    while isinstance(node, ast.Attribute):
        node, length = node.value, length + 1
    return length if isinstance(node, ast.Name) and node.id == name else 0


def _stores(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del) and _chain(node, name) > 0


def _is_dynamic(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) in DYNAMIC or getattr(node.func, "attr", None) == "import_module")
        and not (_is_import_call(node) and _leading_text(node.args[0])[1])
        for node in ast.walk(statement)
    )


def _is_import_call(node: ast.AST) -> bool:
    function = getattr(node, "func", None)
    name = getattr(function, "id", None) or getattr(function, "attr", None)
    return isinstance(node, ast.Call) and bool(node.args) and name in IMPORTERS


def _leading_text(node: ast.expr) -> tuple[str, bool]:
    """Return the text that an expression begins with, and whether that is all of it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, True
    if isinstance(node, ast.JoinedStr) and node.values:
        return _leading_text(node.values[0])[0], False
    if isinstance(node, ast.BinOp):
        return _leading_text(node.left)[0], False
    return "", False
