"""What was typed after a pipeline's file becomes the request that a runner or a forecast is given."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from typer.core import TyperCommand

from penstock.cli.lookup import find_run
from penstock.cli.root import open_root
from penstock.metadata.records import RunRecord
from penstock.pipeline import Pipeline, Plan
from penstock.pipeline.errors import ParameterError
from penstock.pipeline.parameters import RunParameters
from penstock.pipeline.runner import RunRequest, Selection
from penstock.runners.layout import lock_holder
from penstock.ui.formats import short_id

LATEST = "latest"
RUN = re.compile(r"[0-9A-Za-z]+")
"""What stands after --resume and is no file: a run's id, or meant as one."""


@dataclass(frozen=True)
class Policy:
    """What a run reuses and which steps it runs."""

    cache: bool = True
    refresh: tuple[str, ...] = ()
    verify: bool = False
    selection: Selection = field(default_factory=Selection)


class ResumeCommand(TyperCommand):
    """A command whose `--resume` may stand without a run: the latest is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the run out before the options are read."""
        if "--resume" in args:
            place = args.index("--resume") + 1
            given = args[place] if place < len(args) else ""
            if not RUN.fullmatch(given) or os.path.exists(given):
                args = [*args[:place], LATEST, *args[place:]]
        return super().parse_args(ctx, args)


def selection_of(
    first: Sequence[str] | None, last: Sequence[str] | None, only: Sequence[str] | None, skip: Sequence[str] | None
) -> Selection:
    """Return the steps that `--from`, `--to`, `--only` and `--skip` choose."""
    return Selection(tuple(first or ()), tuple(last or ()), tuple(only or ()), tuple(skip or ()))


def request_for(
    pipeline: Pipeline,
    plan: Plan,
    parameters: Sequence[str] | None,
    *,
    root: str | None,
    policy: Policy,
    resume: str | None = None,
) -> RunRequest:
    """Return the request for one run of a pipeline.

    Args:
        pipeline: The pipeline.
        plan: It, compiled.
        parameters: "name=value" as typed.
        root: The folder of artifacts and metadata; the project's by default.
        policy: What is reused and what runs.
        resume: A run's id or "latest": its parameters hold, and what it finished is reused.

    Raises:
        PenstockError: A parameter is wrong, or the run can't be resumed.
    """
    place = os.path.abspath(root) if root else pipeline.project.root
    declared = RunParameters(plan.name, plan.parameters)
    resumed = _resumed(plan.name, place, resume, parameters or ()) if resume else None
    given = resumed.facts.get("parameters", {}) if resumed else declared.parse(parameters or ())
    return RunRequest(
        parameters=declared.resolve(given, os.getcwd()),
        root=place,
        code_root=pipeline.project.code_root,
        cache=policy.cache,
        refresh=policy.refresh,
        verify=policy.verify,
        selection=policy.selection,
        resume=resumed.id if resumed else "",
        command=shlex.join(["penstock", *sys.argv[1:]]),
    )


def _resumed(pipeline: str, place: str, name: str, parameters: Sequence[str]) -> RunRecord:
    """Return the run that is resumed."""
    if parameters:
        raise ParameterError(
            f"--resume runs with the parameters of the run that it resumes; -p {parameters[0]} can't be given too. "
            f"Leave out one of them: without --resume finished steps are reused as well, where they are unchanged."
        )
    with open_root(place) as root:
        if name == LATEST:
            latest = root.store.runs(pipeline, 1)
            if not latest:
                raise ParameterError(f"--resume: pipeline {pipeline!r} never ran in {place}. Leave it out.")
            found = latest[0]
        else:
            found = find_run(root, name)
        if found.pipeline != pipeline:
            raise ParameterError(
                f"--resume {name}: that is a run of pipeline {found.pipeline!r}, not of {pipeline!r}. See the runs of "
                f"this one: penstock runs --pipeline {pipeline}{root.option}."
            )
        if lock_holder(root.layout, found.id) is not None:
            raise ParameterError(
                f"--resume {name}: run {short_id(found.id)} is under way. Wait for it, or cancel it: "
                f"penstock runs cancel {short_id(found.id)}{root.option}."
            )
        return found
