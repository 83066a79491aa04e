"""The penguins example for real, from the CSV to a pushed model, through the command."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import Ran
from tests.end_to_end.project import Project

pytestmark = pytest.mark.pipeline

STEPS = ["CsvExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator"]
STEPS += ["Transform", "Trainer", "Evaluator", "Pusher"]
CHATTER = ("tensorflow", "absl", "WARNING", "INFO", "apache_beam", "cuda")


def test_a_green_run_prints_under_40_lines_and_nothing_of_tensorflow_or_beam(penguins: Ran) -> None:
    said = penguins.first

    assert len(said.out.splitlines()) < 40
    assert said.err == ""
    assert [word for word in CHATTER if word in said.out] == []


def test_chatter_goes_to_the_log_of_its_step(penguins: Ran) -> None:
    log = Path(penguins.project.ask("show", "Trainer")["log"])

    said = log.read_text()

    assert "Epoch 20/20" in said
    assert "INFO tensorflow" in said


def test_the_model_is_right_19_times_in_20_and_blessed(penguins: Ran) -> None:
    evaluation = penguins.project.artifact("ModelEvaluation")
    blessing = penguins.project.artifact("ModelBlessing")

    report = json.loads(Path(evaluation["uri"], "metrics.json").read_text())

    assert report["overall"]["accuracy"] >= 0.95
    assert {each["slice"]["island"] for each in report["slices"]} == {"Biscoe", "Dream", "Torgersen"}
    assert blessing["properties"]["blessed"] == 1


def test_no_row_is_lost(penguins: Ran) -> None:
    made = penguins.project.ask("artifacts", "--type", "Examples")

    rows = {each["step"]: sum(each["properties"]["rows"].values()) for each in made}

    assert rows == {"CsvExampleGen": 344, "Transform": 344}


def test_a_second_run_is_cached_and_pushes_nothing(penguins: Ran) -> None:
    serving = penguins.project.folder / "serving" / "penguins"

    states = penguins.project.states()

    assert penguins.second.code == 0
    assert states == dict.fromkeys(STEPS, "CACHED")
    assert [path.name for path in serving.iterdir() if not path.name.startswith(".")] == ["1"]


def test_the_pushed_folder_is_traced_to_the_bytes_of_the_csv(penguins: Ran) -> None:
    source = penguins.project.folder / "data" / "penguins.csv"

    graph = penguins.project.ask("lineage", "serving/penguins/1")

    found = [each for each in graph["artifacts"] if each["type"] == "ExternalFiles"]
    assert [each["uri"] for each in found] == [str(source)]
    assert found[0]["properties"]["files"][0]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert {each["step"] for each in graph["executions"]} == set(STEPS) - {"ExampleValidator"}


def test_artifacts_and_runs_have_their_fields(penguins: Ran) -> None:
    artifacts, runs = penguins.artifacts, penguins.project.ask("runs")

    fields = {"id", "type", "uri", "digest", "run", "step", "output", "properties"}
    assert all(fields <= set(each) for each in artifacts)
    assert all({"id", "pipeline", "state", "started", "seconds", "steps"} <= set(each) for each in runs)
    assert all({"id", "state", "seconds", "reason"} <= set(step) for run in runs for step in run["steps"])
    assert [(run["state"], [step["id"] for step in run["steps"]]) for run in runs] == [("COMPLETE", STEPS)] * 2


def test_nothing_is_damaged_or_left_over(penguins: Ran) -> None:
    assert penguins.project.damage(penguins.artifacts) == []
    assert penguins.project.workers() == []


def test_raw_rows_give_what_the_network_gives_on_the_rows_it_was_trained_on(penguins: Ran) -> None:
    import tensorflow as tf

    from penstock.components.model_contract import read_contract
    from penstock.components.training.data_accessor import DataAccessor, TensorFlowDatasetOptions
    from penstock.components.transform_graph import TransformOutput
    from penstock.data import codec, examples

    made = {each["step"]: each["uri"] for each in penguins.project.ask("artifacts", "--type", "Examples")}
    pushed = str(penguins.project.folder / "serving" / "penguins" / "1")
    saved = tf.saved_model.load(pushed)
    features = TransformOutput(penguins.project.artifact("TransformGraph")["uri"]).transformed_features
    network = _build_model(penguins.project.folder / "model.py")(features, 3)
    for variable, weight in zip(network.variables, saved.weights, strict=True):
        variable.assign(weight)

    for split in ("train", "eval"):
        (raw,) = examples.read_batches(examples.split_files(made["CsvExampleGen"], split))
        tensors = codec.dense(raw, read_contract(pushed).features)
        served = saved.signatures["raw"](**{name: tf.constant(each) for name, each in tensors.items()})["scores"]
        options = TensorFlowDatasetOptions(raw.num_rows, shuffle=False, num_epochs=1, label_key="species")
        files = examples.split_files(made["Transform"], split)
        (rows, _), *_ = DataAccessor(features).tf_dataset_factory(files, options)
        np.testing.assert_array_equal(served, tf.function(network)(rows, training=False))


def _build_model(file: Path):
    spec = importlib.util.spec_from_file_location("penguins_model", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_model


def test_the_pushed_model_predicts_where_there_is_tensorflow_alone(penguins: Ran) -> None:
    script = Path(__file__).with_name("tensorflow_alone.py")
    pushed = penguins.project.folder / "serving" / "penguins" / "1"

    done = subprocess.run([sys.executable, script, pushed], capture_output=True, text=True, cwd=pushed, check=False)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["classes"] == [["Adelie", "Gentoo", "Chinstrap"]]
    assert max(zip(said["scores"][0], said["classes"][0], strict=True), key=lambda pair: float(pair[0]))[1] == "Gentoo"


def test_a_deleted_push_is_pushed_again_though_all_else_is_cached(pushed: Project) -> None:
    version = pushed.folder / "serving" / "penguins" / "1"
    shutil.rmtree(version)

    said = pushed.run()

    assert said.code == 0
    assert "its effect doesn't hold any more" in said.out
    assert pushed.states() == dict.fromkeys(STEPS, "CACHED") | {"Pusher": "COMPLETE"}
    assert (version / "saved_model.pb").is_file()


def test_another_destination_is_another_push(pushed: Project) -> None:
    said = pushed.run("-p", "serving_dir=elsewhere")

    assert said.code == 0
    assert pushed.states() == dict.fromkeys(STEPS, "CACHED") | {"Pusher": "COMPLETE"}
    assert (pushed.folder / "elsewhere" / "1" / "saved_model.pb").is_file()


def test_a_root_that_moved_keeps_its_cache_and_its_lineage(pushed: Project) -> None:
    moved = pushed.folder / "moved"
    pushed.root.rename(moved)

    said = pushed.run("--root", "moved")

    runs = pushed.ask("runs", "--limit", "1", "--root", "moved")
    assert said.code == 0
    assert {step["state"] for step in runs[0]["steps"]} == {"CACHED"}
    graph = pushed.ask("lineage", "serving/penguins", "--root", "moved")
    model = next(each for each in graph["artifacts"] if each["type"] == "Model")
    assert Path(model["uri"], "Format-Serving", "saved_model.pb").is_file()
    assert any(each["type"] == "ExternalFiles" for each in graph["artifacts"])


def test_a_bound_that_is_not_met_withholds_the_push_with_its_own_exit_code(pushed: Project) -> None:
    pushed.edit("pipeline.py", 'Metric("accuracy", at_least=0.9)', 'Metric("loss", at_most=0.0)')

    said = pushed.run()

    assert said.code == 3
    assert "not pushed" in said.out
    assert "at most 0 was asked" in said.out
    assert pushed.states()["Pusher"] == "SKIPPED"
    assert not (pushed.folder / "serving" / "penguins" / "2").exists()


def test_a_renamed_label_column_under_a_curated_schema_pushes_nothing(pushed: Project) -> None:
    curated = Path(pushed.artifact("Schema")["uri"], "schema.pbtxt")
    shutil.copy(curated, pushed.folder / "schema.pbtxt")
    pushed.edit("pipeline.py", "SchemaGen(statistics=stats.statistics)", 'ImportSchemaGen(schema_file="schema.pbtxt")')
    pushed.edit("pipeline.py", "    SchemaGen,\n", "    ImportSchemaGen,\n")
    pushed.edit("data/penguins.csv", "species,", "kind,")

    said = pushed.run()

    assert said.code == 4
    assert "'species'" in said.out
    assert "Column is completely missing" in said.out
    states = pushed.states()
    assert {step for step, state in states.items() if state == "SKIPPED"} == {
        "Transform", "Trainer", "Evaluator", "Pusher"
    }  # fmt: skip
    assert not (pushed.folder / "serving" / "penguins" / "2").exists()
    assert pushed.damage() == []
