"""`@pipeline`: a function that wires components becomes a pipeline that can be compiled and run."""

from __future__ import annotations

import functools
import inspect
import os
import pathlib
import re
import traceback
import typing
from collections.abc import Callable, Mapping
from typing import Any, overload

import msgspec

from penstock.pipeline import parameters
from penstock.pipeline.channel import Channel, RunParameter
from penstock.pipeline.compiler import compile_wiring
from penstock.pipeline.definition import module_name
from penstock.pipeline.errors import ParameterError, WiringError, listing, nearest
from penstock.pipeline.node import Graph, active_graph, caller
from penstock.pipeline.plan import Plan, RunParameterPlan
from penstock.pipeline.project import Project
from penstock.pipeline.rules import Wiring, check
from penstock.pipeline.runner import Runner, RunRequest, RunResult
from penstock.pipeline.runner import runner as find_runner

RESERVED_PARAMETERS = {"root": "run(root=...)", "runner": "run(runner=...)", "id": "a call inside another pipeline"}
PIPELINE_NAME = "letters, digits, '-', '_' and '.'"


class Pipeline:
    """Nodes wired by channels, with run parameters.

    Attributes:
        name: Its name in the metadata store and in folder names.
        source: The file it is defined in.
    """

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.source = os.path.abspath(function.__code__.co_filename)
        self.module = module_name(function.__module__)
        if not self.name.replace("-", "").replace("_", "").replace(".", "").isalnum() or self.name.startswith("."):
            raise WiringError(f"Pipeline name {self.name!r} is unusable as a folder name. Use {PIPELINE_NAME}.")

    @property
    def project(self) -> Project:
        """The settings that hold for this pipeline: its code root among them."""
        return Project.of_file(self.source)

    @functools.cached_property
    def parameters(self) -> tuple[RunParameterPlan, ...]:
        """The run parameters, read off the function's signature."""
        hints = typing.get_type_hints(self.function)
        return tuple(
            _run_parameter(self.name, parameter, hints)
            for parameter in inspect.signature(self.function).parameters.values()
        )

    def compile(self) -> Plan:
        """Trace the function, check the wiring and compile it.

        Raises:
            WiringError: The pipeline is put together wrongly.
        """
        hints = typing.get_type_hints(self.function)
        placeholders = {p.name: RunParameter(p.name, hints[p.name]) for p in self.parameters}
        graph = Graph(pipelines=(self,))
        token = active_graph.set(graph)
        try:
            self.function(**placeholders)
        except WiringError as error:
            error.args = (_placed(error, self.project.code_root),)
            raise
        finally:
            active_graph.reset(token)
        if not graph.nodes:
            raise WiringError(
                f"Pipeline {self.name!r} has no steps: {self.function.__name__}() calls no component. Does it return "
                f"too early?"
            )
        wiring = Wiring(self.name, tuple(graph.nodes), self.project.code_root)
        check(wiring)
        return compile_wiring(wiring, self.parameters)

    def run(
        self,
        *positional: Any,
        root: str | os.PathLike[str] | None = None,
        runner: str | Runner = "local",
        **given: Any,
    ) -> RunResult:
        """Run the pipeline and wait for it.

        Args:
            *positional: None; run parameters are named.
            root: The folder of artifacts and metadata; the runner's own or the project's by default.
            runner: A runner, or the name of an installed one. In tests: `penstock.runners.InProcessRunner()`.
            **given: Run parameters.

        Raises:
            PenstockError: The wiring or a parameter is wrong, or the root can't be used. A failing step raises nothing:
                see the result's `state`.
        """
        if positional:
            raise ParameterError(
                f"{self.name}.run() takes run parameters by name, got {positional[0]!r:.60}. It takes: "
                f"{listing(parameter.name for parameter in self.parameters)}."
            )
        chosen = find_runner(runner) if isinstance(runner, str) else runner
        plan = self.compile()
        declared = parameters.RunParameters(self.name, plan.parameters)
        values = declared.resolve({name: parameters.to_json(value) for name, value in given.items()}, os.getcwd())
        request = RunRequest(
            parameters=values,
            root=os.path.abspath(root or getattr(chosen, "root", "") or self.project.root),
            code_root=self.project.code_root,
        )
        return chosen.run(plan, request)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Put this pipeline's nodes into the one that calls it, as "name.node"; elsewhere a pipeline isn't called.

        Args:
            *args: None; a pipeline takes keywords.
            **kwargs: Its run parameters: values, run parameters of the calling pipeline or value outputs; a parameter
                annotated `Input[T]` takes a channel. `id` is the name that its nodes begin with, its own by default.

        Returns:
            What its function returns, such as a channel or a NamedTuple of channels.

        Raises:
            WiringError: A parameter is unknown, missing or of the wrong type, the name is taken, or it uses itself.
        """
        graph = active_graph.get()
        if graph is None:
            raise WiringError(
                f"Pipeline {self.name!r} isn't called. Use {self.name}.run(...), or: penstock run "
                f"{os.path.basename(self.source)}."
            )
        name = kwargs.pop("id", self.name)
        self._check_call(graph, name, args, kwargs)
        with graph.inside(name, self):
            return self.function(**kwargs)

    def _check_call(self, graph: Graph, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        declared = inspect.signature(self.function).parameters
        missing = [each.name for each in declared.values() if each.default is each.empty and each.name not in kwargs]
        if args or missing:
            what = f"needs {listing(missing)}" if missing else f"takes keywords only, got {len(args)} positional"
            raise WiringError(f"{caller()}: pipeline {self.name!r} {what}. It takes: {listing(declared)}.")
        for given in kwargs:
            if given not in declared:
                raise WiringError(
                    f"{caller()}: pipeline {self.name!r} has no parameter {given!r}.{nearest(given, declared)} "
                    f"It takes: {listing(declared)}."
                )
        if self in graph.pipelines:
            raise WiringError(f"{caller()}: pipeline {self.name!r} uses itself. Move what repeats into a function.")
        if name in graph.names_inside():
            raise WiringError(
                f"{caller()}: pipeline {self.name!r} is used twice under the name {name!r}. "
                f"Give one of them a name of its own: {self.name}(..., id={name + '2'!r})."
            )
        hints = typing.get_type_hints(self.function, include_extras=True)
        for given, value in kwargs.items():
            _check_plain(self.name, declared[given], hints, value)

    def __repr__(self) -> str:
        return f"<pipeline {self.name!r}>"


_PLACE = re.compile(r"\S+\.py:\d+: ")


@overload
def pipeline(function: Callable[..., Any], /) -> Pipeline: ...
@overload
def pipeline(*, name: str | None = None) -> Callable[[Callable[..., Any]], Pipeline]: ...
def pipeline(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make a pipeline of a function whose parameters are the run parameters and whose body wires components.

    Args:
        function: The function, when the decorator is used without parentheses.
        name: The pipeline's name; the function's by default.
    """
    if function is not None:
        return Pipeline(function)
    return lambda decorated: Pipeline(decorated, name)


