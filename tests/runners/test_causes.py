"""Why a step ran: the nearest earlier execution, the diff, and what happened upstream."""

from __future__ import annotations

from penstock.metadata.store import MlmdStore
from penstock.runners.causes import Why, why
from tests.runners.conftest import Project

READING = """
@component
def read(note: Output[Note], *, source: Files, upper: bool = False) -> None:
    text = "".join(open(file.path).read() for file in source.files)
    put(note, text.upper() if upper else text)


@pipeline
def wired(upper: bool = False):
    follow(note=read(source="data", upper=upper).note)
"""


def explained(project: Project, run: str, step: str) -> Why:
    with MlmdStore.open(project.layout.database, create=False) as store:
        found = next(each for each in store.executions(run) if each.step == step)
        return why(store, project.layout, found)


def reading(project: Project) -> None:
    (project.folder / "data").mkdir(exist_ok=True)
    (project.folder / "data" / "a.txt").write_text("a")
    (project.folder / "data" / "b.txt").write_text("b")
    project.write(READING)


def test_first_execution_has_no_causes(project: Project) -> None:
    reading(project)

    told = explained(project, project.run().id, "read")

    assert told.causes is None
    assert told.reason == "no earlier result"


def test_reused_step_is_told_from_where(project: Project) -> None:
    reading(project)
    first = project.run()

    told = explained(project, project.run().id, "follow")

    assert told.causes is None
    assert told.reason == f"unchanged since run {first.id}"


def test_changed_source_file_is_followed_to_its_name(project: Project) -> None:
    reading(project)
    first = project.run()
    (project.folder / "data" / "b.txt").write_text("c")
    (project.folder / "data" / "d.txt").write_text("d")

    told = explained(project, project.run().id, "follow")

    assert told.causes is not None
    assert told.causes.before.run == first.id
    assert [each.ingredient for each in told.causes.differences] == ["input:note"]
    (note,) = told.causes.inputs
    assert note.causes is not None
    assert note.causes.now.step == "read"
    (source,) = note.causes.inputs
    assert [(file.name, bool(file.before), bool(file.now)) for file in source.files] == [
        ("b.txt", True, True),
        ("d.txt", False, True),
    ]


def test_changed_parameter_upstream_is_followed(project: Project) -> None:
    reading(project)
    project.run()

    told = explained(project, project.run(upper=True).id, "follow")

    assert told.causes is not None
    upstream = told.causes.inputs[0].causes
    assert upstream is not None
    assert [(each.ingredient, each.before, each.now) for each in upstream.differences] == [
        ("parameter:upper", False, True)
    ]


def test_changed_function_is_shown_as_a_diff(project: Project) -> None:
    reading(project)
    project.run()
    project.write(READING.replace("text.upper()", "text.lower()"))

    told = explained(project, project.run().id, "read")

    assert told.causes is not None
    (code,) = told.causes.differences
    assert code.ingredient == "code:steps:read"
    changed = [line for line in code.diff.splitlines() if line[0] in "+-"]
    assert changed[:2] == ["--- steps:read (before)", "+++ steps:read (now)"]
    assert [("upper()" in line, "lower()" in line) for line in changed[2:]] == [(True, False), (False, True)]


def test_nearest_is_the_one_with_the_fewest_differences(project: Project) -> None:
    project.write(
        """
        @pipeline
        def wired(text: str = "a", rate: float = 1.0):
            make(text=text, rate=rate)
        """
    )
    near = project.run(text="a", rate=1.0)
    project.run(text="b", rate=2.0)

    told = explained(project, project.run(text="a", rate=3.0).id, "make")

    assert told.causes is not None
    assert told.causes.before.run == near.id
    assert [each.ingredient for each in told.causes.differences] == ["parameter:rate"]


def test_failed_execution_is_explained_too(project: Project) -> None:
    project.write(
        """
        @component
        def fail(note: Output[Note], *, wrong: bool) -> None:
            put(note)
            if wrong:
                raise ValueError("wrong")

        @pipeline
        def wired(wrong: bool = False):
            fail(wrong=wrong)
        """
    )
    project.run()

    told = explained(project, project.run(wrong=True).id, "fail")

    assert told.execution.state == "FAILED"
    assert told.causes is not None
    assert [str(each) for each in told.causes.differences] == ["parameter wrong changed from false to true"]


def test_step_that_makes_something_else_of_the_same_is_named(project: Project) -> None:
    project.write(
        """
        @component
        def draw(note: Output[Note]) -> None:
            put(note, os.urandom(8).hex())

        @pipeline
        def wired():
            follow(note=draw(cache=False).note)
        """
    )
    project.run()

    told = explained(project, project.run().id, "follow")

    assert told.causes is not None
    (note,) = told.causes.inputs
    assert note.note == "draw made something else of the same ingredients: it isn't deterministic"
