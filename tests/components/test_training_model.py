"""What Trainer makes: the model contract, signature by signature, its digest, and what is refused."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap

os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Examples, Model, ModelRun, Schema, TransformGraph
from penstock.components.model_contract import read_contract, serving_folder
from penstock.components.training import TensorFlowDatasetOptions, save_model, train
from penstock.components.training.model_digest import digest
from penstock.components.training.trainer import TrainArgs, Trainer, check_splits
from penstock.components.transform import fit, transform_beam
from penstock.data import codec
from penstock.data import examples as rows
from penstock.data.protos import write_schema
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import Beam, DataError, ModuleFile, UserCodeError

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]


def penguins(count: int, seed: int) -> pa.RecordBatch:
    random = np.random.default_rng(seed)
    species = random.integers(0, 3, count)
    return pa.RecordBatch.from_pydict(
        {
            "bill": pa.array(species * 10 + random.normal(0, 1, count), mask=random.random(count) < 0.1),
            "island": pa.array(np.array(["Biscoe", "Dream", "Tor"])[species], mask=random.random(count) < 0.1),
            "year": pa.array(random.integers(2007, 2010, count), pa.int64()),
            "mass": pa.array(species * 1000.0 + random.normal(0, 1, count)),
            "species": pa.array(np.array(SPECIES)[species]),
        }
    )


SCHEMA = schema_pb2.Schema()
for _name, _type in (("bill", "FLOAT"), ("island", "BYTES"), ("year", "INT"), ("mass", "FLOAT"), ("species", "BYTES")):
    SCHEMA.feature.add(name=_name, type=schema_pb2.FeatureType.Value(_type)).value_count.max = 1
SCHEMA.feature[2].ClearField("value_count")
SCHEMA.feature[2].presence.min_fraction = 1
SCHEMA.feature[2].shape.dim.add(size=1)


def preprocessing_fn(inputs):
    bill = tf.sparse.to_dense(inputs["bill"])[:, 0]
    island = tf.sparse.to_dense(inputs["island"], default_value="none")[:, 0]
    species = tf.sparse.to_dense(inputs["species"])[:, 0]
    return {
        "bill_z": tft.scale_to_z_score(bill),
        "island_index": tft.compute_and_apply_vocabulary(island, num_oov_buckets=1),
        "age": 2010 - inputs["year"],
        "mass_z": tft.scale_to_z_score(tf.sparse.to_dense(inputs["mass"])[:, 0]),
        "leak": tf.cast(tf.strings.length(species), tf.int64),
        "species_index": tft.compute_and_apply_vocabulary(species, vocab_filename="species"),
    }


class Workshop:
    """Folders of one trained pipeline, and fn_args on them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        for split, seed in (("train", 0), ("eval", 1)):
            batch = penguins(120, seed)
            with ShardWriter(shard_path(str(folder / "raw"), split, 0, 1), batch.schema) as shard:
                shard.write(batch)
        write_schema(str(folder / "schema"), SCHEMA)
        graph = str(folder / "graph")
        os.makedirs(graph)
        fit.fit(preprocessing_fn, SCHEMA, rows.split_files(str(folder / "raw"), "train"), graph, runner=Beam())
        files = {split: rows.split_files(str(folder / "raw"), split) for split in ("train", "eval")}
        transform_beam.apply_ranges(Beam(), graph, transform_beam.ranges(files, str(folder / "transformed")))

    def fn_args(self, model: pathlib.Path, transform: bool = True):
        return train.make_fn_args(
            examples=str(self.folder / ("transformed" if transform else "raw")),
            transform_graph=str(self.folder / "graph") if transform else None,
            schema=str(self.folder / "schema"),
            model=str(model),
            model_run=str(model / "run"),
            working_dir=str(model),
            train_splits=["train"],
            eval_splits=["eval"],
            train_steps=10,
            eval_steps=None,
        )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


def network(names=("bill_z", "island_index", "age"), outputs=3, activation="softmax", seed=1):
    keras.utils.set_random_seed(seed)
    inputs = {name: keras.Input((1,), name=name) for name in names}
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Concatenate()(list(inputs.values())))
    return keras.Model(inputs, keras.layers.Dense(outputs, activation=activation)(hidden))


def saved(workshop: Workshop, folder: pathlib.Path, model=None, **options) -> str:
    wanted = {"label": "species", "task": "multiclass", "classes": SPECIES} | options
    save_model(model or network(), workshop.fn_args(folder), **wanted)
    return str(folder)


