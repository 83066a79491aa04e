"""Examples on disk: writing, reading, and the digest."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import examples, shards
from penstock.data.errors import DataFormatError, NoDataError
from penstock.data.shards import RowDigest, ShardWriter, shard_digest, shard_path
from tests.data.strategies import batches

ROWS = pa.RecordBatch.from_pydict(
    {"n": pa.array([1, None, 3, 4]), "s": ["a", "", None, "d"], "l": pa.array([[1], [], None, [2, 3]])}
)


def write(path, split="train", parts=(ROWS,)):
    for index, part in enumerate(parts):
        with ShardWriter(shard_path(str(path), split, index, len(parts)), part.schema) as shard:
            shard.write(part)
    return str(path)


def test_rows_are_read_as_written(tmp_path):
    path = write(tmp_path, parts=[ROWS, ROWS.slice(0, 2)])

    rows = [row for batch in examples.record_batches(path, "train") for row in batch.to_pylist()]

    assert rows == ROWS.to_pylist() + ROWS.slice(0, 2).to_pylist()
    assert examples.count_rows(path, "train") == 6
    assert examples.arrow_schema(path).names == ["n", "s", "l"]
    assert examples.column_types(examples.arrow_schema(path)) == {
        "n": "int64",
        "s": "string",
        "l": "list<int64>",
    }


def test_columns_come_in_the_order_asked_for(tmp_path):
    path = write(tmp_path)

    batch = next(examples.record_batches(path, "train", columns=["s", "n"], batch_rows=3))

    assert batch.schema.names == ["s", "n"]
    assert batch.num_rows == 3


def test_splits_are_sorted_with_train_first(tmp_path):
    for split in ("test", "eval", "train"):
        write(tmp_path, split)

    assert examples.split_names(str(tmp_path)) == ["train", "eval", "test"]


def test_unknown_column_is_named_with_the_nearest(tmp_path):
    path = write(tmp_path)

    with pytest.raises(DataFormatError, match=r"There is no column 'S'.*Its columns: n, s, l"):
        next(examples.record_batches(path, "train", columns=["S"]))


def test_unknown_split_is_named(tmp_path):
    path = write(tmp_path)

    with pytest.raises(NoDataError, match=r"There is no split 'eval' in .* Its splits: train"):
        examples.split_files(path, "eval")


def test_missing_shard_is_noticed(tmp_path):
    path = write(tmp_path, parts=[ROWS, ROWS])
    os.remove(shard_path(path, "train", 0, 2))

    with pytest.raises(DataFormatError, match="all 2 of them; it holds 1 Parquet files"):
        examples.digest(path)


@given(batches(min_rows=2), st.data())
def test_digest_does_not_depend_on_shards_order_or_columns(tmp_path_factory, batch, data):
    order = pa.array(data.draw(st.permutations(range(batch.num_rows))))
    columns = data.draw(st.permutations(batch.schema.names))
    cut = data.draw(st.integers(0, batch.num_rows))
    other = batch.take(order).select(columns)
    one = write(tmp_path_factory.mktemp("one"), parts=[batch])
    two = write(tmp_path_factory.mktemp("two"), parts=[other.slice(0, cut), other.slice(cut)])

    assert examples.digest(one) == examples.digest(two)


def test_digest_depends_on_split_names_multiplicity_and_types(tmp_path):
    narrow = ROWS.set_column(0, "n", pa.array([1.0, None, 3.0, 4.0]))
    digests = [
        examples.digest(write(tmp_path / "train", "train")),
        examples.digest(write(tmp_path / "eval", "eval")),
        examples.digest(write(tmp_path / "twice", "train", [ROWS, ROWS])),
        examples.digest(write(tmp_path / "float", "train", [narrow])),
        examples.digest(write(tmp_path / "empty", "train", [ROWS.slice(0, 0)])),
        examples.digest(write(tmp_path / "empty-float", "train", [narrow.slice(0, 0)])),
    ]

    assert len(set(digests)) == len(digests)


def test_digest_is_fixed(tmp_path):
    assert examples.digest(write(tmp_path)) == "rows-1:06973128a9e83059b05be510383d1bc4"


def test_sum_in_the_footer_equals_the_sum_of_the_rows(tmp_path):
    file = shard_path(write(tmp_path), "train", 0, 1)
    expected = RowDigest()
    expected.add(ROWS)

    footer = pq.read_metadata(file).metadata[shards._FOOTER_KEY]

    assert expected.hexdigest() in footer.decode()
    assert shards._belongs_to(footer, file)
    assert shard_digest(file) == expected


def test_footer_that_was_carried_to_other_rows_is_not_trusted(tmp_path):
    path = write(tmp_path)
    file = shard_path(path, "train", 0, 1)
    stale = pq.read_metadata(file).metadata
    before = examples.digest(path)
    changed = pa.Table.from_batches([ROWS.set_column(0, "n", pa.array([1, None, 3, 5]))])

    pq.write_table(changed.replace_schema_metadata(stale), file)

    assert shards._FOOTER_KEY in pq.read_metadata(file).metadata
    assert examples.digest(path) != before


def test_partial_sums_merge_in_any_order():
    parts = [RowDigest() for _ in range(3)]
    for part, start in zip(parts, (0, 1, 3), strict=True):
        part.add(ROWS.slice(start, {0: 1, 1: 2, 3: 1}[start]))
    whole = RowDigest()
    whole.add(ROWS)

    merged = RowDigest()
    for part in reversed(parts):
        merged.merge(RowDigest.from_hex(part.hexdigest()))

    assert merged == whole


def test_failed_shard_leaves_nothing(tmp_path):
    path = shard_path(str(tmp_path), "train", 0, 1)

    def fail():
        with ShardWriter(path, ROWS.schema) as shard:
            shard.write(ROWS)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert os.listdir(os.path.dirname(path)) == []


def test_shards_with_different_columns_are_refused(tmp_path):
    path = write(tmp_path, parts=[ROWS, ROWS.select(["n", "s"])])

    with pytest.raises(DataFormatError, match=r"All shards must have the same columns; .* differs in l"):
        examples.digest(path)
