"""The page: well formed, without a way to the network, the same figures as the terminal, safe with hostile data."""

from __future__ import annotations

import base64
import doctest
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

from penstock.artifacts import ExampleStatistics, Model, Schema
from penstock.components.validation.dataset_statistics import describe_table
from penstock.components.validation.stats_options import StatsOptions
from penstock.data import protos
from penstock.pipeline.errors import ParameterError
from penstock.ui.contents import statistics as statistics_view
from penstock.ui.page import markup
from penstock.ui.page.statistics_page import page
from penstock.ui.shown import Shown, Wish
from tests.ui import described
from tests.ui.any_statistics import statistics
from tests.ui.test_pictures import leaky, nested, two_schemas

ALONE = {"meta", "input", "line", "path", "rect"}
ASKS = {"src", "action", "formaction", "data", "poster", "srcset", "background", "ping"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); //",
    "</title></style></script><svg onload=alert(1)>",
    "&lt;b&gt;",
    "javascript:alert(1)",
    "]]><!--",
    "\x00\x1b[31m\u202e",
]


def texts(min_size: int = 0) -> st.SearchStrategy[str]:
    return st.text(min_size=min_size, max_size=30) | st.sampled_from(HOSTILE) | st.text("<>&\"'/!-", min_size=min_size)


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed in its order, every id is its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALONE:
            self.open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open[-1:] in (["script"], ["style"]) else self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def asked(self) -> list[tuple[str, str, str]]:
        """Attributes by which a page loads something, runs something, or leads elsewhere."""
        return [
            each
            for each in self.attributes
            if each[1] in ASKS or each[1].startswith("on") or each[1] == "style"
            or (each[1] in ("href", "xlink:href") and not each[2].startswith("#"))
        ]  # fmt: skip


@pytest.fixture
def whole(tmp_path: Path) -> str:
    """A page with everything on it."""
    options = StatsOptions(slice_features=[["payment"]])
    splits = {"train": described.taxi(), "eval": described.taxi(100, factor=3, seed=1)}
    seen = described.statistics(tmp_path / "s", splits, options)
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name="fare", type=schema_pb2.FLOAT)])
    protos.write_schema(str(tmp_path / "schema"), schema)
    known = Shown("Schema", str(tmp_path / "schema"), reference="3")
    wrong = {"train": [("payment", 2, "New values", "Dispute (10%).")], "eval": []}
    return page([described.anomalies(tmp_path / "a", wrong, seen, known)])


def test_examples_in_docstrings_hold():
    assert doctest.testmod(markup).failed == 0


def test_a_page_is_well_formed_and_asks_the_network_for_nothing(whole: str):
    read = Reader(whole)

    assert read.asked() == []
    assert "://" not in whole
    assert "url(" not in whole
    assert "@import" not in whole


def test_links_lead_to_what_is_on_the_page(whole: str):
    read = Reader(whole)

    leads = {value[1:] for _, name, value in read.attributes if name == "href"}

    assert {"anomalies", "apart", "features", "slices", "schema"} <= leads <= set(read.ids)


def test_the_policy_knows_the_script_and_the_style_by_their_hashes(whole: str):
    style, script = Reader(whole).scripts

    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', whole)

    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].replace("&#x27;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'{digest(script)}'"
    assert rules["style-src"] == f"'{digest(style)}'"


def test_anomalies_bring_their_statistics_and_their_schema(whole: str):
    told = Reader(whole).text

    assert "1 error in train, eval" in told
    assert "ENUM_TYPE_UNEXPECTED_STRING_VALUES" in told
    assert "penstock schema propose 3 7 -o schema.patch" in told
    assert "Furthest apart" in told
    assert "differs most from the whole in" in told


def test_features_are_ranked_by_their_distance(whole: str):
    ranking = whole[whole.index('id="apart"') : whole.index('id="features"')]

    names = re.findall(r'<a href="#f\d+">(\w+)</a>', ranking)

    assert sorted(names) == ["fare", "payment", "tips"]
    assert names[0] == "fare"


def test_every_chart_says_what_it_is(whole: str):
    charts = re.findall(r"<svg[^>]*role=.img.[^>]*>(.{7})", whole)

    assert len(charts) == 2 + 1 + 2
    assert set(charts) == {"<title>"}


def test_many_sides_are_drawn_below_each_other(tmp_path: Path):
    shown = described.statistics(tmp_path, {f"s{place}": described.taxi(50, seed=place) for place in range(8)})

    drawn = page([shown])

    Reader(drawn)
    assert drawn.count('class="strip"') == 8 * 2 * 2
    assert 'class="density"' not in drawn


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"a": pa.array([None, None], pa.int64())}, "Every row misses it."),
        ({"a": [float("nan"), float("inf")]}, "There is no finite number."),
        ({"a": [5, 5]}, "int"),
        ({"a": [[], [1, 2], None]}, "0 to 2 values a row"),
        ({"a": [b"\xff\xfe"]}, "(not UTF-8)"),
        ({"a": [[1, 2], [3, 4]]}, "2 values a row"),
        ({"a": [float("nan"), 1.0]}, "NaN: 1"),
        ({"a": [""]}, "“”"),
    ],
)
def test_odd_columns_have_a_place(tmp_path: Path, columns: dict, told: str):
    shown = described.statistics(tmp_path, {"train": columns})

    assert told in Reader(page([shown])).text


