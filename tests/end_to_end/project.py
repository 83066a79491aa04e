"""A pipeline's folder as a user has it: copied, edited, run, and looked at through the command alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from penstock.data.files import check_manifest
from tests.cli.conftest import Said, Shell

NOT_COPIED = shutil.ignore_patterns("__pycache__", "serving")


@dataclass(frozen=True)
class Project:
    """A folder with a `pipeline.py`, its data, and the root in `.penstock`."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / ".penstock"

    @property
    def shell(self) -> Shell:
        return Shell(self.folder)

    def run(self, *arguments: str) -> Said:
        return self.shell("run", "pipeline.py", *arguments)

    def ask(self, *arguments: str) -> Any:
        """What a command answers with `--json`."""
        said = self.shell(*arguments, "--json")
        assert said.code == 0, said.err
        return said.json()

    def artifact(self, kind: str) -> dict[str, Any]:
        """The newest artifact of a type."""
        return self.ask("artifacts", "--type", kind)[0]

    def states(self) -> dict[str, str]:
        """The states of the latest run's steps."""
        return {step["id"]: step["state"] for step in self.ask("runs", "--limit", "1")[0]["steps"]}

    def copy(self, to: Path) -> Project:
        """Copy all but what was pushed."""
        shutil.copytree(self.folder, to, ignore=NOT_COPIED)
        return Project(to)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        (self.folder / name).write_text(text.replace(old, new), encoding="utf-8")

    @contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """Replace a text for a while."""
        with self.kept(name):
            self.edit(name, old, new)
            yield

    @contextmanager
    def kept(self, name: str) -> Iterator[Path]:
        """Give a file or folder that is put back afterwards, whatever becomes of it."""
        path = self.folder / name
        aside = path.with_name(f".kept-{path.name}")
        copy = shutil.copytree if path.is_dir() else shutil.copy2
        copy(path, aside)
        yield path
        if path.is_dir():
            shutil.rmtree(path)
        aside.replace(path)

    def damage(self, recorded: list[dict[str, Any]] | None = None) -> list[str]:
        """What is wrong in the root: artifacts that aren't as recorded, folders that nobody published.

        Args:
            recorded: All artifacts, where they are known already.
        """
        every = self.ask("artifacts") if recorded is None else recorded
        ours = [each for each in every if each["uri"].startswith(str(self.root))]
        found = [f"{each['uri']}: {told}" for each in ours for told in check_manifest(each["uri"], deep=True)]
        known = {each["execution"] for each in ours}
        found += [f"{path} is not recorded" for path in self.root.glob("artifacts/*/*/*") if path.name not in known]
        return found + [f"{path} is left over" for path in self.root.glob(".staging/*")]

    def workers(self) -> list[int]:
        """The worker processes of this root that are alive."""
        return [process.pid for process in psutil.process_iter() if self._is_worker(process)]

    def _is_worker(self, process: psutil.Process) -> bool:
        try:
            return "penstock.runners.worker" in process.cmdline() and process.cwd() == str(self.root.resolve())
        except psutil.Error:
            return False
