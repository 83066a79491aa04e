"""Loops in whole runs: a step once per item, fan-in in the items' order, each item cached and recorded by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from penstock.metadata.store import MlmdStore
from penstock.pipeline import ParameterError
from penstock.pipeline.runner import Selection
from tests.runners.conftest import Project, Recorder

STEPS = """
from typing import Any
from penstock.pipeline import (
    Retry, collect, for_each, on_exit, one_of, otherwise, run_status, when
)


@component
def train(model: Output[Note], *, rate: float, data: Input[Note] | None = None) -> float:
    put(model, f"m{rate}")
    if rate < 0:
        raise ValueError("a negative rate")
    return 10 * rate


@component
def pick(models: Input[list[Note]], best: Output[Note], *, scores: list[float]) -> int:
    put(best, " ".join(get(model) for model in models) + f" of {scores}")
    return len(models)


@component
def rates_of(note: Input[Note]) -> list[float]:
    return [float(text) for text in get(note).split()]


@component
def echo(out: Output[Note], *, text: str = "", settings: dict[str, Any] | None = None) -> None:
    put(out, f"{text} {settings}")


@component
def gather(notes: Input[list[Note]], out: Output[Note]) -> None:
    put(out, "+".join(get(note) for note in notes))


"""
SWEEP = (
    STEPS
    + """
@pipeline
def wired(rates: list[float] = [0.1, 0.2, 0.3]):
    data = make()
    with for_each(rates) as rate:
        trained = train(rate=rate, data=data.note)
    pick(models=collect(trained.model), scores=collect(trained.value))
"""
)


def ran(project: Project, run: str) -> dict[str, str]:
    return {name: each.state for name, each in project.executions(run).items()}


def test_a_step_runs_once_per_item_and_fan_in_keeps_the_items_order(project: Project) -> None:
    project.write(SWEEP)
    recorder = Recorder()

    result = project.run(observers=(recorder,))

    assert result.state == "COMPLETE"
    assert sorted(result.steps) == ["for_each-1", "make", "pick", "train[0]", "train[1]", "train[2]"]
    assert project.text(result, "pick", "best") == "m0.1 m0.2 m0.3 of [1.0, 2.0, 3.0]"
    assert result["train[1]"].values == {"value": 2.0}
    assert result["for_each-1"].reason == "3 items"
    (told,) = recorder.of("loop_expanded")
    assert (told["step"], told["items"]) == ("for_each-1", ["0.1", "0.2", "0.3"])
    assert [each["id"] for each in told["steps"]] == ["train[0]", "train[1]", "train[2]"]
    project.assert_clean()


def test_loop_is_recorded_with_its_items_and_lineage_leads_through_it(project: Project) -> None:
    project.write(SWEEP)

    result = project.run()

    records = project.executions(result.id)
    assert records["for_each-1"].facts["items"] == ["0.1", "0.2", "0.3"]
    assert [each.step for each in records["pick"].inputs["models"]] == ["train[0]", "train[1]", "train[2]"]
    with MlmdStore.open(project.layout.database, create=False) as store:
        graph = store.lineage([result["pick"].best.id])
    assert {each.step for each in graph.executions.values()} == {"make", "pick", "train[0]", "train[1]", "train[2]"}


def test_no_path_of_an_iteration_holds_a_character_of_globs(project: Project) -> None:
    project.write(SWEEP)

    result = project.run()

    paths = [result["train[1]"].model.path, result["train[1]"].log]
    assert [path for path in paths if "[" in path] == []
    assert "train.1" in paths[0]


def test_an_item_that_is_added_runs_alone(project: Project) -> None:
    project.write(SWEEP)
    project.run()

    result = project.run(rates=[0.1, 0.5, 0.2, 0.3])

    assert project.states(result) == {
        "make": "CACHED", "for_each-1": "COMPLETE", "train[0]": "CACHED", "train[1]": "COMPLETE",
        "train[2]": "CACHED", "train[3]": "CACHED", "pick": "COMPLETE",
    }  # fmt: skip
    assert project.executions(result.id)["train[1]"].reason == "parameter rate changed from 0.2 to 0.5"


def test_an_unchanged_loop_is_cached_whole(project: Project) -> None:
    project.write(SWEEP)
    project.run()

    result = project.run()

    ran_again = [name for name, state in project.states(result).items() if state == "COMPLETE"]
    assert ran_again == ["for_each-1"]


def test_number_of_items_may_be_known_with_the_run_only(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired(text: str = "0.5 0.25"):
    rates = rates_of(note=make(text=text).note)
    with for_each(rates.value) as rate:
        trained = train(rate=rate)
    pick(models=collect(trained.model), scores=collect(trained.value))
"""
    )

    first, second = project.run(), project.run(text="0.25")
    (listed,) = project.executions(first.id)["for_each-1"].inputs["items"]

    assert listed.step == "rates_of"
    assert project.text(first, "pick", "best") == "m0.5 m0.25 of [5.0, 2.5]"
    assert project.text(second, "pick", "best") == "m0.25 of [2.5]"
    assert second["train[0]"].state == "CACHED"


