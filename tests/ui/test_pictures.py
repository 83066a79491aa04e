"""Statistics, anomalies, schemas and differences in the terminal."""

from __future__ import annotations

import doctest
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.components.validation.stats_options import StatsOptions
from penstock.data import protos
from penstock.pipeline.errors import ParameterError
from penstock.ui import anomaly_words, distribution_sketch, pictures
from penstock.ui.contents import anomalies as anomaly_view
from penstock.ui.contents import examples_diff, schema, statistics
from penstock.ui.shown import Shown, Wish
from tests.ui import described

SCHEMA = """
feature { name: "fare" type: FLOAT presence { min_fraction: 1.0 } shape { dim { size: 1 } }
  float_domain { min: 0 max: 100 } drift_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
feature { name: "payment" type: BYTES domain: "payment" presence { min_fraction: 0.5 } value_count { min: 1 max: 3 }
  skew_comparator { infinity_norm { threshold: 0.01 } } not_in_environment: "SERVING" }
feature { name: "old" type: INT lifecycle_stage: DEPRECATED int_domain { is_categorical: true } }
string_domain { name: "payment" value: "Cash" value: "Card" }
default_environment: "TRAINING" default_environment: "SERVING"
"""


@pytest.fixture
def two_splits(tmp_path: Path) -> Shown:
    return described.statistics(tmp_path, {"train": described.taxi(), "eval": described.taxi(100, factor=3, seed=1)})


@pytest.mark.parametrize("module", [anomaly_words, distribution_sketch])
def test_examples_in_docstrings_hold(module: object):
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_splits_stand_beside_each_other_feature_by_feature(two_splits: Shown):
    lines = described.text(statistics.render([two_splits])).splitlines()

    fare = next(place for place, line in enumerate(lines) if line.startswith("fare"))
    assert lines[0] == "train 400 rows · eval 100 rows"
    assert lines[fare].split()[1:4] == ["train", "float", "400"]
    assert lines[fare + 1].split()[:3] == ["eval", "float", "100"]
    assert set(lines[fare].split()[-1]) <= set(distribution_sketch.BLOCKS)


def test_figures_are_those_of_the_statistics(tmp_path: Path):
    shown = described.statistics(tmp_path, {"train": {"n": [0, 0, 4, None], "s": ["a", "a", "b", None]}})

    found = {each["name"]: each for each in statistics.document(shown)["train"]["features"]}

    assert found["n"] == found["n"] | {
        "count": 3,
        "missing": 1,
        "missing_share": 0.25,
        "zeros": 2,
        "median": 0,
        "max": 4,
    }
    assert found["n"]["mean"] == pytest.approx(4 / 3)
    assert found["s"] == found["s"] | {"type": "string", "unique": 2, "top": ["a", "b"]}
    assert found["s"]["top_values"] == [{"value": "a", "count": 2}, {"value": "b", "count": 1}]


def test_what_is_no_json_number_is_a_word(tmp_path: Path):
    shown = described.statistics(tmp_path, {"train": {"n": [1.0, float("inf"), float("-inf")]}})

    document = statistics.document(shown)

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["train"]["features"][0]["max"] == "inf"


@pytest.mark.parametrize("width", [200, 120, 80, 60, 40])
def test_a_narrow_terminal_loses_columns_not_alignment(two_splits: Shown, width: int):
    lines = described.text(statistics.render([two_splits]), width).splitlines()

    assert max(map(len, lines)) <= width
    assert any(line.startswith("feature") and line.endswith("distribution") for line in lines)
    assert ("std" in lines[3].split()) == (width >= 120)


def test_features_are_chosen_by_name_and_pattern(two_splits: Shown):
    told = described.text(statistics.render([two_splits], Wish(features=("fa*", "tips"))))

    assert "fare" in told
    assert "tips" in told
    assert "payment" not in told


def test_an_unknown_feature_names_the_nearest(two_splits: Shown):
    with pytest.raises(ParameterError, match=r"--feature 'faer' fits no feature. Did you mean 'fare'\?"):
        statistics.render([two_splits], Wish(features=("faer",)))


