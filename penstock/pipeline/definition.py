"""`@component`: a typed function becomes a reusable step; its signature is its interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, update_wrapper
from typing import Any, Generic, TypeVar, overload

from penstock.pipeline.errors import WiringError
from penstock.pipeline.node import Node, active_graph
from penstock.pipeline.signature import ComponentSpec, parse

F = TypeVar("F", bound=Callable[..., Any])


class Component(Generic[F]):
    """A component: inside a pipeline function a call makes a node, elsewhere it calls the function itself."""

    def __init__(self, function: F, options: Mapping[str, Any]) -> None:
        update_wrapper(self, function)
        self.function = function
        self._options = options

    @cached_property
    def spec(self) -> ComponentSpec:
        """The parsed signature.

        Raises:
            WiringError: The signature can't be that of a component.
        """
        return parse(self.function, **self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make a node inside a pipeline function; elsewhere call the function."""
        graph = active_graph.get()
        if graph is None:
            return self.function(*args, **kwargs)
        return graph.add(self.spec, args, kwargs)

    def __repr__(self) -> str:
        return f"<component {self.__name__}>"  # type: ignore[attr-defined]


@overload
def component(function: F, /) -> Component[F]: ...
@overload
def component(
    *,
    name: str | None = None,
    gates: str = "",
    effects: bool = False,
    still_true: str = "",
    precondition: str = "",
    versions: tuple[str, ...] = (),
) -> Callable[[F], Component[F]]: ...
def component(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    gates: str = "",
    effects: bool = False,
    still_true: str = "",
    precondition: str = "",
    versions: tuple[str, ...] = (),
) -> Any:
    """Make a step of a typed function.

    Parameters of the function are inputs (`Input[T]`, `Input[list[T]]`, `Input[T] | None = None`), outputs
    (`Output[T]`), and parameters of any JSON type, dataclass, enum, `Files`, `ModuleFile`, `Secret`, `pathlib.Path`
    or `Beam`. A return annotation (a JSON type or a NamedTuple of them) makes value outputs.

    Args:
        function: The function, when the decorator is used without parentheses.
        name: The component's name; the function's by default.
        gates: See `ComponentSpec`, and so for those below.
        effects: Whether it changes the world.
        still_true: Says whether the effect still holds.
        precondition: Is called before the step's own function.
        versions: Distributions whose versions count in the cache key.
    """
    options = {
        "name": name,
        "gates": gates,
        "effects": effects,
        "still_true": still_true,
        "precondition": precondition,
        "versions": tuple(versions),
    }
    if function is not None:
        return Component(function, options)
    return lambda decorated: Component(decorated, options)


def call_node(spec: ComponentSpec, arguments: dict[str, Any]) -> Node:
    """Add a node for a spec that isn't made from a function, such as the importer.

    Raises:
        WiringError: Called outside a pipeline function.
    """
    graph = active_graph.get()
    if graph is None:
        raise WiringError(f"{spec.name}() makes a node, so it stands inside a function decorated with @pipeline.")
    return graph.add(spec, (), arguments)