def test_two_schemas_tell_what_differs(tmp_path: Path):
    told = " ".join(Reader(page(two_schemas(tmp_path))).text.split())

    assert "What differs from old to new: 2 differences" in told
    assert "feature 'fare' set type: INT (now FLOAT) breaking" in told


def test_nested_and_sparse_features_have_a_place(tmp_path: Path):
    told = Reader(page([nested(tmp_path)])).text

    assert "Of struct no distribution is kept." in told
    assert "missing value: 2" in told


def test_statistics_without_a_row_are_a_page(tmp_path: Path):
    protos.write_statistics(str(tmp_path), "train", DatasetFeatureStatisticsList())

    told = Reader(page([Shown("ExampleStatistics", str(tmp_path))])).text

    assert "Overview" in told
    assert "0 of 0" in " ".join(told.split())


def test_leakage_and_correlations_have_their_sections(tmp_path: Path):
    made = page([leaky(tmp_path)])

    told = " ".join(Reader(made).text.split())

    assert "rows that earlier splits have eval 25.0% 0% leaks 25 of 100, such as fare=1.5" in told
    assert "fare and tips" in told
    assert "share of round fares: 0.25" in told


def test_no_anomalies_are_told(tmp_path: Path):
    told = Reader(page([described.anomalies(tmp_path, {"train": []})])).text

    assert "No anomalies." in told


def test_an_unknown_feature_names_the_nearest(tmp_path: Path):
    shown = described.statistics(tmp_path, {"train": described.taxi()})

    with pytest.raises(ParameterError, match=r"--feature 'tip' fits no feature\. Did you mean 'tips'\?"):
        page([shown], Wish(features=("tip",)))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_values_stay_text(tmp_path: Path, hostile: str):
    shown = described.statistics(tmp_path / "s", {"train": {hostile: [hostile, hostile, "a"]}})
    wrong = described.anomalies(tmp_path / "a", {"train": [(hostile, 2, hostile, hostile)]}, shown)
    schema = schema_pb2.Schema(feature=[schema_pb2.Feature(name=hostile, type=schema_pb2.BYTES, domain="d")])
    schema.string_domain.add(name="d", value=[hostile])
    protos.write_schema(str(tmp_path / "schema"), schema)

    made = page([wrong, Shown("Schema", str(tmp_path / "schema"), label=hostile)])

    assert Reader(made).asked() == []
    assert Reader(made).scripts == Reader(page([])).scripts


@settings(max_examples=40, deadline=None)
@given(name=texts(min_size=1), value=texts(), label=texts())
def test_any_name_and_value_leave_the_page_well_formed(tmp_path_factory, name: str, value: str, label: str):
    folder = tmp_path_factory.mktemp("any")
    made = describe_table(pa.table({"a": [1.0]}))
    feature = made.datasets[0].features.add(type=2)
    feature.path.step.append(name)
    feature.string_stats.common_stats.num_non_missing = 1
    feature.string_stats.rank_histogram.buckets.add(label=value, sample_count=1)
    protos.write_statistics(str(folder), "train", made)

    read = Reader(page([Shown("ExampleStatistics", str(folder), label)]))

    assert read.asked() == []
    assert len([each for each in read.ids if re.fullmatch(r"f\d+", each)]) == len({"a", name})


@settings(max_examples=80, deadline=None)
@given(splits=st.dictionaries(st.sampled_from(["train", "eval", "test", "more"]), statistics(), min_size=1))
def test_whatever_statistics_say_there_is_a_page_a_table_and_a_document(tmp_path_factory, splits):
    folder = tmp_path_factory.mktemp("any")
    for split, made in splits.items():
        protos.write_statistics(str(folder), split, made)
    shown = Shown("ExampleStatistics", str(folder))

    drawn = page([shown])
    table = described.text(statistics_view.render([shown]), width=60)
    document = statistics_view.document(shown)

    assert Reader(drawn).asked() == []
    assert not [path for path in re.findall(r' (?:d|width|x)="([^"]*)"', drawn) if "nan" in path or "inf" in path]
    assert max(map(len, table.splitlines())) <= 60
    assert json.loads(json.dumps(document, allow_nan=False)) is not None


def test_a_value_of_ten_megabytes_is_cut(tmp_path: Path):
    made = describe_table(pa.table({"a": ["x"]}))
    strings = made.datasets[0].features[0].string_stats
    strings.rank_histogram.buckets[0].label = "y" * 10_000_000
    protos.write_statistics(str(tmp_path), "train", made)

    assert len(page([Shown("ExampleStatistics", str(tmp_path))])) < 100_000


def test_an_artifact_shows_itself_in_a_notebook(tmp_path: Path):
    described.statistics(tmp_path, {"train": described.taxi()})

    shown = ExampleStatistics(str(tmp_path))._repr_html_()

    assert shown is not None
    assert shown.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert [tag for tag, _, _ in Reader(shown).attributes] == ["iframe"] * 4


def test_an_artifact_that_is_gone_or_has_no_picture_shows_nothing(tmp_path: Path):
    assert Schema(str(tmp_path / "gone"))._repr_html_() is None
    assert Model(str(tmp_path))._repr_html_() is None
