"""`runs`, `show`, `artifacts` and `lineage` over a root where a pipeline has run."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tests.cli.conftest import Shell

ARTIFACT_FIELDS = {"id", "type", "uri", "digest", "run", "step", "output", "properties"}


def test_runs_are_listed_newest_first(ran: Shell):
    runs = ran("runs", "--json").json()

    assert [run["pipeline"] for run in runs] == ["toy", "toy"]
    assert [{step["state"] for step in run["steps"]} for run in runs] == [{"CACHED"}, {"COMPLETE"}]
    assert runs[0]["started"] > runs[1]["started"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", runs[0]["started"])
    assert runs[1]["state"] == "COMPLETE"
    assert runs[1]["seconds"] > 0
    assert set(runs[1]["steps"][0]) == {"id", "state", "seconds", "reason"}
    assert runs[1]["steps"][0] == runs[1]["steps"][0] | {"id": "read", "reason": "no earlier result"}


def test_the_table_of_runs_counts_steps(ran: Shell):
    head, newest, oldest = ran("runs").out.splitlines()

    assert head.split() == ["run", "pipeline", "state", "started", "took", "steps"]
    assert newest.endswith("4 cached")
    assert oldest.endswith("4 ran")


def test_a_run_is_found_by_the_end_and_the_beginning_of_its_id(ran: Shell):
    run = ran("runs", "--json").json()[0]["id"]

    assert ran("runs", "show", run[-6:].lower(), "--json").json()["id"] == run
    assert ran("show", run, "--json").json()["id"] == run
    assert "stands for 2 runs" in ran("runs", "show", run[:5]).err


def test_a_run_shows_steps_artifacts_and_facts(ran: Shell):
    run = ran("runs", "--json").json()[1]["id"]

    shown = ran("show", run, "--json").json()
    text = ran("show", run).out

    assert shown["facts"]["parameters"]["factor"] == 1
    assert {each["step"] for each in shown["artifacts"]} == {"read", "inspect", "train", "push"}
    assert "command     penstock run pipeline.py" in text
    assert re.search(r"✓  train    COMPLETE", text)


def test_artifacts_have_the_documented_fields(ran: Shell):
    artifacts = ran("artifacts", "--json").json()

    assert [each["type"] for each in artifacts] == ["PushedModel", "Rows", "Report", "Rows", "ExternalFiles"]
    assert all(set(each) >= ARTIFACT_FIELDS for each in artifacts)
    rows = artifacts[3]
    assert rows == rows | {"step": "read", "output": "rows", "properties": {"count": 3}}
    assert (Path(rows["uri"]) / "rows.txt").read_text() == "a,b\n1,2\n3,4"


def test_artifacts_are_selected_by_type_step_and_run(ran: Shell):
    cached = ran("runs", "--json").json()[0]["id"]

    assert [each["step"] for each in ran("artifacts", "--type", "Rows", "--json").json()] == ["train", "read"]
    assert [each["type"] for each in ran("artifacts", "--step", "push", "--json").json()] == ["PushedModel"]
    assert len(ran("artifacts", "--run", cached, "--json").json()) == 4
    said = ran("artifacts", "--type", "Row")
    assert said.code == 6
    assert "Did you mean 'Rows'?" in said.err


def test_a_step_shows_its_latest_execution(ran: Shell):
    first = ran("runs", "--json").json()[1]["id"]

    latest = ran("show", "train", "--json").json()
    earlier = ran("show", "train", "--run", first, "--json").json()

    assert latest["state"] == "CACHED"
    assert latest["cached_from"] == earlier["execution"]
    assert earlier["state"] == "COMPLETE"
    assert earlier["parameters"] == {"behave": "well"}
    assert [each["type"] for each in earlier["inputs"]["rows"]] == ["Rows"]
    assert "training on" in Path(earlier["log"]).read_text()


def test_a_step_shows_cost_and_log(ran: Shell):
    first = ran("runs", "--json").json()[1]["id"]

    text = ran("show", "train", "--run", first).out

    assert re.search(r"cost +wall \d+ m?s, cpu", text)
    assert re.search(r"log +\.penstock/runs/\w+/logs/train\.log", text)


def test_an_artifact_is_found_by_id_and_by_any_path_in_it(ran: Shell):
    rows = ran("artifacts", "--type", "Rows", "--json").json()[1]

    by_id = ran("show", str(rows["id"]), "--json").json()

    assert by_id["files"] == [{"name": "rows.txt", "size": 11}]
    assert ran("show", rows["uri"], "--json").json() == by_id
    assert ran("show", f"{rows['uri']}/rows.txt", "--json").json() == by_id
    assert "3 B" not in ran("show", str(rows["id"])).out


def test_lineage_of_a_pushed_folder_reaches_the_sources_digest(ran: Shell):
    digest = hashlib.sha256((ran.folder / "rows.csv").read_bytes()).hexdigest()

    said = ran("lineage", "serving/toy")

    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("PushedModel")
    assert lines[-1].endswith(f"rows.csv  12 B  sha256:{digest}")
    assert [name for name in ("push", "train", "read") if f"made by {name}" in said.out] == ["push", "train", "read"]


def test_the_path_of_an_artifact_leads_to_its_root_from_anywhere(ran: Shell, tmp_path: Path):
    rows = ran("artifacts", "--type", "Rows", "--json").json()[1]

    said = Shell(tmp_path)("lineage", rows["uri"])

    assert said.code == 0
    assert said.out.startswith("Rows")


def test_lineage_down_from_a_source_reaches_the_push(ran: Shell):
    said = ran("lineage", "rows.csv", "--down")

    assert said.out.startswith("ExternalFiles")
    assert "used by push" in said.out
    assert "reused by 1 later run" in said.out


def test_lineage_as_a_graph(ran: Shell):
    pushed = ran("artifacts", "--type", "PushedModel", "--json").json()[0]

    graph = ran("lineage", str(pushed["id"]), "--json").json()

    assert graph["artifact"] == pushed["id"]
    assert {each["step"] for each in graph["executions"]} == {"push", "train", "read"}
    assert {edge["kind"] for edge in graph["edges"]} == {"input", "output"}


def test_an_unknown_name_names_the_nearest_step(ran: Shell):
    said = ran("show", "trian")

    assert said.code == 6
    assert "There is no run, step or artifact 'trian'" in said.err
    assert "Did you mean 'train'?" in said.err


def test_the_name_of_a_pipeline_leads_to_its_runs(ran: Shell):
    said = ran("show", "toy")

    assert said.code == 6
    assert "It is a pipeline, see its runs with: penstock runs --pipeline toy." in said.err


def test_an_unknown_artifact_is_not_found(ran: Shell):
    assert ran("lineage", "9999").code == 6
    assert ran("show", "pipeline.py").code == 6


def test_without_a_root_it_is_said_how_to_make_one(tmp_path: Path):
    said = Shell(tmp_path)("runs")

    assert said.code == 5
    assert f"There is no Penstock root at {tmp_path}/.penstock" in said.err
    assert "penstock run FILE" in said.err
    assert not (tmp_path / ".penstock").exists()


def test_the_root_may_come_from_the_environment(ran: Shell, tmp_path: Path):
    said = Shell(tmp_path)("runs", "--json", PENSTOCK_ROOT=str(ran.folder / ".penstock"))

    assert len(said.json()) == 2


def test_a_reader_that_leaves_early_is_no_error(ran: Shell):
    process = ran.start("artifacts", "--json")
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait(timeout=60) == 0


def test_lineage_of_a_step_is_that_of_its_output(ran: Shell):
    by_output = ran("lineage", "train.model")

    assert by_output.code == 0
    assert "made by train" in by_output.out.splitlines()[1]
    assert ran("lineage", "train").out == by_output.out
    assert "put out no 'modle'. Did you mean 'model'? It put out: model." in ran("lineage", "train.modle").err
