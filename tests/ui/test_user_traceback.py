"""A traceback starts at the user's first frame and ends at the user's error."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from penstock.pipeline.annotations import ModuleFile
from penstock.pipeline.errors import UserCodeError
from penstock.ui.user_traceback import innermost, is_ours, printed, user_traceback


def raised_by(text: str, folder: Path) -> BaseException:
    file = folder / "mine.py"
    file.write_text(text)
    try:
        exec(compile(text, str(file), "exec"), {})
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_our_frames_before_the_users_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken.py").write_text("def fail():\n    return 1 / 0\n\nfail()\n")

    try:
        ModuleFile(str(tmp_path / "broken.py"), "broken").load()
    except UserCodeError as error:
        shown = printed(error)

    assert shown.startswith(f'Traceback (most recent call last):\n  File "{tmp_path}/broken.py", line 4, in <module>\n')
    assert shown.endswith("ZeroDivisionError: division by zero")
    assert "UserCodeError" not in shown


def test_frames_of_libraries_after_the_users_stay(tmp_path: Path):
    error = raised_by("import json\njson.loads('no')\n", tmp_path)

    shown = user_traceback("".join(traceback.format_exception(error)))

    assert "json/decoder.py" in shown
    assert shown.splitlines()[-1].startswith("json.decoder.JSONDecodeError")


def test_the_users_own_causes_stay(tmp_path: Path):
    error = raised_by("try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('none') from e\n", tmp_path)

    shown = printed(error)

    assert "KeyError: 'a'" in shown
    assert "direct cause" in shown
    assert shown.endswith("ValueError: none")


def test_a_message_over_several_lines_stays_whole(tmp_path: Path):
    error = raised_by("raise ValueError('one\\n  File two\\nthree')\n", tmp_path)

    assert printed(error).endswith("ValueError: one\n  File two\nthree")


def test_the_place_is_the_innermost_line_below_the_folder(tmp_path: Path):
    error = raised_by("import json\n\njson.loads('no')\n", tmp_path)

    assert innermost(error, str(tmp_path)) == "mine.py:3"
    assert innermost(error, str(tmp_path / "elsewhere")) == ""
    assert not is_ours(error)
