"""StatisticsGen on real examples: its files, its properties, and that neither workers nor shards matter."""

import os

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.artifacts import Examples, ExampleStatistics, Schema
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.statistics_gen import StatisticsGen
from penstock.components.validation.statistics_ranges import MAX_RANGES, plan_ranges
from penstock.components.validation.stats_options import StatsOptions
from penstock.data import protos
from penstock.data.shards import ShardWriter, shard_path
from penstock.pipeline import Beam, DataError


def _write_split(path, split, table, shards=1):
    os.makedirs(f"{path}/Split-{split}", exist_ok=True)
    bounds = np.linspace(0, table.num_rows, shards + 1).astype(int)
    for index in range(shards):
        with ShardWriter(shard_path(str(path), split, index, shards), table.schema) as shard:
            for batch in table.slice(bounds[index], bounds[index + 1] - bounds[index]).to_batches():
                shard.write(batch)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pa.table(
        {
            "x": pa.array(rng.normal(size=40_000), mask=rng.random(40_000) < 0.1),
            "zone": rng.integers(0, 5, 40_000),
            "s": [f"value {i}" for i in rng.integers(0, 6_000, 40_000)],
        }
    )


@pytest.fixture
def examples(tmp_path, table):
    path = tmp_path / "examples"
    _write_split(path, "train", table, shards=5)
    _write_split(path, "eval", table.slice(0, 1_000))
    return Examples(str(path), properties={"span": 4})


def _run(examples, path, **arguments):
    statistics = ExampleStatistics(str(path))
    StatisticsGen(examples=examples, statistics=statistics, **arguments)
    return statistics


def test_every_split_is_described(examples, tmp_path, table):
    statistics = _run(examples, tmp_path / "statistics")

    assert statistics.properties == {"span": 4, "split_names": ["train", "eval"]}
    assert protos.read_statistics(statistics.path, "train").datasets[0].num_examples == 40_000
    assert protos.read_statistics(statistics.path, "eval") == describe_table(table.slice(0, 1_000))


def test_excluded_split_is_not_described(examples, tmp_path):
    statistics = _run(examples, tmp_path / "statistics", exclude_splits=["eval"])

    assert statistics.properties["split_names"] == ["train"]
    assert protos.split_names_of(statistics.path) == ["train"]


def test_digest_is_the_same_for_one_two_and_four_workers(examples, tmp_path):
    runs = [_run(examples, tmp_path / str(workers), beam=Beam(workers=workers)) for workers in (1, 2, 4)]

    assert len({protos.digest_statistics(run.path) for run in runs}) == 1


def test_a_split_without_rows_is_described_with_its_columns(tmp_path, table):
    _write_split(tmp_path / "examples", "train", table.slice(0, 0))

    statistics = _run(Examples(str(tmp_path / "examples")), tmp_path / "statistics")

    dataset = protos.read_statistics(statistics.path, "train").datasets[0]
    assert dataset.num_examples == 0
    assert [feature.path.step[0] for feature in dataset.features] == ["x", "zone", "s"]


def test_the_schema_says_which_integers_are_categories(examples, tmp_path):
    hints = schema_pb2.Schema()
    hints.feature.add(name="zone", type=schema_pb2.INT).int_domain.is_categorical = True
    protos.write_schema(str(tmp_path / "schema"), hints)

    statistics = _run(examples, tmp_path / "statistics", schema=Schema(str(tmp_path / "schema")))

    zone = protos.read_statistics(statistics.path, "train").datasets[0].features[1]
    assert zone.string_stats.unique == 5


def test_unknown_excluded_split_is_refused_with_the_nearest_name(examples, tmp_path):
    with pytest.raises(DataError) as refused:
        _run(examples, tmp_path / "statistics", exclude_splits=["evl"])

    assert str(refused.value) == (
        "StatisticsGen(exclude_splits=...) names 'evl', which is no split of its input. Did you mean 'eval'? "
        "It has: train, eval."
    )


def test_a_sample_that_keeps_no_row_is_refused(examples, tmp_path):
    with pytest.raises(DataError) as refused:
        _run(examples, tmp_path / "statistics", stats_options=StatsOptions(sample_rate=1e-9))

    assert str(refused.value) == (
        "StatsOptions(sample_rate=1e-09) keeps none of the 40000 rows of split 'train', so that nothing of it would be "
        "described. Choose a greater one, or leave the split out: StatisticsGen(exclude_splits=['train'])."
    )


def test_excluding_every_split_is_refused(examples, tmp_path):
    with pytest.raises(DataError, match="leaves no split to work on"):
        _run(examples, tmp_path / "statistics", exclude_splits=["train", "eval"])


def test_ranges_are_whole_shards_and_bounded_in_number(tmp_path):
    _write_split(tmp_path, "train", pa.table({"x": np.arange(150)}), shards=150)

    ranges = plan_ranges(str(tmp_path), "train")

    assert len(ranges) <= MAX_RANGES
    assert [each.number for each in ranges] == list(range(len(ranges)))
    files = [file for each in ranges for file in each.files]
    assert len(files) == 150
    assert files == sorted(files)


def test_digest_does_not_depend_on_workers_whatever_is_asked_for(examples, tmp_path):
    options = StatsOptions(
        weight_feature="zone",
        slice_features=[["zone"]],
        sample_rate=0.5,
        enable_semantic_domain_stats=True,
        feature_allowlist=["x", "s"],
    )

    runs = [
        _run(examples, tmp_path / str(workers), beam=Beam(workers=workers), stats_options=options) for workers in (1, 2)
    ]

    assert len({protos.digest_statistics(run.path) for run in runs}) == 1
    datasets = protos.read_statistics(runs[0].path, "train").datasets
    assert [dataset.name for dataset in datasets] == ["All Examples", *(f"zone_{zone}" for zone in range(5))]
    assert [feature.path.step[0] for feature in datasets[0].features] == ["x", "s"]


def test_options_that_name_no_column_are_refused_before_anything_is_read(examples, tmp_path):
    with pytest.raises(DataError, match=r"names 'zoen', which is no column of the examples\. Did you mean 'zone'\?"):
        _run(examples, tmp_path / "statistics", stats_options=StatsOptions(slice_features=[["zoen"]]))
