"""`penstock show` with pictures: what names stand for, pages, and what is said when something is wrong."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PROJECTS, Shell
from tests.house.source_files import in_fresh_python


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a project that described two spans; for commands that only look."""
    folder = tmp_path_factory.mktemp("described") / "project"
    shutil.copytree(PROJECTS / "described", folder)
    shell = Shell(folder)
    said = shell("run", "pipeline.py")
    assert said.code == 0, said.err
    return shell


def path_of(shell: Shell, name: str) -> str:
    return shell("show", name, "--json").json()["uri"]


def test_a_step_shows_what_it_put_out(described: Shell):
    told = described("show", "before").out

    assert "step       before" in told
    assert "train 200 rows · eval 200 rows" in told
    assert "most frequent" in told


def test_an_output_is_named_by_its_step(described: Shell):
    by_name = described("show", "before.statistics", "--json").json()

    assert by_name["type"] == "ExampleStatistics"
    assert [each["name"] for each in by_name["content"]["train"]["features"]] == ["fare", "payment", "tips"]
    assert described("show", str(by_name["id"]), "--json").json() == by_name
    assert described("show", f"{by_name['uri']}/Split-train/FeatureStats.pb", "--json").json() == by_name


def test_a_step_of_one_run_is_named_with_at(described: Shell):
    run = described("runs", "--json").json()[0]["id"]

    assert described("show", f"before.statistics@{run[-8:]}", "--json").json()["run"] == run
    assert described("show", f"before@{run[-8:]}", "--json").json()["id"] == "before"


def test_several_names_stand_beside_each_other(described: Shell):
    told = described("show", "before", "after", "--feature", "payment").out

    assert told.startswith("train · before 200 rows · train · after 200 rows · eval · before 200 rows")
    assert "furthest apart" in told
    assert "fare" not in told


def test_several_names_as_json(described: Shell):
    found = described("show", "before", "SchemaGen", "--json").json()

    assert [(each["type"], each["label"]) for each in found] == [
        ("ExampleStatistics", "before"), ("Schema", "SchemaGen")]  # fmt: skip


def test_anomalies_say_what_to_do_in_words_that_work(described: Shell):
    told = described("show", "ExampleValidator").out
    command = next(line.split() for line in told.splitlines() if line.startswith("  penstock schema propose"))

    said = described(*command[1:-1], str(described.folder / "schema.patch"))

    assert "✗ ERROR  payment  train, eval" in told
    assert "Prcard" in told
    assert said.code == 0, said.err
    assert "Prcard" in (described.folder / "schema.patch").read_text()


def test_the_page_of_anomalies_brings_statistics_and_schema(described: Shell, tmp_path: Path):
    said = described("show", "ExampleValidator", "--html", str(tmp_path / "out.html"))

    page = (tmp_path / "out.html").read_text()
    assert said.out == f"Written: {tmp_path}/out.html\n"
    assert all(f'id="{section}"' in page for section in ("anomalies", "overview", "features", "schema"))
    assert "<title>Anomalies of ExampleValidator</title>" in page


def test_a_run_is_a_page_of_all_its_pictures(described: Shell, tmp_path: Path):
    run = described("runs", "--json").json()[0]["id"]

    said = described("show", run, "--html", str(tmp_path / "out.html"))

    assert said.code == 0, said.err
    assert "Anomalies" in (tmp_path / "out.html").read_text()