@pytest.fixture(scope="module")
def model(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> str:
    return saved(workshop, tmp_path_factory.mktemp("model"))


def dense_inputs(model: str, batch: pa.RecordBatch, label: bool = False):
    contract = read_contract(model)
    features = (*contract.features, *(contract.label_features if label else ()))
    return {name: tf.constant(values) for name, values in codec.dense(batch, features).items()}


def test_contract_names_what_the_model_needs_and_no_label(model):
    contract = read_contract(model)

    assert [f.name for f in contract.features] == ["bill", "island", "year"]
    assert [f.name for f in contract.label_features] == []
    assert contract.transformed_features == ("age", "bill_z", "island_index")
    assert (contract.task, contract.label, contract.label_from) == ("multiclass", "species", "raw")
    assert contract.classes == tuple(SPECIES)


def test_a_label_that_the_transform_makes_is_asked_for_by_that_signature_only(workshop, tmp_path):
    path = saved(workshop, tmp_path, label="species_index")
    loaded = tf.saved_model.load(serving_folder(path))

    contract = read_contract(path)
    outputs = loaded.signatures["transform"](**dense_inputs(path, penguins(5, 3), label=True))

    assert [f.name for f in contract.label_features] == ["species"]
    assert contract.label_from == "transform"
    assert sorted(outputs) == ["age", "bill_z", "island_index", "species_index"]
    assert "species" not in loaded.signatures["raw"].structured_input_signature[1]


def test_raw_rows_give_what_transform_then_predict_gives_to_the_bit(workshop, tmp_path):
    own = network()
    path = saved(workshop, tmp_path, own)
    loaded = tf.saved_model.load(serving_folder(path))
    batch = penguins(200, 7)

    from_raw = loaded.signatures["raw"](**dense_inputs(path, batch))["scores"].numpy()
    transformed = loaded.signatures["transform"](**dense_inputs(path, batch, label=True))
    then_predicted = tf.function(own)({name: transformed[name] for name in own.input}).numpy()

    np.testing.assert_array_equal(from_raw, then_predicted)


def test_raw_rows_are_transformed_as_training_saw_them(workshop, model):
    loaded = tf.saved_model.load(serving_folder(model))
    (raw,) = rows.record_batches(str(workshop.folder / "raw"), "train")
    (trained_on,) = rows.record_batches(str(workshop.folder / "transformed"), "train")

    served = loaded.signatures["transform"](**dense_inputs(model, raw, label=True))

    for name in ("bill_z", "island_index", "age"):
        np.testing.assert_array_equal(served[name].numpy().ravel(), trained_on[name].to_numpy())


def test_tf_examples_give_the_same_scores_as_raw_tensors(model):
    loaded = tf.saved_model.load(serving_folder(model))
    batch = penguins(50, 9)

    from_raw = loaded.signatures["raw"](**dense_inputs(model, batch))
    from_examples = loaded.signatures["serving_default"](examples=tf.constant(codec.encode_examples(batch)))

    np.testing.assert_array_equal(from_raw["scores"], from_examples["scores"])
    np.testing.assert_array_equal(from_raw["classes"], from_examples["classes"])
    assert from_raw["classes"].numpy()[0].tolist() == [name.encode() for name in SPECIES]


def test_an_example_without_any_value_is_scored(model):
    loaded = tf.saved_model.load(serving_folder(model))
    batch = pa.RecordBatch.from_pydict({"year": pa.array([2008], pa.int64())})

    scores = loaded.signatures["serving_default"](examples=tf.constant(codec.encode_examples(batch)))["scores"]

    assert np.isfinite(scores).all()


def test_the_saved_model_needs_tensorflow_alone(model, tmp_path):
    shutil.copytree(serving_folder(model), tmp_path / "pushed")
    script = textwrap.dedent("""
        import sys
        for name in ("penstock", "keras", "tf_keras", "tensorflow_transform", "tfx_bsl", "apache_beam"):
            sys.modules[name] = None
        import tensorflow as tf
        model = tf.saved_model.load(sys.argv[1])
        row = {"bill": [[float("nan")]], "island": [["Dream"]], "year": [[2008]]}
        row = {name: tf.constant(value, tf.int64 if name == "year" else None) for name, value in row.items()}
        answer = model.signatures["raw"](**row)
        print(answer["scores"].numpy().shape, answer["classes"].numpy()[0, 1])
    """)

    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "pushed")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )

    assert run.stdout.strip() == "(1, 3) b'Chinstrap'"


