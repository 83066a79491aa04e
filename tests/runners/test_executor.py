"""Task -> Outcome, in this process: every way in which a step can end, and what it is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from penstock.pipeline.task import (
    Outcome,
    Progress,
    Task,
    TaskArtifact,
    TaskBeam,
    TaskFile,
    TaskFiles,
    TaskOutput,
    encode,
    outcome_decoder,
)
from penstock.runners.executor import execute
from tests.runners.conftest import Project

STEPS = """
import enum
import pathlib
from dataclasses import dataclass
from typing import NamedTuple
import numpy as np


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Bound:
    metric: str
    at_least: float


class Scores(NamedTuple):
    accuracy: float
    rows: int


@component
def complete(note: Input[Note], more: Output[Note], *, mark: str) -> Scores:
    put(more, get(note) + mark)
    more.properties["words"] = np.int64(2)
    step.progress(1, 2, loss=np.float32(0.5))
    return Scores(np.float64(0.5), 3)


@component
def parameters(
    out: Output[Note],
    *,
    colour: Colour,
    bounds: list[Bound],
    folder: pathlib.Path,
    files: Files,
    module: ModuleFile,
    beam: Beam,
    secret: Secret,
    nested: dict,
    optional: Input[Note] | None = None,
    many: Input[list[Note]] = (),
) -> None:
    assert colour is Colour.RED
    assert bounds == [Bound("auc", 0.5)]
    assert optional is None and many == []
    lines = [folder, files.base, files.files[0].path, module.function("helper")(), beam.workers, secret.value,
             nested["key"].value]
    put(out, "|".join(map(str, lines)))


@component
def many(notes: Input[list[Note]], out: Output[Note]) -> None:
    put(out, "+".join(get(note) for note in notes))


@component
def withheld(out: Output[Note]) -> None:
    raise Skip("no blessing")


@component(gates="note")
def gate(note: Input[Note], report: Output[Note], broken: Output[Note], empty: Output[Note]) -> None:
    put(report, "what was found")
    put(broken, "x")
    broken.properties["bad"] = object()
    raise GateFailed("2 anomalies")


@component
def fails(out: Output[Note]) -> None:
    put(out, "half")
    helper()


def helper():
    raise ValueError("no such column")


@component
def fails_with_cause(out: Output[Note]) -> None:
    try:
        helper()
    except ValueError as error:
        raise DataError("The data has no column 'x'.") from error


@component
def exits(out: Output[Note]) -> None:
    raise SystemExit(3)


@component
def empty(out: Output[Note]) -> None:
    pass


@component
def wrong_type() -> int:
    return "three"


@component
def wrong_named() -> Scores:
    return {"accuracy": 1.0}


@component
def not_a_number() -> float:
    return float("nan")


@component
def unserialisable(out: Output[Note]) -> None:
    put(out)
    out.properties["model"] = object()


@component
def file_output(out: Output[Note]) -> None:
    os.rmdir(out.path)
    with open(out.path, "w") as file:
        file.write("a file itself")


@component
def writes_to_a_folder(out: Output[Note]) -> None:
    open(out.path, "w")


@component
def tells_a_secret(*, token: Secret) -> None:
    raise RuntimeError(f"can't log in with {token.value}")


@component
def returns_a_secret(*, token: Secret) -> dict[str, list[str]]:
    return {"headers": [f"Bearer {token.value}"]}


@component
def returns_a_secret_as_number(*, token: Secret) -> int:
    return int(token.value)


@component
def reports_a_secret(*, token: Secret) -> None:
    step.progress(1, 2, login=[f"me:{token.value}"], loss=0.5)


@component
def returns_a_length(*, token: Secret) -> str:
    return f"a token of {len(token.value)} characters"


@component
def keeps_a_secret(out: Output[Note], *, token: Secret) -> None:
    put(out)
    out.properties["login"] = f"me:{token.value}"


@component
def tells_odd_text() -> None:
    raise RuntimeError(os.fsdecode(b"caf\\xe9"))


@component
def counts(*, epochs: int) -> int:
    return epochs


@component
def invalid(out: Output["Checked"]) -> None:
    put(out, "wrong")


class Checked(Artifact):
    DIGEST = "steps:check"


def check(path):
    raise ValueError("the first line is no header")