@pytest.mark.parametrize(
    ("sort", "first"), [("data", "fare"), ("missing", "tips"), ("name", "fare"), ("mean", "fare"), ("zeros", "fare")]
)
def test_features_are_sorted(two_splits: Shown, sort: str, first: str):
    told = described.text(statistics.render([two_splits], Wish(sort=sort)))

    assert told.split("distribution\n")[1].startswith(first)


def test_an_unknown_order_names_the_nearest(two_splits: Shown):
    with pytest.raises(ParameterError, match=r"--sort 'mising' is no order. Did you mean 'missing'\?"):
        statistics.render([two_splits], Wish(sort="mising"))


def test_the_limit_says_what_it_leaves_out(two_splits: Shown):
    told = described.text(statistics.render([two_splits], Wish(limit=1)))

    assert "… 2 more features; --limit 3 lists them" in told


def test_the_feature_that_changed_is_furthest_apart(two_splits: Shown):
    lines = described.text(statistics.render([two_splits])).splitlines()

    assert lines[lines.index("furthest apart") + 2].split()[:4] == ["fare", "train", "and", "eval"]


def test_identifiers_are_not_compared(tmp_path: Path):
    names = [[f"user-{place + start}" for place in range(200)] for start in (0, 200)]
    shown = described.statistics(tmp_path, {"train": {"user": names[0]}, "eval": {"user": names[1]}})

    assert "furthest apart" not in described.text(statistics.render([shown]))


def test_counts_of_weighted_statistics_are_weights(tmp_path: Path):
    columns = {"fare": [1.0, None, 4.0], "kind": ["a", "b", "a"], "weight": [2.0, 3.0, 0.5]}
    shown = described.statistics(tmp_path, {"train": columns}, StatsOptions(weight_feature="weight"))

    found = {each["name"]: each for each in statistics.document(shown)["train"]["features"]}

    assert "train 3 rows (counts are weights)" in described.text(statistics.render([shown]))
    assert found["fare"] == found["fare"] | {"count": 2.5, "missing": 3, "mean": pytest.approx(1.6)}
    assert found["kind"]["top_values"] == [{"value": "b", "count": 3}, {"value": "a", "count": 2.5}]


def nested(folder: Path) -> Shown:
    """Statistics as TFDV has them of nested and sparse features."""
    proto = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = proto.datasets.add(num_examples=5)
    for kind, steps in ((statistics_pb2.FeatureNameStatistics.STRUCT, ["trip"]), (0, ["trip", "miles"]), (2, ["s"])):
        dataset.features.add(type=kind).path.step.extend(steps)
    dataset.features[0].struct_stats.common_stats.num_non_missing = 5
    dataset.features[1].num_stats.common_stats.num_missing = 5
    dataset.features[2].custom_stats.add(name="missing_value", num=2)
    protos.write_statistics(str(folder), "train", proto)
    return Shown("ExampleStatistics", str(folder))


def test_nested_and_sparse_features_have_a_row(tmp_path: Path):
    told = described.text(statistics.render([nested(tmp_path)]))

    assert re.search(r"trip +struct +5 +0%", told)
    assert re.search(r"trip\.miles +int +0 +100%", told)
    assert re.search(r"s +train +missing value +2", told)


def test_a_feature_that_one_split_lacks_says_so(tmp_path: Path):
    shown = described.statistics(tmp_path, {"train": {"a": [1], "b": [2]}, "eval": {"a": [1]}})

    lines = described.text(statistics.render([shown])).splitlines()

    assert any(line.split() == ["eval", "not", "there"] for line in lines)


def test_a_slice_stands_beside_the_whole(tmp_path: Path):
    options = StatsOptions(slice_features=[["payment"]])
    shown = described.statistics(tmp_path, {"train": described.taxi()}, options)
    name = statistics.document(shown)["train"]["slices"][0]["name"]

    told = described.text(statistics.render([shown], Wish(slices=(name,))))

    assert f"train · {name}" in told