def test_a_binary_model_of_two_outputs_scores_its_positive_class(workshop, tmp_path):
    own = network(outputs=2)
    path = saved(workshop, tmp_path, own, task="binary", classes=["other", "Gentoo"])
    outputs = tf.saved_model.load(serving_folder(path)).signatures["raw"](**dense_inputs(path, penguins(4, 0)))

    assert outputs["scores"].shape == (4, 1)
    assert set(outputs["classes"].numpy().ravel()) == {b"Gentoo"}


def test_logits_become_probabilities(workshop, tmp_path):
    path = saved(workshop, tmp_path, network(activation=None), from_logits=True)
    outputs = tf.saved_model.load(serving_folder(path)).signatures["raw"](**dense_inputs(path, penguins(4, 0)))

    np.testing.assert_allclose(outputs["scores"].numpy().sum(axis=1), 1.0, rtol=1e-5)


def test_a_regression_has_no_classes(workshop, tmp_path):
    path = saved(
        workshop, tmp_path, network(outputs=1, activation=None), label="mass_z", task="regression", classes=None
    )
    outputs = tf.saved_model.load(serving_folder(path)).signatures["raw"](**dense_inputs(path, penguins(4, 0)))

    assert list(outputs) == ["scores"]
    assert read_contract(path).label_from == "transform"


def test_a_model_without_a_transform_reads_raw_columns(workshop, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = {"mass": keras.Input((1,), name="mass"), "year": keras.Input((1,), name="year")}
    own = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(list(inputs.values()))))
    fn_args = workshop.fn_args(tmp_path, transform=False)
    save_model(own, fn_args, label="bill", task="regression")
    loaded = tf.saved_model.load(fn_args.serving_model_dir)
    batch = penguins(20, 4)

    from_raw = loaded.signatures["raw"](**dense_inputs(str(tmp_path), batch))["scores"]
    from_examples = loaded.signatures["serving_default"](examples=tf.constant(codec.encode_examples(batch)))["scores"]

    assert "transform" not in loaded.signatures
    np.testing.assert_array_equal(from_raw, from_examples)
    np.testing.assert_array_equal(from_raw, tf.function(own)(dense_inputs(str(tmp_path), batch)))


def test_a_label_made_by_the_transform_is_recorded_among_its_features(workshop, tmp_path):
    path = saved(workshop, tmp_path, label="species_index")

    recorded = train.model_properties(read_contract(path))["transformed_features"]

    assert recorded == ["age", "bill_z", "island_index", "species_index"]


def test_exporting_twice_gives_equal_digests(workshop, tmp_path):
    own = network()

    first, second = saved(workshop, tmp_path / "a", own), saved(workshop, tmp_path / "b", own)

    assert digest(first) == digest(second)
    assert digest(first).startswith("model-1:")


def test_equal_weights_in_another_model_object_give_equal_digests(workshop, tmp_path, model):
    twin = network()

    assert digest(saved(workshop, tmp_path, twin)) == digest(model)


@pytest.mark.parametrize("change", ["activation", "factor", "weight", "classes", "contract"])
def test_a_change_of_computation_weights_or_contract_changes_the_digest(workshop, tmp_path, model, change):
    own, options = network(), {}
    if change == "activation":
        own = network(activation="sigmoid")
    elif change == "factor":
        own = keras.Model(own.input, own.output * 1.5)
    elif change == "weight":
        own.trainable_variables[0].assign_add(own.trainable_variables[0] * 0 + 1e-6)
    elif change == "classes":
        options = {"classes": SPECIES[::-1]}
    else:
        options = {"label_from": "transform"}

    assert digest(saved(workshop, tmp_path, own, **options)) != digest(model)


def test_a_folder_without_a_saved_model_is_digested_by_its_files(tmp_path):
    (tmp_path / "model.txt").write_text("weights")
    before = digest(str(tmp_path))

    (tmp_path / "model.txt").write_text("others")

    assert digest(str(tmp_path)) != before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"label": "specie"}, "label='specie'): there is no such column. Did you mean 'species'?"),
        ({"task": "multi"}, "task='multi') must be one of binary, multiclass, regression."),
        ({"classes": None}, "needs classes=..., in the order of the model's outputs"),
        (
            {"classes": SPECIES[:2]},
            "have the shape (None, 3); for task='multiclass' with the classes Adelie, Chinstrap",
        ),
        ({"task": "binary", "classes": SPECIES}, "takes two classes, the positive one last, got 3"),
        ({"task": "regression"}, "classes=...) has no meaning for a regression"),
        ({"features": ["bill_z", "islandindex"]}, "Did you mean 'island_index'?"),
        ({"features": ["bill_z", "leak"]}, "computed from the label column 'species'"),
        ({"label": "age"}, "reads its own label 'age'"),
    ],
)
def test_what_does_not_fit_the_contract_is_refused(workshop, tmp_path, options, said):
    with pytest.raises(UserCodeError) as caught:
        saved(workshop, tmp_path, **options)

    assert said in str(caught.value)


