"""The code a step's result depends on, as named symbols (rule 4 of the design).

For a component's function this is the closure by symbol: the definition with its decorators and defaults, the
module-level names it uses by the statements that define them, classes whole with their bases, through imports of local
files, and what files that are imported on the way do to them (`references.py`). For a module file it is every symbol of
the file and its local imports. Local means below the code root. Where names can't be resolved statically (`import *`,
`globals()`, `eval`), the whole module counts; a docstring counts only where one is read. What is computed at import,
environment variables and data files don't count: they are passed as a parameter or as `Files`. A component that is
installed, in a package of somebody else's, counts with what it uses of its own package.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
import sys
from dataclasses import dataclass, field

from penstock.pipeline import syntax
from penstock.pipeline.references import US, WHOLE, Reference, Scope, reached, statements_of

BUILT_IN = "penstock.components"
GROUND_IMPORT = re.compile(
    r"^[ \t]*(?:from|import) (penstock\.(?:components|data)[\w.]*)(?: import (\([^)]*\)|[^\n]*))?", re.M
)


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
    scope = Scope(os.path.abspath(code_root))
    if scope.path_of(module) is None:
        scope = _home(module)
    return _closure(Reference(module, name.split(".")[0], True), scope)


def of_module(module: str, code_root: str) -> Fingerprint:
    """Return the fingerprint of a whole module file and of what it imports from below the code root.

    Raises:
        UserCodeError: A local file can't be parsed.
    """
    return _closure(Reference(module, WHOLE, True), Scope(os.path.abspath(code_root)))


def _home(module: str) -> Scope:
    """Return the scope of an imported module that isn't below the code root: its own top-level package."""
    file = os.path.abspath(getattr(sys.modules.get(module), "__file__", None) or "")
    depth = module.count(".") + (os.path.basename(file) == "__init__.py")
    root = os.path.dirname(file)
    for _ in range(depth):
        root = os.path.dirname(root)
    return Scope(root, module.split(".", 1)[0])


def _closure(start: Reference, scope: Scope) -> Fingerprint:
    """Return the digests of the symbols that one depends on."""
    digests: dict[str, str] = {}
    sources: dict[str, str] = {}
    found = {each: statements_of(each, scope) for each in reached(start, scope)}
    with_docstrings = any(_reads_docstrings(statement) for each in found.values() for statement in each)
    for reference, statements in found.items():
        if statements:
            told = [text for each in statements for text in syntax.docstrings(each)] if with_docstrings else []
            key = syntax.digest("\n".join([*map(syntax.serialise, statements), *told]))
            digests[f"{reference.module}:{reference.symbol}"] = key
            sources[key] = "\n".join(map(syntax.readable, statements))
    return Fingerprint(dict(sorted(digests.items())), sources)


def _reads_docstrings(statement: ast.stmt) -> bool:
    names = {"__doc__", "getdoc"}
    return any(
        getattr(node, "attr", None) in names or getattr(node, "id", None) in names for node in ast.walk(statement)
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
    scope = Scope(_INSTALLED, US)
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