def test_an_unknown_slice_names_those_there_are(tmp_path: Path):
    shown = described.statistics(tmp_path, {"train": described.taxi()}, StatsOptions(slice_features=[["payment"]]))

    with pytest.raises(ParameterError, match=r"--slice 'payment_Csh' is no slice of the statistics\. Did you mean"):
        statistics.render([shown], Wish(slices=("payment_Csh",)))


def test_artifacts_of_two_spans_are_compared_split_by_split(tmp_path: Path):
    first = described.statistics(tmp_path / "1", {"train": described.taxi(), "eval": described.taxi()})
    second = described.statistics(tmp_path / "2", {"train": described.taxi(factor=2), "eval": described.taxi()})
    spans = [Shown(first.type, first.path, "span 1"), Shown(second.type, second.path, "span 2")]

    told = described.text(statistics.render(spans))

    assert told.startswith("train · span 1 400 rows · train · span 2 400 rows · eval · span 1 400 rows")
    assert "fare     train · span 1 and train · span 2" in told


def test_no_value_acts_on_the_terminal(tmp_path: Path):
    hostile = "\x1b[2J\u202egnp.exe"
    shown = described.statistics(tmp_path, {"train": {hostile: [hostile, "x" * 900]}})

    told = described.text(statistics.render([shown]))

    assert "\x1b" not in told
    assert "\u202e" not in told
    assert r"\x1b[2J\u202egnp.exe" in told


def test_a_folder_without_splits_is_no_statistics(tmp_path: Path):
    with pytest.raises(protos.DataFormatError, match="holds no statistics: it has no folder Split-<name>"):
        statistics.render([Shown("ExampleStatistics", str(tmp_path))])


def test_anomalies_come_gravest_first_with_evidence_and_repair(tmp_path: Path):
    seen = described.statistics(tmp_path / "s", {"train": described.taxi()})
    schema_shown = Shown("Schema", str(tmp_path), reference="3")
    found = {"train": [("fare", 1, "Odd", "It is odd."), ("payment", 2, "New values", "Dispute (10%).")]}
    shown = described.anomalies(tmp_path / "a", found, seen, schema_shown)

    lines = described.text(anomaly_view.render([shown])).splitlines()

    assert lines[0] == "1 error, 1 warning in train"
    assert lines[2] == "✗ ERROR  payment  train"
    assert lines[3] == "  New values: Dispute (10%)."
    assert lines[4].startswith("  train has 400 present, 0% missing; 3 distinct; such as Cash ")
    assert "! WARNING  fare  train" in lines
    assert "  penstock schema propose 3 7 -o schema.patch" in lines


def test_an_anomaly_of_two_splits_is_told_once(tmp_path: Path):
    alike = ("fare", 2, "Odd", "It is odd.")
    shown = described.anomalies(
        tmp_path, {"train": [alike, ("b", 2, "Far", "by 2")], "eval": [alike, ("b", 2, "Far", "by 3")]}
    )

    told = described.text(anomaly_view.render([shown]))

    assert told.count("Odd: It is odd.") == 1
    assert "  Far:\n    train: by 2\n    eval: by 3" in told
    assert told.startswith("2 errors in train, eval")


def test_anomalies_of_several_artifacts_each_have_their_evidence(tmp_path: Path):
    found = {"train": [("fare", 2, "Odd", "It is odd.")]}
    shown = [
        replace(described.anomalies(tmp_path / f"a{rows}", found, seen), label=f"span {rows}")
        for rows in (50, 70)
        for seen in [described.statistics(tmp_path / f"s{rows}", {"train": described.taxi(rows)})]
    ]

    lines = described.text(anomaly_view.render(shown)).splitlines()

    assert lines[0] == "1 error in train · span 50, train · span 70"
    assert lines[4].startswith("  train · span 50 has 50 present, 0% missing; float from ")
    assert lines[5].startswith("  train · span 70 has 70 present, 0% missing; float from ")


def test_a_split_without_rows_is_an_error(tmp_path: Path):
    protos.write_anomalies(str(tmp_path), "eval", anomalies_pb2.Anomalies(data_missing=True))

    told = described.text(anomaly_view.render([Shown("ExampleAnomalies", str(tmp_path))]))

    assert "✗ ERROR  the split as a whole  eval" in told
    assert "The split has no examples" in told


