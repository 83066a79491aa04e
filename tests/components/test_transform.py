"""Transform: the local analysis equals TFT's Beam pipeline; what goes in, what comes out, what is refused."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

os.environ.setdefault("TF_USE_LEGACY_KERAS", "0")

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Examples, Schema, TransformGraph
from penstock.components import row_tensors
from penstock.components.transform import fit, local_analysis, transform_beam
from penstock.components.transform.apply import Application
from penstock.components.transform.graph_digest import digest
from penstock.components.transform.transform import Transform, check_splits
from penstock.components.transform_graph import TransformOutput
from penstock.data import examples as rows
from penstock.data.errors import CellError
from penstock.data.protos import write_schema
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import Beam, DataError, ModuleFile, UserCodeError

ROWS = 600


def taxis(seed: int = 0, count: int = ROWS) -> pa.RecordBatch:
    random = np.random.default_rng(seed)
    fare = random.gamma(2.0, 10.0, count)
    return pa.RecordBatch.from_pydict(
        {
            "fare": pa.array(fare, mask=random.random(count) < 0.1),
            "hour": pa.array(random.integers(0, 24, count), pa.int64()),
            "company": pa.array(random.choice(["A", "B", "C c", "Ünal"], count), mask=random.random(count) < 0.2),
            "tags": pa.array([list(range(int(n))) for n in random.integers(0, 4, count)], pa.list_(pa.int64())),
            "tips": pa.array(fare * random.random(count) * 0.4),
        }
    )


def schema_of(batch: pa.RecordBatch) -> schema_pb2.Schema:
    types = {"double": schema_pb2.FLOAT, "int64": schema_pb2.INT, "string": schema_pb2.BYTES}
    schema = schema_pb2.Schema()
    for field in batch.schema:
        listed = pa.types.is_list(field.type)
        feature = schema.feature.add(name=field.name, type=types[str(field.type.value_type if listed else field.type)])
        feature.value_count.min, feature.value_count.max = (0, 10) if listed else (1, 1)
        if field.name == "hour":
            feature.ClearField("value_count")
            feature.shape.dim.add(size=1)
            feature.presence.min_fraction = 1
    return schema


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("taxis")
    for split, seeds in (("train", (0, 1)), ("eval", (2,))):
        for index, seed in enumerate(seeds):
            batch = taxis(seed)
            with ShardWriter(shard_path(str(folder), split, index, len(seeds)), batch.schema) as shard:
                shard.write(batch)
    return folder


def filled(column, dtype=tf.float32):
    return tf.cast(tf.sparse.to_dense(column)[:, 0], dtype)


def every_analyzer(inputs):
    fare, company, hour = filled(inputs["fare"]), filled(inputs["company"], tf.string), inputs["hour"][:, 0]
    label = tf.cast(filled(inputs["tips"]) > 0.2 * fare, tf.int64)
    near = tft.apply_buckets(fare, tft.quantiles(fare, 4, epsilon=0.01))
    return {
        "z": tft.scale_to_z_score(fare),
        "z_of_lists": tft.scale_to_z_score(tf.cast(inputs["tags"], tf.float32)),
        "unit": tft.scale_to_0_1(fare),
        "mean": fare - tft.mean(fare),
        "bucket": tft.bucketize(fare, 5),
        "bucket_of_key": tft.bucketize_per_key(fare, company, 3),
        "z_of_key": tft.scale_to_z_score_per_key(fare, company),
        "size": fare / tf.cast(tft.size(fare), tf.float32),
        "word": tft.compute_and_apply_vocabulary(company, num_oov_buckets=2, vocab_filename="company"),
        "top": tft.compute_and_apply_vocabulary(company, top_k=2, default_value=-1),
        "frequent": tft.compute_and_apply_vocabulary(company, frequency_threshold=100, store_frequency=True),
        "informed": tft.compute_and_apply_vocabulary(company, labels=label, top_k=3),
        "weighted": tft.compute_and_apply_vocabulary(company, weights=fare),
        "number": tft.compute_and_apply_vocabulary(hour, fingerprint_shuffle=True),
        "second_phase": tft.scale_to_z_score(tft.scale_to_0_1(fare) * tf.cast(hour, tf.float32)),
        "after_table": tft.scale_to_0_1(tf.cast(tft.compute_and_apply_vocabulary(company), tf.float32)),
        "near": near,
        "tags": inputs["tags"],
        "label": label,
    }


def write_graph(stored: pathlib.Path, destination: pathlib.Path, function: Callable, runner: Beam | None = None) -> str:
    files = rows.split_files(str(stored), "train")
    os.makedirs(destination, exist_ok=True)
    fit.fit(function, schema_of(taxis()), files, str(destination), runner=runner or Beam())
    return str(destination)


@pytest.fixture(scope="module")
def graph(stored: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The graph of every standard analyzer, made without Beam."""

    def refuse(*_args):
        raise AssertionError("took the Beam route")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform_beam, "analyze", refuse)
        return write_graph(stored, tmp_path_factory.mktemp("local"), every_analyzer)