RUN_FN = """
import keras
from penstock.components.training import TensorFlowDatasetOptions, save_model

def run_fn(fn_args):
    inputs = {n: keras.Input((1,), name=n) for n in ("bill_z", "island_index", "age")}
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Concatenate()(list(inputs.values())))
    hidden = keras.layers.Dropout(0.1)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    options = TensorFlowDatasetOptions(batch_size=16, label_key="species_index")
    data = fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options)
    model.fit(data, steps_per_epoch=fn_args.train_steps, verbose=0)
    save_model(model, fn_args, label="species", task="multiclass", classes=fn_args.transform.vocabulary("species"))
"""


def trainer(workshop: Workshop, folder: pathlib.Path, source: str, monkeypatch, name: str, **options) -> Model:
    os.makedirs(folder)
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    own, run = Model(str(folder / "model")), ModelRun(str(folder / "run"))
    Trainer(
        Examples(str(workshop.folder / "transformed")),
        own,
        run,
        transform_graph=TransformGraph(str(workshop.folder / "graph")),
        schema=Schema(str(workshop.folder / "schema")),
        module_file=ModuleFile(str(folder / f"{name}.py"), name),
        train_args=TrainArgs(num_steps=12),
        **options,
    )
    return own


def test_trainer_makes_the_same_model_twice_and_another_with_another_seed(workshop, tmp_path, monkeypatch):
    first = trainer(workshop, tmp_path / "a", RUN_FN, monkeypatch, "run_a")
    again = trainer(workshop, tmp_path / "b", RUN_FN, monkeypatch, "run_b")
    other = trainer(workshop, tmp_path / "c", RUN_FN, monkeypatch, "run_c", seed=1)

    assert digest(first.path) == digest(again.path)
    assert digest(first.path) != digest(other.path)
    assert first.properties["label"] == "species"
    assert (tmp_path / "a/run/arguments.json").exists()
    assert first.properties["transformed_features"] == ["age", "bill_z", "island_index"]
    assert json.loads((tmp_path / "a/model/Format-Serving/penstock_model.json").read_text())["task"] == "multiclass"


def test_a_run_fn_that_saves_nothing_is_told_where_and_how(workshop, tmp_path, monkeypatch):
    with pytest.raises(UserCodeError) as caught:
        trainer(workshop, tmp_path / "x", "def run_fn(fn_args): pass", monkeypatch, "run_nothing")

    assert "run_fn saved no model: fn_args.serving_model_dir" in str(caught.value)
    assert "penstock.components.training.save_model(model, fn_args" in str(caught.value)


def test_a_saved_model_without_signatures_is_refused(workshop, tmp_path, monkeypatch):
    source = "import tensorflow as tf\ndef run_fn(a): tf.saved_model.save(tf.Module(), a.serving_model_dir)"

    with pytest.raises(UserCodeError, match="has no signatures, so nothing can call it"):
        trainer(workshop, tmp_path / "x", source, monkeypatch, "run_unsigned")


def test_an_error_in_run_fn_keeps_its_cause(workshop, tmp_path, monkeypatch):
    with pytest.raises(UserCodeError, match="run_fn failed: KeyError: 'epochs'") as caught:
        trainer(workshop, tmp_path / "x", "def run_fn(a): a.custom_config['epochs']", monkeypatch, "run_broken")

    assert isinstance(caught.value.__cause__, KeyError)


def test_an_unknown_split_is_refused_before_anything_runs():
    examples = Examples("nowhere", properties={"split_names": ["train", "eval"]})

    with pytest.raises(DataError, match=r"train_args=...\) names the split 'test', the examples have: train, eval"):
        check_splits(examples=examples, train_args=TrainArgs(splits=("test",)))


def test_fn_args_have_tfx_names(workshop, tmp_path):
    fn_args = workshop.fn_args(tmp_path)

    assert fn_args.transform_output == fn_args.transform_graph_path
    assert fn_args.schema_file == fn_args.schema_path
    assert tft.TFTransformOutput(fn_args.transform_output).vocabulary_size_by_name("species") == 3
    assert TensorFlowDatasetOptions(batch_size=4).shuffle