def test_no_anomalies_are_one_line(tmp_path: Path):
    shown = described.anomalies(tmp_path, {"train": [], "eval": []})

    assert described.text(anomaly_view.render([shown])) == "No anomalies in train, eval."


def test_distances_are_held_against_their_thresholds(tmp_path: Path):
    proto = anomalies_pb2.Anomalies()
    info = proto.drift_skew_info.add()
    info.path.step.append("fare")
    info.drift_measurements.add(type=2, value=0.5, threshold=0.25)
    protos.write_anomalies(str(tmp_path), "train", proto)

    lines = described.text(anomaly_view.render([Shown("ExampleAnomalies", str(tmp_path))])).splitlines()

    assert lines[-1].split() == ["✗", "fare", "train", "drift", "Jensen-Shannon", "0.5000", "0.2500"]


def test_a_schema_is_a_table(tmp_path: Path):
    protos.write_schema(str(tmp_path), text_format.Parse(SCHEMA, schema_pb2.Schema()))

    lines = described.text(schema.render([Shown("Schema", str(tmp_path))])).splitlines()

    assert lines[:2] == ["3 features", "environments: TRAINING, SERVING"]
    fare, payment, old = (line.split("  ") for line in lines[4:])
    assert [cell.strip() for cell in fare if cell] == [
        "fare", "float", "required", "1", "≥ 0, ≤ 100", "drift: Jensen-Shannon ≤ 0.1"]  # fmt: skip
    assert [cell.strip() for cell in payment if cell] == [
        "payment", "bytes", "in 50.0% of rows", "1 to 3", "2 values: Cash, Card", "not SERVING",
        "skew: L-infinity ≤ 0.01"]  # fmt: skip
    assert [cell.strip() for cell in old if cell] == ["old", "int", "categories", "DEPRECATED"]


def two_schemas(folder: Path) -> list[Shown]:
    """A schema and what became of it: another type, one value more."""
    old = SCHEMA.replace("float_domain { min: 0 max: 100 }", "")
    new = old.replace("FLOAT", "INT").replace('"Cash"', '"Cash" value: "Coin"')
    for name, text in (("old", old), ("new", new)):
        protos.write_schema(str(folder / name), text_format.Parse(text, schema_pb2.Schema()))
    return [Shown("Schema", str(folder / name), label=name) for name in ("old", "new")]


def test_two_schemas_tell_what_differs(tmp_path: Path):
    told = described.text(schema.render(two_schemas(tmp_path)))

    lines = [" ".join(line.split()) for line in told.splitlines()]
    head = lines.index("from old to new: 2 differences")
    assert lines[head + 2] == "feature 'fare' set type: INT (now FLOAT) breaking"
    assert lines[head + 3].startswith("string_domain 'payment' add")
    assert lines[head + 3].endswith("needs retraining")


def test_a_schema_as_json_has_its_text_and_its_features(tmp_path: Path):
    protos.write_schema(str(tmp_path), text_format.Parse(SCHEMA, schema_pb2.Schema()))

    found = schema.document(Shown("Schema", str(tmp_path)), Wish(features=("payment",)))

    assert 'name: "fare"' in found["text"]
    assert [each["name"] for each in found["features"]] == ["payment"]
    assert found["features"][0]["values"] == ("Cash", "Card")


def test_differences_come_with_samples(tmp_path: Path):
    counted = {"same": 7, "different": 3, "only_examples": 0, "only_baseline": 0, "skew": 0.3}
    found = {"pairs": 10, "only_examples": 2, "only_baseline": 0, "ambiguous": 0, "keyless": 0,
             "columns_only_examples": [], "columns_only_baseline": ["tip"],
             "features": {"even": {**counted, "different": 0, "skew": 0.0}, "fare": counted},
             "samples": [{"key": {"id": 5}, "values": {"fare": [1.5, None]}}]}  # fmt: skip
    folder = tmp_path / "Split-train_train"
    folder.mkdir()
    (folder / "example_diff.json").write_text(json.dumps(found))

    lines = described.text(examples_diff.render([Shown("ExamplesDiff", str(tmp_path))])).splitlines()

    head = "10 pairs compared; rows 2 only in the examples; columns only in the baseline: tip"
    assert lines[0] == f"train_train  {head}"
    assert lines[2].split() == ["fare", "30.0%", "3", "0", "0"]
    assert lines[-1] == "  id 5: fare 1.5 against null"