def precondition(note, mark):
    if mark == "bad":
        raise DataError("mark 'bad' is not in the note")


not_a_component = 3
"""
OUTPUTS = {
    "complete": ["more", "accuracy", "rows"],
    "gate": ["report", "broken", "empty"],
    "wrong_type": ["value"],
    "wrong_named": ["accuracy", "rows"],
    "not_a_number": ["value"],
    "counts": ["value"],
    "tells_a_secret": [],
    "returns_a_secret": ["value"],
    "returns_a_secret_as_number": ["value"],
    "returns_a_length": ["value"],
    "reports_a_secret": [],
    "tells_odd_text": [],
}


@pytest.fixture
def steps(project: Project) -> Project:
    project.write(STEPS)
    project.forget()
    return project


def task(project: Project, name: str, **changes: Any) -> Task:
    staging = project.root / ".staging" / "RUN" / "EXE-1"
    staging.mkdir(parents=True)
    digests = {"invalid": "steps:check"}
    outputs = {
        each: TaskOutput(
            path=str(staging / each),
            uri=str(project.root / "artifacts" / each),
            type="Note",
            digest=digests.get(name, "penstock.data.files:digest_tree"),
        )
        for each in OUTPUTS.get(name, ["out"])
    }
    given = {"component": f"steps:{name}", "outputs": outputs, **changes}
    return Task(
        run="RUN",
        pipeline="p",
        step=name,
        execution="EXE",
        attempt=1,
        staging=str(staging),
        code_root=str(project.folder),
        log="",
        seed=1,
        **given,
    )


def note(project: Project, text: str = "in") -> TaskArtifact:
    folder = project.root / f"note-{text}"
    folder.mkdir(parents=True)
    (folder / "note.txt").write_text(text)
    return TaskArtifact(type="Note", path=str(folder), uri=str(folder), id=7, properties={"words": 1})


def run(task: Task, said: list[Progress] | None = None) -> Outcome:
    outcome = execute(task, (said if said is not None else []).append)
    assert outcome_decoder.decode(encode(outcome)) == outcome  # it crosses the wire whole
    return outcome


def written(outcome_task: Task, name: str) -> str:
    return Path(outcome_task.outputs[name].path, "note.txt").read_text()


def test_complete_step_has_digests_properties_values_and_progress(steps: Project) -> None:
    said: list[Progress] = []
    made = task(steps, "complete", inputs={"note": (note(steps),)}, parameters={"mark": "!"})

    outcome = run(made, said)

    assert (outcome.state, outcome.failure, outcome.reason) == ("COMPLETE", None, "")
    assert outcome.values == {"accuracy": 0.5, "rows": 3}
    assert written(made, "more") == "in!"
    info = outcome.outputs["more"]
    assert (info.properties, info.files, info.bytes) == ({"words": 2}, 1, 3)
    assert info.digest.startswith("tree-1:")
    assert outcome.outputs["rows"].properties == {"value": 3}
    assert said == [Progress(execution="EXE", done=1, total=2, metrics={"loss": 0.5})]
    assert outcome.facts.wall > 0
    assert outcome.facts.worker == os.getpid()


def test_parameters_of_every_kind_arrive(steps: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    steps.write("def helper():\n    return 'helped'\n", "sub/module.py", header=False)
    made = task(
        steps,
        "parameters",
        parameters={
            "colour": "red",
            "bounds": [{"metric": "auc", "at_least": 0.5}],
            "folder": "sub",
            "secret": {"$secret": "TOKEN"},
            "nested": {"key": {"$secret": "TOKEN"}},
        },
        files={"files": TaskFiles(base="/d", files=(TaskFile(path="/d/a", name="a", size=1, sha256="x"),))},
        modules={"module": "sub/module.py"},
        beam=TaskBeam(parameter="beam", profile="direct", runner="FnApiRunner", workers=3),
    )

    outcome = run(made)

    assert outcome.state == "COMPLETE", outcome
    assert written(made, "out") == f"{steps.folder}/sub|/d|/d/a|helped|3|s3cret|s3cret"


def test_list_input_keeps_its_order(steps: Project) -> None:
    made = task(steps, "many", inputs={"notes": (note(steps, "b"), note(steps, "a"))})

    run(made)

    assert written(made, "out") == "b+a"


def test_skip_is_no_failure(steps: Project) -> None:
    outcome = run(task(steps, "withheld"))

    assert (outcome.state, outcome.reason, outcome.failure) == ("SKIPPED", "no blessing", None)
    assert outcome.outputs == {}


def test_refusing_gate_keeps_what_is_whole(steps: Project) -> None:
    outcome = run(task(steps, "gate", inputs={"note": (note(steps),)}))

    assert outcome.state == "FAILED"
    assert outcome.reason == "2 anomalies"
    assert outcome.failure is not None
    assert (outcome.failure.gate, outcome.failure.fault) == (True, "data")
    assert outcome.outputs.keys() == {"report"}


FAILURES: dict[str, tuple[str, str, str, str]] = {
    "fails": ("ValueError", "no such column", "user code", "raise ValueError(\"no such"),
    "fails_with_cause": ("DataError", "The data has no column 'x'.", "data", "raise ValueError(\"no such"),
    "exits": ("SystemExit", "3", "user code", "raise SystemExit"),
    "empty": ("UserCodeError", "empty left its output 'out' empty. Write files into out.path, a folder made for it.",
              "user code", ""),
    "wrong_type": ("UserCodeError", "wrong_type() declares that it returns value: int, and returned 'three' "
                   "(Expected `int`, got `str`).", "user code", ""),
    "wrong_named": ("UserCodeError", "wrong_named() declares that it returns a NamedTuple of accuracy, rows, "
                    "and returned {'accuracy': 1.0}.", "user code", ""),
    "not_a_number": ("UserCodeError", "not_a_number() declares that it returns value: float, and returned nan "
                     "(Out of range float values are not JSON compliant).", "user code", ""),
    "unserialisable": ("UserCodeError", "unserialisable sets out.properties to what JSON can't carry: a value of type "
                       "builtins.object, which has no JSON form. Use numbers, text, lists and dicts.", "user code", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_failure_says_what_where_and_whose(name: str, steps: Project) -> None:
    kind, message, fault, where = FAILURES[name]

    outcome = run(task(steps, name))

    failure = outcome.failure
    assert failure is not None
    assert (outcome.state, failure.type, failure.message, failure.fault) == ("FAILED", kind, message, fault)
    assert failure.where == (place(steps, where) if where else "")
    assert outcome.reason == f"{kind}: {message}"
    assert outcome.outputs == {}
    assert "Traceback (most recent call last)" in failure.traceback


def place(project: Project, statement: str) -> str:
    """Return "steps.py:41" of the line that holds a statement."""
    lines = (project.folder / "steps.py").read_text().splitlines()
    return f"steps.py:{next(number for number, line in enumerate(lines, 1) if statement in line)}"


def test_users_frames_stand_in_the_traceback(steps: Project) -> None:
    outcome = run(task(steps, "fails_with_cause"))

    assert outcome.failure is not None
    assert "ValueError: no such column" in outcome.failure.traceback
    assert "in helper" in outcome.failure.traceback


def test_output_may_be_a_file(steps: Project) -> None:
    outcome = run(task(steps, "file_output"))

    assert outcome.state == "COMPLETE"
    assert (outcome.outputs["out"].bytes, outcome.outputs["out"].files) == (13, 1)


def test_writing_to_the_folder_itself_is_explained(steps: Project) -> None:
    failure = run(task(steps, "writes_to_a_folder")).failure

    assert failure is not None
    assert failure.message.endswith("An output's path is a folder made for it: write files inside")


def test_secret_is_masked_in_what_is_recorded(steps: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")

    outcome = run(task(steps, "tells_a_secret", parameters={"token": {"$secret": "TOKEN"}}))

    assert outcome.reason == "RuntimeError: can't log in with ***"
    assert b"s3cret" not in encode(outcome)


REFUSED_SECRET = (
    "which holds the value of Secret('TOKEN'): it would be recorded in clear, in the metadata store and beside it. "
    "Hand on what isn't secret; a step that needs the secret takes Secret('TOKEN') itself."
)


@pytest.mark.parametrize(
    ("name", "secret", "does"),
    [
        ("returns_a_secret", "h4nter22", "returns 'value'"),
        ("returns_a_secret", "h4nter22\n", "returns 'value'"),
        ("returns_a_secret_as_number", "20261120", "returns 'value'"),
        ("keeps_a_secret", "h4nter22", "sets out.properties['login']"),
    ],
)
def test_secret_that_is_handed_on_is_refused(
    steps: Project, monkeypatch: pytest.MonkeyPatch, name: str, secret: str, does: str
) -> None:
    monkeypatch.setenv("TOKEN", secret)

    outcome = run(task(steps, name, parameters={"token": {"$secret": "TOKEN"}}))

    assert outcome.failure is not None
    assert (outcome.failure.message, outcome.failure.fault) == (f"{name} {does}, {REFUSED_SECRET}", "user code")
    assert secret.strip().encode() not in encode(outcome)


def test_secret_is_masked_in_progress(steps: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "h4nter22")
    said: list[Progress] = []

    run(task(steps, "reports_a_secret", parameters={"token": {"$secret": "TOKEN"}}), said)

    assert [(each.done, each.metrics) for each in said] == [(1, {"login": ["me:***"], "loss": 0.5})]


@pytest.mark.parametrize("secret", ["h4nter22", "to", ""])
def test_value_without_the_secret_is_kept_though_a_short_one_stands_in_it_by_chance(
    steps: Project, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("TOKEN", secret)

    outcome = run(task(steps, "returns_a_length", parameters={"token": {"$secret": "TOKEN"}}))

    assert (outcome.state, outcome.values) == ("COMPLETE", {"value": f"a token of {len(secret)} characters"})


def test_secret_that_is_not_set_is_told(steps: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)

    outcome = run(task(steps, "tells_a_secret", parameters={"token": {"$secret": "TOKEN"}}))

    assert outcome.failure is not None
    assert outcome.failure.message == (
        "Secret('TOKEN') needs the environment variable TOKEN, and it isn't set here. "
        "Set it where the pipeline is started."
    )


def test_text_that_is_no_utf8_is_recorded_escaped(steps: Project) -> None:
    assert run(task(steps, "tells_odd_text")).reason == "RuntimeError: caf\\udce9"


def test_value_of_another_type_is_the_authors_fault(steps: Project) -> None:
    failure = run(task(steps, "counts", parameters={"epochs": "ten"})).failure

    assert failure is not None
    assert failure.message == "counts(epochs=...) takes int, got 'ten': Expected `int`, got `str`"
    assert failure.fault == "pipeline author"


def test_invalid_output_is_told_with_its_type(steps: Project) -> None:
    failure = run(task(steps, "invalid")).failure

    assert failure is not None
    assert failure.message.endswith("is no valid Note: the first line is no header")


def test_precondition_is_asked_before_the_function(steps: Project) -> None:
    given = {"inputs": {"note": (note(steps),)}, "precondition": "steps:precondition"}
    made = task(steps, "complete", parameters={"mark": "bad"}, **given)

    failure = run(made).failure

    assert failure is not None
    assert (failure.type, failure.fault) == ("DataError", "data")
    assert os.listdir(made.outputs["more"].path) == []


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("steps:gone", "Module 'steps' has no 'gone'. Was the file changed while the pipeline runs?"),
        ("steps:not_a_component", "steps:not_a_component is a int, no @component function."),
        ("broken:x", "broken.py:1: '(' was never closed. The module file can't be imported."),
        ("failing:x", "Module file failing.py failed at import: ZeroDivisionError: division by zero"),
    ],
)
def test_component_that_can_not_be_loaded_is_told(component: str, message: str, steps: Project) -> None:
    steps.write("x = (", "broken.py", header=False)
    steps.write("x = 1 / 0", "failing.py", header=False)

    outcome = run(task(steps, "loaded", component=component))

    assert outcome.failure is not None
    assert (outcome.failure.message, outcome.failure.fault) == (message, "user code")


def test_importer_digests_where_the_artifact_lies(steps: Project) -> None:
    lies = note(steps, "outside")
    output = TaskOutput(path=lies.path, uri=lies.path, type="Note", digest="penstock.data.files:digest_tree")

    outcome = run(task(steps, "importer", component="", outputs={"result": output}, parameters={"words": 1}))

    info = outcome.outputs["result"]
    assert (info.uri, info.properties, info.files) == (lies.path, {"words": 1}, 1)
    assert os.listdir(lies.path) == ["note.txt"]