def test_fan_in_of_an_empty_list_is_an_empty_list(project: Project) -> None:
    project.write(SWEEP)

    result = project.run(rates=[])

    assert result.state == "COMPLETE"
    assert result["for_each-1"].reason == "the list is empty"
    assert project.text(result, "pick", "best") == " of []"


def test_a_failed_item_lets_the_others_finish_and_skips_the_fan_in(project: Project) -> None:
    project.write(SWEEP)

    result = project.run(rates=[0.1, -1.0, 0.3])

    assert project.states(result) == {
        "make": "COMPLETE", "for_each-1": "COMPLETE", "train[0]": "COMPLETE", "train[1]": "FAILED",
        "train[2]": "COMPLETE", "pick": "SKIPPED",
    }  # fmt: skip
    assert result["pick"].reason == "train[1] failed"


def test_parts_of_items_go_into_parameters_texts_and_nested_values(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired(name: str = "x"):
    with for_each([{"rate": 0.5, "tags": ["a", "b"]}, {"rate": 1, "tags": ["c"]}]) as item:
        train(rate=item.rate)
        echo(text=f"{name}-{item.rate}-{item.tags[0]}", settings={"all": item, "tag": [item["tags"]]})
"""
    )

    result = project.run()

    assert project.text(result, "echo[0]", "out") == (
        "x-0.5-a {'all': {'rate': 0.5, 'tags': ['a', 'b']}, 'tag': [['a', 'b']]}"
    )
    assert project.text(result, "train[1]", "model") == "m1.0"


def test_item_without_the_part_that_a_step_takes_fails_the_loop(project: Project) -> None:
    project.write(
        STEPS
        + """
@component
def settings() -> list[dict[str, Any]]:
    return [{"rate": 1.0}, {"rat": 2.0}]


@pipeline
def wired():
    with for_each(settings().value) as item:
        trained = train(rate=item.rate)
    gather(notes=collect(trained.model))
"""
    )

    result = project.run()

    assert result["for_each-1"].state == "FAILED"
    assert result["for_each-1"].reason == (
        "Item 1 of loop 'for_each-1', {'rat': 2.0}, has no 'rate'. Did you mean 'rat'? It has: rat."
    )
    assert result["gather"].reason == "for_each-1 failed"


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ('{"a": 1}', "Loop 'for_each-1' takes a list, got {'a': 1}."),
        (
            "list(range(1001))",
            "Loop 'for_each-1' has 1,001 items and takes at most 1,000. "
            "If so many are meant, write for_each(..., at_most=1001).",
        ),
    ],
)
def test_what_can_not_be_looped_over_fails_the_loop(project: Project, returned: str, told: str) -> None:
    project.write(
        STEPS
        + f"""
@component
def anything() -> Any:
    return {returned}


@pipeline
def wired():
    with for_each(anything().value) as item:
        echo(settings=item)
"""
    )

    result = project.run()

    assert (result["for_each-1"].state, result["for_each-1"].reason) == ("FAILED", told)


def test_loops_nest(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with for_each(["a", "b"]) as name:
        with for_each([1, 2]) as number:
            made = make(text=f"{name}{number}")
        row = gather(notes=collect(made.note))
    gather(notes=collect(row.out), id="rows")
    gather(notes=collect(made.note), id="all")
"""
    )

    result = project.run()

    assert project.text(result, "gather[1]", "out") == "b1+b2"
    assert project.text(result, "rows", "out") == "a1+a2+b1+b2"
    assert project.text(result, "all", "out") == "a1+a2+b1+b2"
    assert "make[1][0]" in result.steps
    project.assert_clean()