@pytest.mark.parametrize("type_name", pictures.CONTENTS)
def test_a_type_is_told_by_its_files(tmp_path: Path, type_name: str):
    mark = next(name for name, own in pictures.MARKS.items() if own == type_name)
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "Split-train" / mark).write_bytes(b"")

    assert pictures.type_of_path(str(tmp_path)) == type_name


def test_a_folder_of_something_else_has_no_picture(tmp_path: Path):
    (tmp_path / "model.txt").write_text("x")

    assert pictures.type_of_path(str(tmp_path)) is None
    assert pictures.type_of_path(str(tmp_path / "model.txt")) is None
    assert pictures.type_of_path("/dev/null") is None


def leaky(folder: Path) -> Shown:
    """Statistics with correlations, a statistic of the user's own, and a report of leakage."""
    options = StatsOptions(cross_features=[["fare", "tips"]])
    shown = described.statistics(folder, {"train": described.taxi(), "eval": described.taxi(100, seed=1)}, options)
    for split in ("train", "eval"):
        proto = protos.read_statistics(str(folder), split)
        proto.datasets[0].features[0].custom_stats.add(name="share_of_round_fares", num=0.25)
        protos.write_statistics(str(folder), split, proto)
    report = {
        "split_order": ["train", "eval"],
        "max_duplicate_fraction": 0.0,
        "duplicates": [{"split": "eval", "rows": 100, "shared": 25, "examples": ["fare=1.5"]}],
        "prediction": {"label": "tips", "split": "train", "measure": "correlation", "rows": 300, "bound": 0.9,
                       "features": {"fare": 0.5}, "unmeasured": {}},
    }  # fmt: skip
    (folder / protos.LEAKAGE_FILE).write_text(json.dumps(report))
    return shown


def test_leakage_is_held_against_its_bounds(tmp_path: Path):
    told = described.text(statistics.render([leaky(tmp_path)]))

    lines = [" ".join(line.split()) for line in told.splitlines()]
    head = lines.index("leakage")
    assert lines[head + 2] == "✗ rows that earlier splits have eval 25.0% 0% 25 of 100, such as fare=1.5"
    assert lines[head + 3] == "✓ tips known from fare train 50.0% 90.0% correlation"


def test_correlations_and_the_users_own_figures_are_told(tmp_path: Path):
    shown = leaky(tmp_path)

    lines = described.text(statistics.render([shown])).splitlines()

    assert any(line.split()[:5] == ["fare", "train", "share", "of", "round"] for line in lines)
    assert re.fullmatch(r"fare and tips +[+-]0\.\d{3} +[+-]0\.\d{3}", lines[lines.index("correlations") + 2])
    assert statistics.document(shown)["eval"]["features"][0]["further"] == {"share of round fares": "0.25"}


def test_what_no_schema_accepts_is_not_answered_with_one(tmp_path: Path):
    proto = anomalies_pb2.Anomalies()
    proto.dataset_anomaly_info.severity = anomalies_pb2.AnomalyInfo.ERROR
    proto.dataset_anomaly_info.reason.add(type=anomalies_pb2.AnomalyInfo.CUSTOM_VALIDATION, short_description="Leak")
    protos.write_anomalies(str(tmp_path), "eval", proto)
    known = Shown("Schema", str(tmp_path), reference="3")

    told = described.text(anomaly_view.render([Shown("ExampleAnomalies", str(tmp_path), made_from=(known,))]))

    assert "No change of the schema accepts this: if it is meant, change the check that found it." in told
    assert "penstock schema" not in told