def apply(graph: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    return Application(graph)(batch)


def test_local_analysis_transforms_as_beam_does(stored, graph, tmp_path):
    by_beam = write_graph(stored, tmp_path / "beam", every_analyzer, Beam(profile="other"))

    ours, theirs = apply(graph, taxis(5)), apply(by_beam, taxis(5))

    assert ours.schema == theirs.schema
    for name in ours.schema.names:
        flat = [np.asarray(c.flatten() if pa.types.is_list(c.type) else c) for c in (ours[name], theirs[name])]
        np.testing.assert_allclose(*flat, rtol=1e-4, atol=1e-5, err_msg=name)


def test_an_analyzer_that_only_beam_knows_takes_the_beam_route(stored, tmp_path):
    def keyed(inputs):
        company = filled(inputs["company"], tf.string)
        kept = tft.vocabulary(company, top_k=2, coverage_top_k=1, key_fn=lambda term: term[:1], name="kept")
        return {"word": tft.apply_vocabulary(company, kept)}

    traced = local_analysis.trace(keyed, row_tensors_features(), str(tmp_path))

    with pytest.raises(local_analysis.NeedsBeam, match="VocabularyPrune"):
        local_analysis.analyze(traced, lambda columns: iter(()), str(tmp_path / "graph"))


def row_tensors_features():
    from penstock.data.raw_feature import raw_features

    return raw_features(schema_of(taxis()))


def test_tensorflow_transform_reads_the_graph(graph):
    output = tft.TFTransformOutput(graph)

    assert output.transformed_feature_spec()["z"] == tf.io.FixedLenFeature([], tf.float32)
    assert output.vocabulary_by_name("company") == TransformOutput(graph).vocabulary("company")
    assert set(output.raw_feature_spec()) == {"fare", "hour", "company", "tags", "tips"}


def test_an_output_reads_only_the_columns_it_is_computed_from(graph):
    output = TransformOutput(graph)

    assert [f.name for f in output.reads(["z"])] == ["fare"]
    assert [f.name for f in output.reads(["label", "word"])] == ["fare", "company", "tips"]


def test_absent_columns_do_not_change_what_does_not_read_them(graph):
    output, batch = TransformOutput(graph), taxis(3)
    features = output.reads(["z", "word"])

    part = output.apply(row_tensors.from_batch(batch, features), batch.num_rows)
    whole = output.apply(row_tensors.from_batch(batch, output.features), batch.num_rows)

    for name in ("z", "word"):
        np.testing.assert_array_equal(part[name], whole[name])


def test_component_transforms_every_split_without_losing_a_row(stored, tmp_path, monkeypatch):
    (tmp_path / "features_of_test.py").write_text(
        "import tensorflow as tf\n"
        "def preprocessing_fn(inputs, custom_config):\n"
        "    fare = tf.sparse.to_dense(inputs['fare'])[:, 0]\n"
        "    return {'twice': fare * custom_config['factor'], 'tags': inputs['tags'], 'hour': inputs['hour']}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    write_schema(str(tmp_path / "schema"), schema_of(taxis()))
    examples, schema = Examples(str(stored)), Schema(str(tmp_path / "schema"))
    made, transformed = TransformGraph(str(tmp_path / "graph")), Examples(str(tmp_path / "out"))
    module = ModuleFile(str(tmp_path / "features_of_test.py"), "features_of_test")

    Transform(examples, schema, made, transformed, module_file=module, custom_config={"factor": 2.0}, beam=Beam())

    assert transformed.properties["rows"] == {"train": 2 * ROWS, "eval": ROWS}
    assert transformed.properties["columns"] == {"hour": "int64", "tags": "list<int64>", "twice": "float32"}
    (batch,) = rows.record_batches(transformed.path, "eval")
    raw = taxis(2)
    np.testing.assert_array_equal(batch["twice"], np.float32(2) * np.float32(raw["fare"].fill_null(0)))
    assert batch["tags"].to_pylist() == raw["tags"].to_pylist()
    assert batch["hour"].to_pylist() == raw["hour"].to_pylist()


def test_equal_analyses_have_equal_digests_and_another_function_has_not(stored, tmp_path):
    def of_factor(factor):
        return lambda inputs: {"w": word_index(inputs), "z": tft.scale_to_z_score(filled(inputs["fare"])) * factor}

    first = write_graph(stored, tmp_path / "first", of_factor(1.0))
    again = write_graph(stored, tmp_path / "again", of_factor(1.0))
    changed = write_graph(stored, tmp_path / "changed", of_factor(1.5))

    assert digest(first) == digest(again)
    assert digest(first) != digest(changed)
    assert digest(first).startswith("graph-1:")


def test_a_changed_vocabulary_changes_the_digest(stored, tmp_path):
    first = write_graph(stored, tmp_path / "first", lambda inputs: {"w": word_index(inputs)})
    before = digest(first)

    (path,) = (tmp_path / "first" / "transform_fn" / "assets").iterdir()
    path.write_bytes(path.read_bytes().replace(b"A", b"Z"))

    assert digest(first) != before


def word_index(inputs):
    return tft.compute_and_apply_vocabulary(filled(inputs["company"], tf.string))


def raises(stored, tmp_path, function) -> str:
    with pytest.raises(UserCodeError) as caught:
        apply(write_graph(stored, tmp_path / "graph", function), taxis())
    return str(caught.value)


def test_an_error_in_preprocessing_fn_keeps_its_cause(stored, tmp_path):
    def broken(inputs):
        raise ZeroDivisionError("half a fare")

    with pytest.raises(UserCodeError, match=r"preprocessing_fn in test_transform.py failed: ZeroDivision") as caught:
        write_graph(stored, tmp_path / "graph", broken)

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.__cause__.__traceback__ is not None


def test_an_unknown_column_is_met_with_the_nearest(stored, tmp_path):
    message = raises(stored, tmp_path, lambda inputs: {"x": inputs["fair"]})

    assert "there is no column 'fair'. Did you mean 'fare'? The schema has: fare, hour, company" in message


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda inputs: [inputs["hour"]], "must return a dict of tensors by name, it returned list"),
        (lambda inputs: {}, "returned an empty dict"),
        (lambda inputs: {"x": 3}, "returned int for 'x'"),
        (lambda inputs: {"x": tf.cast(inputs["hour"], tf.int32)}, "Cast it: tf.cast(x, tf.int64)"),
        (lambda inputs: {"x": tf.cast(inputs["hour"], tf.float64)}, "Cast it: tf.cast(x, tf.float32)"),
        (lambda inputs: {"x": tf.reduce_sum(inputs["hour"])}, "returned the scalar 'x'"),
        (lambda inputs: {"x": inputs["hour"][:3]}, "one value a row: 'x' has 3 for a batch of 600 rows"),
        (lambda inputs: {"x": tf.sparse.to_dense(inputs["fare"])[:, 0] + tf.cast(inputs["hour"], tf.int32)}, "failed:"),
    ],
)
def test_what_cannot_be_stored_is_refused_in_the_users_terms(stored, tmp_path, returned, said):
    assert said in raises(stored, tmp_path, returned)


