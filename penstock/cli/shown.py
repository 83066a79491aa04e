"""Names typed by a person become the artifacts that are pictured, with labels that tell them apart."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from penstock.cli.lookup import find_artifact, find_run, find_step, is_part_of_run, root_of, something_like
from penstock.cli.not_found import NotFound
from penstock.cli.root import Root, open_root
from penstock.metadata.records import ArtifactRecord, ExecutionRecord, RunRecord
from penstock.pipeline.errors import ParameterError, listing, nearest
from penstock.ui.formats import short_id
from penstock.ui.pictures import CONTENTS, type_of_path
from penstock.ui.shown import Shown

Found = RunRecord | ExecutionRecord | ArtifactRecord


@dataclass(frozen=True)
class Named:
    """One artifact that a name stands for, and its record where a root has one."""

    shown: Shown
    record: ArtifactRecord | None = None


def find(root: Root, name: str, run: RunRecord | None = None) -> Found:
    """Return what a name stands for: an artifact, a step, its output, or a run.

    Args:
        root: Where to look.
        name: An artifact's id or path, STEP, STEP.OUTPUT, a run's id; STEP@RUN for a step of one run.
        run: The run of a step; its latest by default.

    Raises:
        NotFound: It stands for nothing; the message names the nearest.
    """
    artifact = find_artifact(root, name) if run is None else None
    if artifact is not None:
        return artifact
    text, at, of_run = name.rpartition("@")
    if at and run is None and find_step(root, text.split(".", maxsplit=1)[0]) is not None:
        return find(root, text, find_run(root, of_run))
    step = find_step(root, name, run)
    if step is not None:
        return step
    output = _output(root, name, run)
    if output is not None:
        return output
    if run is None and is_part_of_run(root, name):
        return find_run(root, name)
    raise something_like(root, name)


def pictured(names: Sequence[str], run: str | None, root: str | None) -> list[Shown]:
    """Return the artifacts that names stand for, each once: those that a step or a run put out, or on disk alone.

    Raises:
        NotFound: A name stands for nothing, or for an artifact whose files are gone.
        ParameterError: A name stands for nothing that can be pictured.
    """
    found = [each for name in names for each in _of_name(name, run, root)]
    return _labelled(list({each.shown.path: each for each in found}.values()))


def on_disk(name: str) -> Shown | None:
    """Return the statistics, anomalies or schema at a path that lies in no root; None for all else."""
    type_name = type_of_path(name) if os.path.exists(name) and root_of(name) is None else None
    return Shown(type_name, os.path.abspath(name), reference=name) if type_name is not None else None


def shown_of(root: Root, artifact: ArtifactRecord) -> Shown:
    """Return a recorded artifact with those that it was made from."""
    maker = root.store.execution(artifact.execution) if artifact.execution else None
    inputs = maker.inputs if maker is not None else {}
    first = sorted(inputs, key=lambda name: name not in ("statistics", "schema"))
    origins = [(name, each) for name in first for each in inputs[name] if each.type in CONTENTS]
    steps = [each.step for _, each in origins]
    made_from = [
        Shown(
            each.type,
            root.layout.absolute(each.uri),
            each.step if each.step and steps.count(each.step) == 1 else name.replace("_", " "),
            str(each.id),
        )
        for name, each in origins
    ]
    kept = tuple(each for each in made_from if os.path.exists(each.path))
    return Shown(artifact.type, root.layout.absolute(artifact.uri), reference=str(artifact.id), made_from=kept)


def outputs_with_pictures(step: ExecutionRecord) -> list[ArtifactRecord]:
    """Return what a step put out that can be pictured."""
    return [each for made in step.outputs.values() for each in made if each.type in CONTENTS]


def _output(root: Root, name: str, run: RunRecord | None) -> ArtifactRecord | None:
    """Return the artifact of STEP.OUTPUT; None where there is no such step.

    Raises:
        NotFound: The step has no such output, or several artifacts in it.
    """
    step_name, dot, output = name.rpartition(".")
    step = find_step(root, step_name, run) if dot else None
    if step is None:
        return None
    made = step.outputs.get(output, ())
    if len(made) == 1:
        return made[0]
    if made:
        ids = listing(str(each.id) for each in made)
        raise NotFound(f"{name!r} holds {len(made)} artifacts: {ids}. Name one by its id.")
    raise NotFound(
        f"Step {step_name!r} ({step.state}) put out no {output!r}.{nearest(output, step.outputs)} "
        f"It put out: {listing(step.outputs)}."
    )


def _of_name(name: str, run: str | None, root: str | None) -> list[Named]:
    alone = on_disk(name)
    if alone is not None:
        return [Named(alone)]
    with open_root(root or root_of(name)) as opened:
        found = find(opened, name, find_run(opened, run) if run else None)
        records = _records(opened, found)
        drawn = [Named(shown_of(opened, each), each) for each in records if each.type in CONTENTS]
        if not drawn:
            types = listing(sorted({each.type for each in records})) if records else "nothing"
            raise ParameterError(
                f"{name!r} has no picture: it holds {types}. Pictured are: {listing(CONTENTS)}. "
                f"See what is recorded of it: penstock show {name}{opened.option}"
            )
        for each in drawn:
            if not os.path.exists(each.shown.path):
                raise NotFound(
                    f"The files of {each.shown.type} {each.shown.reference} are gone: there is no {each.shown.path}. "
                    f"Make them again: run the pipeline, its other steps are reused."
                )
        return drawn


def _records(root: Root, found: Found) -> list[ArtifactRecord]:
    if isinstance(found, ArtifactRecord):
        return [found]
    steps = root.store.executions(found.id) if isinstance(found, RunRecord) else [found]
    return [each for step in steps for made in step.outputs.values() for each in made]


def _labelled(found: Sequence[Named]) -> list[Shown]:
    """Return the artifacts, those of one type with labels by the first fact in which they differ."""
    labels: dict[int, str] = {}
    for type_name in CONTENTS:
        own = [each for each in found if each.shown.type == type_name]
        told = [[fact(each.record) if each.record else each.shown.reference for each in own] for fact in _FACTS]
        distinct = [texts for texts in told if len(set(texts)) == len(own) and all(texts)]
        labels |= {id(each): text for each, text in zip(own, distinct[0] if distinct else told[-1], strict=True)}
    return [replace(each.shown, label=labels[id(each)]) for each in found]


def _step(record: ArtifactRecord) -> str:
    return record.step


def _span(record: ArtifactRecord) -> str:
    return f"span {record.properties['span']}" if "span" in record.properties else ""


def _run(record: ArtifactRecord) -> str:
    return f"run {short_id(record.run)}" if record.run else ""


def _id(record: ArtifactRecord) -> str:
    return str(record.id)


_FACTS: tuple[Callable[[ArtifactRecord], str], ...] = (_step, _span, _run, _id)
