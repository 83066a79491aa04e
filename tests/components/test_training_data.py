"""`data_accessor`: stored rows become batches, complete, shuffled by seed, missing values by sentinel."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.components.training import DataAccessor, RecordBatchesOptions, TensorFlowDatasetOptions
from penstock.data.raw_feature import MISSING_INT
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import DataError, UserCodeError

ROWS = 100


def batch_of(start: int, count: int) -> pa.RecordBatch:
    numbers = np.arange(start, start + count)
    return pa.RecordBatch.from_pydict(
        {
            "number": pa.array(numbers, pa.int64()),
            "half": pa.array(numbers / 2, mask=numbers % 10 == 0),
            "word": pa.array([None if n % 7 == 0 else f"w{n}" for n in numbers], pa.string()),
            "many": pa.array([list(range(n % 3)) for n in numbers], pa.list_(pa.int64())),
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = str(tmp_path_factory.mktemp("rows"))
    for index, (start, count) in enumerate(((0, 70), (70, 30))):
        rows = batch_of(start, count)
        with ShardWriter(shard_path(folder, "train", index, 2), rows.schema) as shard:
            shard.write(rows)
    return [f"{folder}/Split-train/*.parquet"]


def schema(*names: str) -> schema_pb2.Schema:
    types = {"number": schema_pb2.INT, "half": schema_pb2.FLOAT, "word": schema_pb2.BYTES, "many": schema_pb2.INT}
    made = schema_pb2.Schema()
    for name in names:
        made.feature.add(name=name, type=types[name])
    return made


FIXED = schema("number", "half", "word")


def dataset(files, known=FIXED, **options):
    wanted = {"batch_size": 8, "num_epochs": 1} | options
    return DataAccessor(seed=3).tf_dataset_factory(files, TensorFlowDatasetOptions(**wanted), known)


def numbers(batches) -> list[int]:
    return [int(n) for batch in batches for n in np.ravel(batch["number"])]


@pytest.mark.parametrize("buffer", [1000, 20], ids=["in memory", "by window"])
@pytest.mark.parametrize("known", [FIXED, None], ids=["fixed", "with lists"])
def test_an_epoch_has_every_row_once_in_batches_of_the_size_asked_for(files, buffer, known):
    batches = list(dataset(files, known, shuffle_buffer_size=buffer))

    assert sorted(numbers(batches)) == list(range(ROWS))
    assert {len(batch["number"]) for batch in batches[:-1]} == {8}


@pytest.mark.parametrize("buffer", [1000, 20], ids=["in memory", "by window"])
@pytest.mark.parametrize("known", [FIXED, None], ids=["fixed", "with lists"])
def test_order_is_by_seed(files, buffer, known):
    first, again, other = (
        numbers(dataset(files, known, shuffle_buffer_size=buffer, shuffle_seed=seed)) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other
    assert first != sorted(first)


def test_each_epoch_is_shuffled_anew(files):
    both = numbers(dataset(files, num_epochs=2))

    assert sorted(both) == sorted([*range(ROWS), *range(ROWS)])
    assert both[:ROWS] != both[ROWS:]


def test_without_shuffling_rows_keep_their_order(files):
    assert numbers(dataset(files, shuffle=False)) == list(range(ROWS))


def test_without_an_end_only_full_batches_come(files):
    batches = itertools.islice(dataset(files, num_epochs=None), 40)

    assert {len(batch["number"]) for batch in batches} == {8}


def test_a_final_smaller_batch_can_be_dropped(files):
    assert len(numbers(dataset(files, drop_final_batch=True))) == 96


def test_missing_values_are_the_sentinels_of_the_raw_signature(files):
    (batch,) = dataset(files, shuffle=False, batch_size=ROWS)

    assert np.isnan(batch["half"][10, 0])
    assert batch["half"][11, 0] == 5.5
    assert batch["word"].numpy()[7, 0] == b""
    assert batch["word"].numpy()[8, 0] == b"w8"
    assert MISSING_INT not in batch["number"]


def test_lists_are_sparse(files):
    (batch,) = dataset(files, None, shuffle=False, batch_size=ROWS)

    assert isinstance(batch["many"], tf.SparseTensor)
    assert tf.sparse.to_dense(batch["many"], default_value=-1).numpy()[:3].tolist() == [[-1, -1], [0, -1], [0, 1]]


def test_the_label_is_split_off(files):
    features, label = next(iter(dataset(files, label_key="number")))

    assert sorted(features) == ["half", "word"]
    assert label.shape == (8, 1)


def test_record_batches_keep_stored_types(files):
    batches = list(DataAccessor().record_batch_factory(files, RecordBatchesOptions(batch_size=50), FIXED))

    assert sum(batch.num_rows for batch in batches) == ROWS
    assert batches[0].schema.field("word").type == pa.string()


def test_an_unknown_label_is_met_with_the_nearest(files):
    with pytest.raises(UserCodeError, match=r"label_key='numbr' is no feature of the examples. Did you mean 'number'"):
        dataset(files, label_key="numbr")


def test_a_pattern_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="No file matches"):
        dataset([str(tmp_path / "*.parquet")])
