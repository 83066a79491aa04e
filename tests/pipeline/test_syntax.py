"""The canonical text of syntax: equal on every Python, blind to what changes no result."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys

import pytest

from penstock.pipeline import syntax

SAMPLE = '''
"""A module."""
import os.path as p, sys
from . import sibling
from ..above import (one, two as three)

NUMBERS: list[int] = [1, -2, 3_000, 0x10, 1e3, 2j]
TEXTS = ("a" "b", b"c", r"\\d", u"d", f"", f"{1}" "", "" f"{2}")
NOTHING, ELLIPSIS, TRUTH = None, ..., True


@decorated(1, key="v")
@plain
class Model(Base, metaclass=Meta):
    """A class."""

    x: int = 0

    def method(self, a, /, b=1, *rest, c, d=2, **others) -> "Model":
        """A method."""
        return self


class Empty:
    """Only a docstring."""


async def fetch(urls):
    async with session() as s, other():
        async for url in urls:
            yield await s.get(url)


def formats(x, width=3):
    text = f"{x!r:>{width}} and {x=} {{braces}} {x:.2f}" f" joined {'quoted'}"
    return f"""{
        x
    } lines"""


def matches(command):
    match command:
        case {"op": "add", **rest} if rest:
            return rest
        case [1, 2, *tail] | (None as tail):
            return tail
        case Point(x=0, y=float()) | -1 | "text":
            return 0
        case _:
            return (n := len(command), [y for y in range(n) if y])


def flows(*, key=lambda v, *a, k=1: v):
    global STATE
    try:
        with (open("a") as a, open("b") as b):
            del a[0], b.c
    except (OSError, ValueError) as error:
        raise RuntimeError("no") from error
    else:
        pass
    finally:
        assert key, "message"
    while True:
        break
    for i, (j, *k) in {1: 2, **{}}.items():
        continue
    total = 1 if not key else x[1:2, ::3] @ -y ** 2
    total += {*a} or {b: c for b, c in d} and (e async for e in f)
    return total <= 1 < 2 is not None not in ()
'''
GOLDEN = "a712a850501c05dc07c5a4b03e22b303"
"""Checked on Python 3.10 to 3.13."""


def test_digest_of_a_sample_is_the_same_on_every_python() -> None:
    assert syntax.digest(syntax.serialise(ast.parse(SAMPLE))) == GOLDEN


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_other_installed_pythons_agree(version: str) -> None:
    python = shutil.which(f"python{version}")
    if python is None or version == f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"no other python{version} on the PATH")
    script = (
        "import ast, runpy, sys; of = runpy.run_path(sys.argv[1]); "
        "print(of['digest'](of['serialise'](ast.parse(sys.stdin.read()))), end='')"
    )

    said = subprocess.run(
        [python, "-c", script, syntax.__file__], input=SAMPLE, capture_output=True, text=True, check=False
    )
    if said.returncode == 127:
        pytest.skip(f"python{version} on the PATH is a shim without a Python behind it")

    assert said.stdout == GOLDEN


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("f(a, b)", "f(b, a)"),
        ("f(*a)", "f(a)"),
        ("f(a=1)", "f(b=1)"),
        ("x < y", "x <= y"),
        ("def f(a, /): pass", "def f(a): pass"),
        ("def f(*, a): pass", "def f(a): pass"),
        ("f'{x}'", "f'{x!r}'"),
        ("f'{x}'", "'{x}'"),
        ("return None", "return"),
        ("from . import a", "from .. import a"),
    ],
)
def test_different_code_has_different_text(one: str, other: str) -> None:
    assert syntax.serialise(ast.parse(one)) != syntax.serialise(ast.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1  # a remark", "x=(1)"),
        ("def f():\n    'doc'\n    return 1", "def f():\n    return 1"),
        ("class A:\n    'doc'", "class A: pass"),
        ("x = 'a' 'b'", 'x = "ab"'),
        ("x = f'a' f'b{y}'", "x = f'ab{y}'"),
        ("x = u'a'", "x = 'a'"),
        ("f(a,\n  b,)", "f(a, b)"),
    ],
)
def test_equal_code_has_equal_text(one: str, other: str) -> None:
    assert syntax.serialise(ast.parse(one)) == syntax.serialise(ast.parse(other))


def test_readable_source_has_neither_comment_nor_docstring() -> None:
    statement = ast.parse('def f(x):\n    """Doc."""\n    # why\n    return (x)').body[0]

    assert syntax.readable(statement) == "def f(x):\n    return x"