def test_an_error_of_the_second_pass_is_told_without_beams_additions(stored, tmp_path):
    made = write_graph(stored, tmp_path / "graph", lambda inputs: {"x": inputs["hour"][:3]})
    work = transform_beam.ranges({"eval": rows.split_files(str(stored), "eval")}, str(tmp_path / "out"))

    with pytest.raises(UserCodeError, match=r"'x' has 3 for a batch of 600 rows.*, value\)\.$") as caught:
        transform_beam.apply_ranges(Beam(), made, work)

    assert not [frame for frame in caught.traceback if "apache_beam" in str(frame.path)]
    assert not any((tmp_path / "out").rglob("*.parquet"))


def test_a_missing_value_of_a_required_column_is_the_datas_fault(graph):
    batch = taxis()
    index = batch.schema.get_field_index("hour")
    holed = batch.set_column(index, "hour", pa.array([None] + [1] * (ROWS - 1), pa.int64()))

    with pytest.raises(CellError, match="'hour' must have a value in every row, 1 of 600 have none"):
        apply(graph, holed)


def test_an_unknown_split_is_refused_before_anything_runs():
    examples = Examples("nowhere", properties={"split_names": ["train", "eval"]})

    with pytest.raises(DataError, match="names the split 'test', the examples have: train, eval"):
        check_splits(examples=examples, analyze_splits=["test"])


def test_a_row_of_missing_values_alone_has_the_shape_of_any_other():
    empty = pa.RecordBatch.from_pydict(
        {"fare": pa.array([None], pa.float64()), "company": pa.array([None], pa.string())}
    )
    features = [f for f in row_tensors_features() if f.name in ("fare", "company")]

    tensors = row_tensors.from_batch(empty, features)

    assert tensors["fare"].dense_shape.numpy().tolist() == [1, 1]
    assert tf.sparse.to_dense(tensors["company"]).numpy().tolist() == [[b""]]
