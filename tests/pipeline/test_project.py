"""A project's settings: which root holds where."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.pipeline.project import Project, default_root, is_root_by_chance


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PENSTOCK_ROOT", raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    (folder / "pipelines").mkdir(parents=True)
    return folder


def set_root(folder: Path, root: str) -> None:
    (folder / "penstock.toml").write_text(f'root = "{root}"\n')


def test_root_lies_in_the_working_directory(here: Path, there: Path) -> None:
    assert Project.of_folder(str(there)).root == default_root() == str(here / ".penstock")


def test_pipeline_of_another_folder_brings_the_root_that_its_settings_name(here: Path, there: Path) -> None:
    set_root(there, "results")

    project = Project.of_folder(str(there / "pipelines"))

    assert project.root == str(there / "results")
    assert default_root() == str(here / ".penstock")


def test_settings_where_one_stands_go_before_the_pipelines_and_the_variable_before_both(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_root(there, "results")
    set_root(here, "mine")

    by_settings = Project.of_folder(str(there)).root
    monkeypatch.setenv("PENSTOCK_ROOT", "chosen")
    by_variable = Project.of_folder(str(there)).root

    assert (by_settings, by_variable) == (str(here / "mine"), str(here / "chosen"))


def test_root_is_by_chance_where_only_the_working_directory_has_chosen_it(here: Path, there: Path) -> None:
    root = default_root()

    assert is_root_by_chance(root, str(there))
    assert not is_root_by_chance(root, str(here))
    assert not is_root_by_chance(root, str(here / "pipelines"))
    assert not is_root_by_chance(str(there / ".penstock"), str(there))