def test_inner_loop_may_run_over_a_part_of_the_outer_item(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with for_each([{"name": "a", "numbers": [1, 2]}, {"name": "b", "numbers": []}]) as item:
        with for_each(item.numbers) as number:
            made = make(text=f"{item.name}{number}")
    gather(notes=collect(made.note))
"""
    )

    result = project.run()

    assert project.text(result, "gather", "out") == "a1+a2"
    assert result["for_each-2[1]"].reason == "the list is empty"


def test_condition_inside_a_loop_leaves_items_out_of_the_fan_in(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with for_each([0.1, 0.9, 0.5]) as rate:
        trained = train(rate=rate)
        with when(trained.value.value > 4):
            good = follow(note=trained.model, mark="!")
        with otherwise():
            bad = follow(note=trained.model, mark="?", id="bad")
        one = one_of(good.more, bad.more)
    gather(notes=collect(good.more))
    gather(notes=collect(one), id="all")
"""
    )

    result = project.run()

    assert result.state == "COMPLETE"
    assert project.text(result, "gather", "out") == "m0.9!+m0.5!"
    assert project.text(result, "all", "out") == "m0.1?+m0.9!+m0.5!"
    assert result["follow[0]"].state == "SKIPPED"


def test_condition_may_ask_for_the_item(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with for_each([{"n": 1}, {"n": 2}]) as item:
        with when(item.n.value > 1):
            make()
"""
    )

    result = project.run()

    assert (result["make[0]"].state, result["make[1]"].state) == ("SKIPPED", "COMPLETE")
    assert result["make[0]"].reason == "1 > 1 does not hold"


@pytest.mark.parametrize(("least", "state"), [(0.0, "COMPLETE"), (5.0, "SKIPPED")])
def test_loop_under_a_condition_runs_or_is_skipped_whole(project: Project, least: float, state: str) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired(least: float):
    first = train(rate=0.1, id="first")
    with when(first.value.value > least.value):
        with for_each([1, 2]) as rate:
            trained = train(rate=rate)
    gather(notes=collect(trained.model))
"""
    )
    result = project.run(least=least)

    assert result.state == "COMPLETE"
    assert result["for_each-1"].state == result["gather"].state == state
    assert ("train[0]" in result.steps) is (state == "COMPLETE")


def test_pipeline_inside_a_loop_runs_for_each_item(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def inner(text: str):
    return follow(note=make(text=text).note).more


@pipeline
def wired():
    with for_each(["a", "b"]) as text:
        made = inner(text=text)
    gather(notes=collect(made))
"""
    )

    result = project.run()

    assert "inner.make[1]" in result.steps
    assert project.text(result, "gather", "out") == "a.+b."


def test_loop_over_artifacts_hands_each_to_the_body(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with for_each([make(text="a b", id="one").note, make(text="c", id="two").note]) as note:
        followed = follow(note=note)
        with when(note.properties["words"] == 2):
            twice = follow(note=followed.more, id="twice")
    with for_each(collect(followed.more)) as more:
        last = follow(note=more, mark="!", id="last")
    gather(notes=collect(last.more))
"""
    )

    result = project.run()

    assert project.text(result, "gather", "out") == "a b.!+c.!"
    assert (result["twice[0]"].state, result["twice[1]"].state) == ("COMPLETE", "SKIPPED")
    assert [each.step for each in project.executions(result.id)["for_each-1"].inputs["items"]] == ["one", "two"]


