"""Resource tokens: what is there, what a step takes, and that no more runs at once than there is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.pipeline import ParameterError, Unsupported
from penstock.pipeline.plan import Resources, StepPlan
from penstock.pipeline.task import COMPLETE
from penstock.runners import capacity
from penstock.runners.scheduler import Capacity, Scheduler, claim_of
from tests.runners.conftest import Project


def claims() -> st.SearchStrategy[Resources]:
    return st.builds(
        Resources,
        cpus=st.none() | st.sampled_from([0.1, 0.5, 1.0, 2.0, 4.0]),
        memory=st.none() | st.integers(1, 8),
        gpus=st.none() | st.integers(0, 2),
    )


def test_tenths_of_a_cpu_that_are_given_back_are_all_there_again() -> None:
    total, tenth = Capacity(cpus=4.0), Capacity(cpus=0.1)
    free = total
    for _ in range(3):
        free = free - tenth

    for _ in range(3):
        free = free + tenth

    assert free.holds(total)


@given(st.lists(claims(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_what_runs_at_once_never_takes_more_than_there_is_and_all_runs(
    asked: list[Resources], order: random.Random
) -> None:
    total = Capacity(cpus=4.0, memory=8, gpus=2)
    nodes = [StepPlan(id=f"n{i}", component="m:f", name="f", resources=each) for i, each in enumerate(asked)]
    taken = {node.id: claim_of(node.resources, total) for node in nodes}
    scheduler, running, ended = Scheduler(nodes, total), [], 0

    while not scheduler.over:
        while node_id := scheduler.next():
            scheduler.start(node_id)
            running.append(node_id)
        assert running
        assert sum(taken[name].cpus for name in running) <= 4.0 + 1e-6
        assert sum(taken[name].memory for name in running) <= 8
        assert sum(taken[name].gpus for name in running) <= 2
        scheduler.finish(running.pop(order.randrange(len(running))), COMPLETE)
        ended += 1

    assert ended == len(nodes)


def test_step_that_asks_for_more_than_there_is_fails_before_anything_runs(project: Project) -> None:
    project.write('\n@pipeline\ndef wired():\n    make()\n    make(id="big", memory="4000Ti")\n')

    with pytest.raises(Unsupported) as raised:
        project.run()

    assert "step 'big' asks for memory=4096000Gi, and there is" in str(raised.value)
    assert "or set memory under [resources] in penstock.toml" in str(raised.value)
    assert not project.root.exists()


def test_settings_stand_above_what_the_machine_has(project: Project) -> None:
    project.write(
        """
        @component
        def count(out: Output[Note], *, folder: str) -> None:
            mark = os.path.join(folder, str(os.getpid()))
            open(mark, "w").close()
            time.sleep(0.3)
            put(out, str(len(os.listdir(folder))))
            os.unlink(mark)


        @pipeline
        def wired(folder: str):
            for number in range(3):
                count(folder=folder, id=f"c{number}", gpus=1)
        """
    )
    (project.folder / "penstock.toml").write_text('[resources]\ngpus = 1\nmemory = "1Gi"\n')
    (project.folder / "marks").mkdir()

    result = project.run(folder=str(project.folder / "marks"), workers=3)

    assert [project.text(result, f"c{number}", "out") for number in range(3)] == ["1", "1", "1"]


def test_setting_that_is_no_amount_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"\[resources\] of penstock.toml: 'much' is no size"):
        capacity.of_machine({"memory": "much"}, 1)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(4000 << 30, "4000Gi"), (5 << 29, "2.5Gi"), (1 << 30, "1Gi"), (1000 << 20, "1000Mi"), (100 << 20, "100Mi")],
)
def test_memory_is_written_as_it_is_asked_for(amount: int, text: str) -> None:
    assert capacity.size_text(amount) == text


def test_kernel_s_count_of_kills_names_the_cause(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n")
    (tmp_path / "memory.max").write_text("1073741824\n")

    assert capacity.memory_kills(str(tmp_path)) == 3
    assert capacity.memory_limit(str(tmp_path)) == 1 << 30
    assert capacity.cause_of_kill(1 << 30, 2, 3).startswith("killed by the kernel, out of memory (its cgroup")
    for kills in (3, None):
        much, little = (
            capacity.cause_of_kill(int(part * capacity.memory_limit()), kills, kills) for part in (0.6, 0.1)
        )
        assert much.startswith("killed by signal 9, probably out of memory: peak ")
        assert little.startswith("killed by signal 9, from outside or for memory that others took: peak ")


def test_first_version_of_cgroups_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "memory.limit_in_bytes").write_text("1073741824\n")

    assert capacity.memory_kills(str(tmp_path)) == 2
    assert capacity.memory_limit(str(tmp_path)) == 1 << 30


def test_machine_without_cgroups_has_its_whole_memory(tmp_path: Path) -> None:
    assert capacity.memory_kills(str(tmp_path)) is None
    assert capacity.memory_limit(str(tmp_path)) > 1 << 20
