"""What a component's signature is made of: markers for artifacts and the special kinds of parameter."""

from __future__ import annotations

import importlib
import os
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from penstock.pipeline.errors import ParameterError, UserCodeError, listing, nearest

T = TypeVar("T")


@dataclass(frozen=True)
class _Marker:
    role: str


INPUT = _Marker("input")
OUTPUT = _Marker("output")

Input = Annotated[T, INPUT]
"""`Input[Model]` is one artifact, `Input[list[Examples]]` several; `Input[Schema] | None = None` may be left out."""

Output = Annotated[T, OUTPUT]
"""`Output[Model]` is an artifact that the function makes, by filling `.path` and `.properties`."""


@dataclass(frozen=True)
class FileEntry:
    """One source file: its absolute path, its name relative to the base, bytes and content hash."""

    path: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Files:
    """Source files behind a path, folder or glob; resolved, hashed and recorded by the driver before the step runs.

    Attributes:
        base: The absolute folder that the names are relative to.
        files: Sorted by name, at least one.
        span: The (last) span that a pattern like "data/{SPAN}/*" led to; None for a plain path.
        version: Its version, likewise.
    """

    base: str
    files: tuple[FileEntry, ...]
    span: int | None = None
    version: int | None = None


@dataclass(frozen=True)
class Secret:
    """A value that only the worker sees: the name of an environment variable.

    Only the name enters plan, cache key and metadata store, and the value is masked in the step's log.
    """

    name: str

    @property
    def value(self) -> str:
        """The secret itself.

        Raises:
            ParameterError: The environment variable isn't set.
        """
        try:
            return os.environ[self.name]
        except KeyError:
            raise ParameterError(
                f"Secret({self.name!r}) needs the environment variable {self.name}, and it isn't set here. "
                f"Set it where the pipeline is started."
            ) from None


@dataclass(frozen=True)
class ModuleFile:
    """A Python file of the user, relative to the pipeline's folder; its code is part of the cache key.

    Attributes:
        path: Absolute path of the file.
        module: Its dotted name below the code root, by which it is imported.
    """

    path: str
    module: str

    def load(self) -> types.ModuleType:
        """Import the file.

        Raises:
            UserCodeError: The import failed; the cause is kept.
        """
        try:
            return importlib.import_module(self.module)
        except SyntaxError as error:
            at = f"{os.path.basename(error.filename or self.path)}:{error.lineno}"
            raise UserCodeError(f"{at}: {error.msg}. The module file can't be imported.") from error
        except Exception as error:
            raise UserCodeError(
                f"Module file {os.path.basename(self.path)} failed at import: {type(error).__name__}: {error}"
            ) from error

    def function(self, name: str) -> Callable[..., Any]:
        """Import the file and return its function `name`.

        Raises:
            UserCodeError: The import failed, or the file has no such function.
        """
        module = self.load()
        found = getattr(module, name, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        own = [key for key, value in vars(module).items() if isinstance(value, types.FunctionType)]
        raise UserCodeError(
            f"Module file {os.path.basename(self.path)} has no function {name!r}.{nearest(name, own)} "
            f"It defines: {listing(own)}."
        )