def test_order_without_data_waits_for_every_item(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    with for_each([0.1, -0.2]) as rate:
        trained = train(rate=rate)
    make(after=[trained])
"""
    )

    result = project.run()

    assert result["make"].reason == "train[1] failed"


def test_retries_and_timeouts_hold_for_each_item(project: Project, tmp_path: Path) -> None:
    project.write(
        STEPS
        + """
@component
def shaky(*, name: str, folder: str) -> None:
    tries = os.path.join(folder, name)
    with open(tries, "a") as file:
        file.write("x")
    if name == "b" and os.path.getsize(tries) == 1:
        raise ConnectionError("later")
    if name == "c":
        time.sleep(60)


@pipeline
def wired(folder: str):
    with for_each(["a", "b", "c"]) as name:
        shaky(name=name, folder=folder, retries=Retry(1, delay=0.01), timeout=2)
"""
    )

    result = project.run(folder=str(tmp_path))

    assert [result[f"shaky[{number}]"].state for number in range(3)] == ["COMPLETE", "COMPLETE", "FAILED"]
    assert (tmp_path / "b").read_text() == "xx"
    assert "timed out after 2 s" in result["shaky[2]"].reason


def test_exit_handler_waits_for_loops_and_hears_of_failed_items(project: Project, tmp_path: Path) -> None:
    project.write(
        STEPS
        + """
@component
def tell(*, place: str, failed: list[str]) -> None:
    with open(place, "w") as file:
        file.write(f"{failed}")


@pipeline
def wired(place: str):
    with for_each([0.1, -0.2]) as rate:
        train(rate=rate)
    on_exit(tell(place=place, failed=run_status.failed))
"""
    )

    project.run(place=str(tmp_path / "told"))

    assert (tmp_path / "told").read_text() == "['train[1]']"


def test_parallelism_bounds_how_many_items_are_under_way(project: Project, tmp_path: Path) -> None:
    project.write(
        STEPS
        + """
@component
def busy(*, folder: str, name: str) -> int:
    mine = os.path.join(folder, name)
    open(mine, "w").close()
    time.sleep(0.1)
    seen = len(os.listdir(folder))
    os.unlink(mine)
    return seen


@component
def most(seen: list[int]) -> int:
    return max(seen)


@pipeline
def wired(folder: str):
    with for_each(["a", "b", "c", "d"], parallelism=1) as name:
        first = busy(folder=folder, name=name)
        second = busy(folder=folder, name=name, after=[first], id="again")
    most(seen=collect(first.value))
"""
    )
    folder = tmp_path / "under_way"
    folder.mkdir()

    result = project.run(folder=str(folder), workers=4)

    assert result["most"].values == {"value": 1}


def test_refresh_of_a_looped_step_is_all_items_or_one(project: Project) -> None:
    project.write(SWEEP)
    project.run()

    every = project.run(refresh=("train",))
    one = project.run(refresh=("train[1]",))

    assert [every[f"train[{number}]"].state for number in range(3)] == ["COMPLETE"] * 3
    assert [one[f"train[{number}]"].state for number in range(3)] == ["CACHED", "COMPLETE", "CACHED"]


def test_resumed_run_goes_on_in_the_middle_of_a_loop(project: Project) -> None:
    project.write(SWEEP)
    failed = project.run(rates=[0.1, -1.0, 0.3])
    project.write(SWEEP.replace('raise ValueError("a negative rate")', "rate = 0.0"))

    result = project.run(rates=[0.1, -1.0, 0.3], resume=failed.id)

    assert result.state == "COMPLETE"
    assert result["train[1]"].state == "COMPLETE"
    assert result["make"].state == "CACHED"
    project.assert_clean()


def test_selection_of_a_looped_step_is_all_items_or_one(project: Project) -> None:
    project.write(SWEEP)
    project.run()

    only = project.run(selection=Selection(only=("train",)), cache=False)
    one = project.run(selection=Selection(only=("train[1]",)), cache=False)
    first = project.run(selection=Selection(first=("train[1]",)), cache=False)
    skip = project.run(selection=Selection(skip=("train[1]",)), cache=False)

    assert project.states(only) == {
        "make": "CACHED", "for_each-1": "COMPLETE", "train[0]": "COMPLETE", "train[1]": "COMPLETE",
        "train[2]": "COMPLETE", "pick": "SKIPPED",
    }  # fmt: skip
    assert {name: state for name, state in project.states(one).items() if state == "COMPLETE"}.keys() == {
        "for_each-1", "train[1]",
    }  # fmt: skip
    assert project.states(first) == {
        "make": "CACHED", "for_each-1": "COMPLETE", "train[0]": "CACHED", "train[1]": "COMPLETE",
        "train[2]": "CACHED", "pick": "COMPLETE",
    }  # fmt: skip
    assert project.states(skip) == {
        "make": "COMPLETE", "for_each-1": "COMPLETE", "train[0]": "COMPLETE", "train[1]": "CACHED",
        "train[2]": "COMPLETE", "pick": "COMPLETE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            {"refresh": ("train[3]",)},
            "--refresh train[3]: loop 'for_each-1' has no item 3; it has 3, numbered from 0 to 2.",
        ),
        (
            {"refresh": ("make[0]",)},
            "--refresh make[0]: step 'make' is in no loop, so it has no items. Write --refresh make.",
        ),
        (
            {"selection": Selection(only=("trian[0]",))},
            "--only trian[0]: pipeline 'wired' has no step 'trian'. Did you mean 'train'? "
            "It has: make, for_each-1, train, pick.",
        ),
        (
            {"selection": Selection(skip=("train[0][1]",))},
            "--skip train[0][1]: step 'train' is in 1 loop, got 2 numbers.",
        ),
    ],
)
def test_item_that_is_not_there_is_refused(project: Project, request_: dict[str, Any], told: str) -> None:
    project.write(SWEEP)

    with pytest.raises(ParameterError) as raised:
        project.run(**request_)

    assert str(raised.value) == told


EFFECTS = (
    STEPS
    + """
@component(effects=True)
def push(note: Input[Note], *, log: str) -> None:
    with open(log, "a") as file:
        file.write(get(note))


@pipeline
def wired(log: str, least: float = 0.0):
    first = train(rate=0.5)
    with when(first.value.value > least.value):
        good = follow(note=first.model)
        push(note=good.more, log=log)
    with for_each([1, 9]) as bar:
        with when(first.value.value > bar.value):
            push(id="each", note=first.model, log=log)
"""
)


def test_effect_of_a_branch_that_is_not_taken_is_not_withheld(project: Project, tmp_path: Path) -> None:
    project.write(EFFECTS)

    result = project.run(log=str(tmp_path / "log"), least=7.0)

    assert (result["push"].state, result["push"].withheld) == ("SKIPPED", False)
    assert [(result[f"each[{n}]"].state, result[f"each[{n}]"].withheld) for n in (0, 1)] == [
        ("COMPLETE", False), ("SKIPPED", False),
    ]  # fmt: skip


def test_effect_that_a_selection_leaves_out_is_not_withheld(project: Project, tmp_path: Path) -> None:
    project.write(EFFECTS)

    result = project.run(log=str(tmp_path / "log"), selection=Selection(last=("train",)))

    assert [step.id for step in result.steps.values() if step.withheld] == []
    assert result["push"].reason == "left out by --to train"


def test_effect_that_a_failure_keeps_from_happening_is_withheld(project: Project, tmp_path: Path) -> None:
    project.write(EFFECTS.replace("rate=0.5", "rate=-1.0"))

    result = project.run(log=str(tmp_path / "log"), least=7.0)

    assert result["push"].withheld


def test_gate_inside_a_loop_holds_for_its_own_item(project: Project) -> None:
    project.write(
        STEPS
        + """
@component(gates="note")
def inspect(note: Input[Note], report: Output[Note]) -> None:
    put(report, "seen")
    if "bad" in get(note):
        raise GateFailed("bad")


@pipeline
def wired():
    with for_each(["good", "bad"]) as text:
        made = make(text=text)
        inspect(note=made.note)
        followed = follow(note=made.note)
    gather(notes=collect(followed.more))
    gather(notes=collect(made.note), id="ungated", gate=False)
"""
    )

    result = project.run()

    assert [result[f"follow[{number}]"].state for number in (0, 1)] == ["COMPLETE", "SKIPPED"]
    assert result["follow[1]"].reason == "gate inspect[1] refused what it uses"
    assert result["gather"].reason == "follow[1] was skipped"
    assert project.text(result, "ungated", "out") == "good+bad"


def test_list_may_be_joined_with_single_outputs(project: Project) -> None:
    project.write(
        STEPS
        + """
@pipeline
def wired():
    first = make(text="first")
    with for_each(["a", "b"]) as text:
        made = make(text=text, id="more")
    gather(notes=[first.note, collect(made.note), make(text="last", id="last").note])
"""
    )

    result = project.run()

    assert project.text(result, "gather", "out") == "first+a+b+last"


def test_items_name_source_files_and_imported_artifacts(project: Project) -> None:
    project.write(
        STEPS
        + """
@component
def read(out: Output[Note], *, source: Files) -> None:
    put(out, "".join(open(file.path).read() for file in source.files))


@pipeline
def wired(folder: str = "parts"):
    with for_each(["a", "b"]) as name:
        made = read(source=f"{folder}/{name}.txt")
        imported = Importer(source_uri=f"{folder}/{name}.txt", artifact_type=Artifact)
    gather(notes=collect(made.out))
"""
    )
    for name in "ab":
        project.write(f"text of {name}", f"parts/{name}.txt", header=False)
    project.run()
    project.write("another text", "parts/b.txt", header=False)

    result = project.run()

    assert project.text(result, "gather", "out") == "text of a+another text"
    assert [result[f"read[{number}]"].state for number in (0, 1)] == ["CACHED", "COMPLETE"]
    assert result["Importer[1]"].result.path == str(project.folder / "parts" / "b.txt")


def test_same_item_twice_is_two_items(project: Project) -> None:
    project.write(SWEEP)

    result = project.run(rates=[0.1, 0.1])

    assert project.text(result, "pick", "best") == "m0.1 m0.1 of [1.0, 1.0]"


def test_name_of_a_loop_stands_for_its_steps(project: Project) -> None:
    project.write(SWEEP)
    project.run()

    skip = project.run(selection=Selection(skip=("for_each-1",)), cache=False)
    only = project.run(selection=Selection(only=("for_each-1",)), cache=False)
    refreshed = project.run(refresh=("for_each-1",))

    items = [f"train[{number}]" for number in range(3)]
    assert [skip[name].state for name in ["make", *items, "pick"]] == ["COMPLETE", *["CACHED"] * 3, "COMPLETE"]
    assert [only[name].state for name in ["make", *items, "pick"]] == ["CACHED", *["COMPLETE"] * 3, "SKIPPED"]
    assert [refreshed[name].state for name in ["make", *items, "pick"]] == ["CACHED", *["COMPLETE"] * 3, "CACHED"]


def test_items_outside_of_a_selection_are_taken_where_their_parameters_are_the_same(project: Project) -> None:
    project.write(SWEEP)
    project.run()
    project.write(SWEEP.replace('f"m{rate}"', 'f"new m{rate}"'))

    taken = project.run(rates=[0.1, 0.2], selection=Selection(only=("pick",)))
    missing = project.run(rates=[0.1, 0.4], selection=Selection(only=("pick",)))

    assert project.text(taken, "pick", "best") == "m0.1 m0.2 of [1.0, 2.0]"
    assert missing["train[1]"].reason == (
        "There is no earlier result of 'train[1]' for its item, and it is outside --only pick. Run it too."
    )


def test_items_of_a_loop_that_uses_what_has_failed_are_skipped_when_they_are_known(project: Project) -> None:
    project.write(
        STEPS
        + """
@component
def late(note: Input[Note]) -> list[int]:
    time.sleep(0.3)
    return [1, 2]


@pipeline
def wired():
    broken = train(rate=-1.0)
    with for_each(late(note=make().note).value) as mark:
        followed = follow(note=broken.model, mark=f"{mark}")
    gather(notes=collect(followed.more))
"""
    )

    result = project.run()

    assert [result[f"follow[{number}]"].reason for number in (0, 1)] == ["train failed"] * 2
    assert result["gather"].reason == "follow[0] was skipped"
    assert list(result.steps).index("for_each-1") < list(result.steps).index("follow[0]")
    project.assert_clean()
