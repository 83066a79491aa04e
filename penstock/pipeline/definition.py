"""`@component`: a typed function becomes a reusable step; what its signature says is read once into a ComponentSpec."""

from __future__ import annotations

import importlib
import inspect
import pathlib
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, overload

from penstock.metadata.artifact_types import Artifact, Boolean, Float, Integer, JsonValue, String
from penstock.pipeline.annotations import INPUT, OUTPUT, Files, ModuleFile, Secret
from penstock.pipeline.beam import Beam
from penstock.pipeline.errors import PenstockError, WiringError, listing, nearest
from penstock.pipeline.node import Node, active_graph
from penstock.pipeline.options import OPTION_NAMES, RESERVED_OUTPUTS

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
    cache: bool = True,
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
    cache: bool = True,
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
        cache: False for a component whose result depends on what no key can know; a node's `cache=` says otherwise.
    """
    options = {
        "name": name,
        "gates": gates,
        "effects": effects,
        "still_true": still_true,
        "precondition": precondition,
        "versions": tuple(versions),
        "cache": cache,
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


MISSING = inspect.Parameter.empty
VALUE_TYPES: dict[Any, type[Artifact]] = {int: Integer, float: Float, str: String, bool: Boolean}
SINGLE_VALUE = "value"
"""The output's name when the return annotation is one JSON type and no NamedTuple."""


@dataclass(frozen=True)
class InputSpec:
    """An input port: the artifact type it takes, whether a list of them, whether it may be left out."""

    type: type[Artifact]
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter: its annotation, its default, and which of the special kinds it is."""

    annotation: Any
    default: Any = MISSING

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is MISSING

    @property
    def optional(self) -> bool:
        """True when the annotation allows None."""
        return self.annotation is Any or type(None) in (self.annotation, *get_args(self.annotation))

    @property
    def kind(self) -> str:
        """One of json, files, module, secret, beam, path."""
        bare = _strip_optional(self.annotation)[0]
        special = {Files: "files", ModuleFile: "module", Secret: "secret", Beam: "beam", pathlib.Path: "path"}
        return special.get(bare, "json") if isinstance(bare, type) else "json"


@dataclass(frozen=True)
class ComponentSpec:
    """What a component's signature and decorator say; all that the rest of the machine knows of it.

    Attributes:
        reference: "module:name", by which a worker imports it.
        values: Outputs made by the return annotation; their types stand in `outputs` too.
        gates: "statistics.examples" reads: the artifact that fed input `examples` of the step that made `statistics`;
            "model" reads: the artifact at input `model`. Empty for a component that is no gate.
        still_true: "module:name" of a function that takes the outputs and says whether the effect still holds.
        precondition: "module:name" of a light function, called with the step's arguments before the step is run.
        versions: Distributions whose versions are ingredients of the cache key.
        cache: Whether earlier results are reused unless a node says otherwise.
    """

    name: str
    reference: str
    inputs: Mapping[str, InputSpec]
    outputs: Mapping[str, type[Artifact]]
    parameters: Mapping[str, ParameterSpec]
    values: Mapping[str, Any]
    summary: str = ""
    gates: str = ""
    effects: bool = False
    still_true: str = ""
    precondition: str = ""
    versions: tuple[str, ...] = ()
    cache: bool = True
    source: str = ""

    @property
    def argument_names(self) -> list[str]:
        """Inputs and parameters in the order of the signature; what is filled in by the executor is left out."""
        return [*self.inputs, *(name for name, p in self.parameters.items() if p.kind != "beam")]


def parse(function: Callable[..., Any], **options: Any) -> ComponentSpec:
    """Read a function's signature.

    Raises:
        WiringError: A parameter has no or an impossible annotation, or a reserved name.
    """
    name = options.pop("name", None) or function.__name__
    hints = _hints(name, function)
    inputs: dict[str, InputSpec] = {}
    outputs: dict[str, type[Artifact]] = {}
    parameters: dict[str, ParameterSpec] = {}
    for parameter in inspect.signature(function).parameters.values():
        _check_parameter(name, parameter, hints)
        annotation = hints[parameter.name]
        bare, optional = _strip_optional(annotation)
        role = _role(bare)
        if role is INPUT:
            may_be_left_out = optional or parameter.default is not MISSING
            inputs[parameter.name] = _input(name, parameter.name, get_args(bare)[0], may_be_left_out)
        elif role is OUTPUT:
            outputs[parameter.name] = _artifact_type(name, parameter.name, get_args(bare)[0])
        else:
            parameters[parameter.name] = ParameterSpec(annotation, parameter.default)
    values = _values(name, hints.get("return", type(None)))
    _check_outputs(name, [*outputs, *values])
    _check_gates(name, options.get("gates", ""), inputs)
    outputs |= {key: VALUE_TYPES.get(annotation, JsonValue) for key, annotation in values.items()}
    return ComponentSpec(
        name=name,
        reference=f"{module_name(function.__module__)}:{function.__qualname__}",
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
        values=values,
        summary=(inspect.getdoc(function) or "").split("\n", 1)[0],
        source=function.__code__.co_filename,
        **options,
    )


def load_symbol(reference: str) -> Any:
    """Import "module:name" and return the object.

    Raises:
        PenstockError: No such module or name.
    """
    module_name, _, qualified = reference.partition(":")
    module = sys.modules.get(module_name) or importlib.import_module(module_name)
    found: Any = module
    for part in qualified.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise PenstockError(f"Module {module_name!r} has no {qualified!r}.") from None
    return found


def is_importable(spec: ComponentSpec) -> bool:
    """Say whether a component's reference leads to a component, as far as its module is loaded."""
    module, _, name = spec.reference.partition(":")
    loaded = sys.modules.get(module)
    from_file = bool(spec.source) and not spec.source.startswith("<")  # no interactive session, no docstring's example
    return not from_file or "." in name or loaded is None or isinstance(getattr(loaded, name, None), Component)