def _placed(error: WiringError, code_root: str) -> str:
    """Return an error's message with "file.py:12: " before it, the innermost place in the user's code."""
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [place for place in places if place[0].startswith(code_root + os.sep)]
    if _PLACE.match(str(error)) or not theirs:
        return str(error)
    return f"{os.path.basename(theirs[-1][0])}:{theirs[-1][1]}: {error}"


def _check_plain(name: str, parameter: inspect.Parameter, hints: Mapping[str, Any], value: Any) -> None:
    """Check the type of a value that is known now; what comes with the run is checked where it is used."""
    if isinstance(value, Channel | RunParameter) or hasattr(hints.get(parameter.name), "__metadata__"):
        return
    try:
        plain = parameters.to_json(value)
    except TypeError as error:
        raise WiringError(f"{caller()}: {name}({parameter.name}=...) takes JSON values, got {error}.") from None
    if not parameters.has_tokens(plain):
        parameters.check_json(name, _run_parameter(name, parameter, hints), plain)


def _run_parameter(pipeline_name: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> RunParameterPlan:
    if parameter.name not in hints:
        raise WiringError(
            f"Pipeline {pipeline_name!r} gives its parameter {parameter.name!r} no type. "
            f"Write {parameter.name}: str, int, float, bool, or another JSON type."
        )
    if parameter.name in RESERVED_PARAMETERS:
        taken = RESERVED_PARAMETERS[parameter.name]
        raise WiringError(
            f"Pipeline {pipeline_name!r} names a parameter {parameter.name!r}, which {taken} takes itself. Rename it."
        )
    annotation = hints[parameter.name]
    try:
        schema = {"type": "string"} if annotation is pathlib.Path else msgspec.json.schema(annotation)
    except TypeError:
        raise WiringError(
            f"Pipeline {pipeline_name!r} declares its parameter {parameter.name!r} as "
            f"{inspect.formatannotation(annotation)}, which has no JSON form. Use a JSON type."
        ) from None
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameters.to_json(parameter.default)
    declared = RunParameterPlan(name=parameter.name, json_schema=schema, required=required, default=default)
    if default is None:
        return declared
    parameters.check_json(pipeline_name, declared, default)
    return msgspec.structs.replace(declared, default=parameters.as_declared(default, schema))
