"""Settings that are passed as one object, such as `StatsOptions(...)`: a name that is none of theirs is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from penstock.pipeline.errors import WiringError, listing, nearest

T = TypeVar("T")


def settings(cls: type[T]) -> type[T]:
    """Have a dataclass refuse unknown arguments as components do: with the nearest name, and all there are.

    Args:
        cls: A dataclass; it is changed and returned. Making one of it with a name that it doesn't have then raises a
            `WiringError` instead of a `TypeError`.
    """
    names = [field.name for field in fields(cls) if field.init]  # type: ignore[arg-type]  # a dataclass
    plain: Callable[..., None] = vars(cls)["__init__"]

    @functools.wraps(plain)
    def init(self: T, *args: Any, **arguments: Any) -> None:
        for name in arguments:
            if name not in names:
                raise WiringError(
                    f"{cls.__name__}() has no setting {name!r}.{nearest(name, names)} It takes: {listing(names)}."
                )
        plain(self, *args, **arguments)

    cls.__init__ = init  # type: ignore[method-assign,assignment]
    return cls