def module_name(name: str) -> str:
    """Return the name by which a worker can import a module; a script run as `__main__` goes by its file's name."""
    if name != "__main__":
        return name
    return pathlib.Path(getattr(sys.modules["__main__"], "__file__", None) or "__main__").stem


def _hints(component_name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise WiringError(
            f"{component_name}() has an annotation that can't be read when the pipeline runs: {error}. "
            f"Import or define the name at module level, not under TYPE_CHECKING or inside a function."
        ) from error


def _check_parameter(component_name: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise WiringError(
            f"{component_name}() declares {stars}{parameter.name}; a component names each of its arguments."
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise WiringError(f"{component_name}() takes {parameter.name!r} by position only. Remove the '/'.")
    if parameter.name not in hints:
        raise WiringError(
            f"{component_name}() gives {parameter.name!r} no annotation. Write Input[T], Output[T] or a JSON type."
        )
    if parameter.name in OPTION_NAMES:
        raise WiringError(
            f"{component_name}() names a parameter {parameter.name!r}, which every node takes as an option. Rename it."
        )


def _check_outputs(component_name: str, outputs: list[str]) -> None:
    for output in outputs:
        if outputs.count(output) > 1:
            raise WiringError(f"{component_name}() both fills and returns an output {output!r}. Rename one.")
        if output in RESERVED_OUTPUTS or output.startswith("_"):
            raise WiringError(f"{component_name}() names an output {output!r}, a name that nodes use. Rename it.")


def _check_gates(component_name: str, gates: str, inputs: Mapping[str, InputSpec]) -> None:
    first = gates.split(".", maxsplit=1)[0]
    if gates and first not in inputs:
        raise WiringError(
            f"{component_name}() is declared with gates={gates!r}, and has no input {first!r}.{nearest(first, inputs)} "
            f"Its inputs: {listing(inputs)}."
        )


def _strip_optional(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [arm for arm in get_args(annotation) if arm is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return annotation, False


def _role(annotation: Any) -> Any:
    metadata = getattr(annotation, "__metadata__", ())
    return next((mark for mark in metadata if mark is INPUT or mark is OUTPUT), None)


def _input(component_name: str, argument: str, inner: Any, optional: bool) -> InputSpec:
    if get_origin(inner) is list:
        return InputSpec(_artifact_type(component_name, argument, get_args(inner)[0]), many=True, optional=optional)
    return InputSpec(_artifact_type(component_name, argument, inner), optional=optional)


def _artifact_type(component_name: str, argument: str, annotation: Any) -> type[Artifact]:
    if isinstance(annotation, type) and issubclass(annotation, Artifact):
        return annotation
    raise WiringError(
        f"{component_name}({argument}=...) is declared over {annotation!r}; Input and Output take an artifact type, "
        f"such as Examples or a subclass of Artifact of your own."
    )


def _values(component_name: str, annotation: Any) -> dict[str, Any]:
    if annotation is type(None) or annotation is None:
        return {}
    values = {SINGLE_VALUE: annotation}
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        values = typing.get_type_hints(annotation)
    for returned in values.values():
        if isinstance(returned, type) and issubclass(returned, Artifact):
            raise WiringError(
                f"{component_name}() returns {returned.TYPE_NAME}, an artifact. Declare a parameter "
                f"Output[{returned.TYPE_NAME}] and fill its .path; return JSON values only."
            )
    return values