def test_statistics_and_schemas_that_no_root_knows_are_shown(described: Shell, tmp_path: Path):
    shutil.copytree(path_of(described, "before.statistics"), tmp_path / "statistics")
    shutil.copy(Path(path_of(described, "SchemaGen.schema"), "schema.pbtxt"), tmp_path / "curated.pbtxt")

    shell = Shell(tmp_path)

    assert "fare" in shell("show", "statistics").out
    assert shell("show", "curated.pbtxt").out.startswith("3 features")
    assert shell("show", "statistics", "curated.pbtxt", "--html", "out.html").code == 0
    beside = described("show", "before", str(tmp_path / "statistics"), "--feature", "fare").out
    assert beside.startswith(f"train · before 200 rows · train · {tmp_path}/statistics 200 rows")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("show befor", 6, "There is no run, step or artifact 'befor'"),
        ("show befor", 6, "Did you mean 'before'?"),
        ("show before.statistcs", 6, "Step 'before' (COMPLETE) put out no 'statistcs'. Did you mean 'statistics'?"),
        ("show before 999", 6, "There is no run, step or artifact '999'"),
        ("show remark --html out.html", 64, "'remark' has no picture: it holds Notes. Pictured are: ExampleAnomalies,"),
        ("show before --feature payed", 64, "--feature 'payed' fits no feature. Did you mean 'payment'?"),
        ("show before --sort names", 64, "--sort 'names' is no order. Did you mean 'name'?"),
        ("show before --slice x", 64, "They describe no slices: StatsOptions(slice_features=...)."),
        ("show before --html nowhere/out.html", 5, "nowhere/out.html can't be written: No such file or directory."),
        ("show before --html .", 5, "can't be written: it is a folder."),
    ],
)
def test_wrong_names_are_answered_with_the_nearest(described: Shell, arguments: str, code: int, told: str):
    said = described(*arguments.split())

    assert (said.code, said.out, said.err.count("Traceback")) == (code, "", 0)
    assert told in said.err


def test_a_page_that_cannot_be_made_leaves_the_old_one(described: Shell, tmp_path: Path):
    (tmp_path / "out.html").write_text("old")

    described("show", "before", "--feature", "payed", "--html", str(tmp_path / "out.html"))

    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("out.html", "old")]


def test_files_that_are_gone_are_named(described: Shell, tmp_path: Path):
    shutil.copytree(described.folder, tmp_path / "copy")
    shell = Shell(tmp_path / "copy")
    gone = path_of(shell, "before.statistics")
    shutil.rmtree(gone)

    said = shell("show", "before", "--html", "out.html")

    assert said.code == 6
    assert f"are gone: there is no {gone}. Make them again: run the pipeline" in said.err
    assert shell("show", "before.statistics").code == 0


def test_damaged_files_are_told_not_raised(described: Shell, tmp_path: Path):
    shutil.copytree(described.folder, tmp_path / "copy")
    shell = Shell(tmp_path / "copy")
    damaged = Path(path_of(shell, "before.statistics"), "Split-train", "FeatureStats.pb")
    damaged.write_bytes(b"nonsense")

    said = shell("show", "before", "--html", "out.html")

    assert "Its content can't be read" in shell("show", "before.statistics").out
    assert said.code == 1
    assert f"{damaged} is not a tensorflow.metadata" in said.err


def test_a_browser_is_asked_to_show_the_page(described: Shell, tmp_path: Path):
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(seen)!r}, 'w').write(sys.argv[1])\n")
    browser.chmod(0o755)

    said = described("show", "before", "--html", str(tmp_path / "out.html"), "--open", BROWSER=f"{browser} %s")

    assert said.code == 0
    assert seen.read_text() == (tmp_path / "out.html").as_uri()


def test_showing_imports_neither_tensorflow_nor_beam(described: Shell, tmp_path: Path):
    code = """
import json, sys
from penstock.cli.main import run
code = run(sys.argv[1:])
print(json.dumps([code, [name for name in ("apache_beam", "keras", "tensorflow", "pandas") if name in sys.modules]]))
"""
    page, root = str(tmp_path / "out.html"), str(described.folder / ".penstock")

    on_a_page = in_fresh_python(code, "show", "ExampleValidator", "--root", root, "--html", page)
    in_the_terminal = in_fresh_python(code, "show", "before", "--root", root)

    assert on_a_page == [0, []]
    assert in_the_terminal == [0, []]
