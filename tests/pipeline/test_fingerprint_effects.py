"""Rule 4 where files act on one another: tables filled elsewhere, names replaced, modules imported for what they do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from penstock.pipeline.references import Scope
from tests.pipeline.test_fingerprint import changed_symbols, digests, write

REGISTRY = "class Registry:\n    found = {}\n    def add(self, function):\n        return function\nR = Registry()\n"
FUNCTION = "H = {}\ndef register(function):\n    H['a'] = function\n    return function\n"
HOOK = "class Base:\n    found = {}\n    def __init_subclass__(cls):\n        Base.found[cls.__name__] = cls\n"


def step(expression: str, top: str = "") -> str:
    return f"{top}\ndef component(text=''):\n    return {expression}\n"


SEEN = {
    "a name that a package takes by import *": (
        {"steps.py": step("clean()", "from lib import clean"), "lib/__init__.py": "from .impl import *\n"},
        "lib/impl.py", "def clean():\n    return 1\n",
    ),
    "a name behind two import *": (
        {"steps.py": step("clean()", "from a import clean"), "a.py": "from b import *\n", "b.py": "from c import *\n"},
        "c.py", "def clean():\n    return 1\n",
    ),
    "a name that a module's __getattr__ makes": (
        {
            "steps.py": step("clean()", "from lib import clean"),
            "lib/__init__.py": "def __getattr__(name):\n    from . import impl\n    return getattr(impl, name)\n",
        },
        "lib/impl.py", "def clean():\n    return 1\n",
    ),
    "a name that globals() binds": (
        {"steps.py": step("clean()", "from lib import clean")},
        "lib.py", "def make():\n    return lambda: 1\nglobals().update(clean=make())\n",
    ),
    "a name that exec binds": ({}, "steps.py", step("RATE", "exec('RATE = 1')")),
    "a name set on the module itself": (
        {}, "steps.py", step("RATE", "import sys\nsetattr(sys.modules[__name__], 'RATE', 1)"),
    ),
    "an overload of a singledispatch function": (
        {}, "steps.py",
        step("size(text)", "import functools\n@functools.singledispatch\ndef size(x): pass\n"
             "@size.register\ndef _(x: str):\n    return 1"),
    ),
    "an overload in another file": (
        {
            "steps.py": step("size(text)", "from sizes import size\nimport texts"),
            "sizes.py": "import functools\n@functools.singledispatch\ndef size(x): pass\n",
        },
        "texts.py", "from sizes import size\n@size.register\ndef _(x: str):\n    return 1\n",
    ),
    "what a registry of the file holds": (
        {}, "steps.py", step("R.found['a']()", f"{REGISTRY}@R.add\ndef a():\n    return 1"),
    ),
    "what another file hands to a registry": (
        {"steps.py": step("R.found['a']()", "from reg import R\nimport handlers"), "reg.py": REGISTRY},
        "handlers.py", "from reg import R\n@R.add\ndef a():\n    return 1\n",
    ),
    "what another file hands to a registering function": (
        {"steps.py": step("H['a']()", "from reg import H\nimport handlers"), "reg.py": FUNCTION},
        "handlers.py", "from reg import register\n@register\ndef a():\n    return 1\n",
    ),
    "what another file hands over by a call": (
        {"steps.py": step("H['a']()", "from reg import H\nimport handlers"), "reg.py": FUNCTION},
        "handlers.py", "import reg\ndef a():\n    return 1\nreg.register(a)\n",
    ),
    "handlers that the registry's own file imports": (
        {"steps.py": step("reg.H['a']()", "import reg"), "reg.py": f"{FUNCTION}import handlers\n"},
        "handlers.py", "from reg import register\n@register\ndef a():\n    return 1\n",
    ),
    "handlers behind a package": (
        {"steps.py": step("H['a']()", "from reg import H\nimport plugins"), "reg.py": FUNCTION,
         "plugins/__init__.py": "from . import handlers\n"},
        "plugins/handlers.py", "from reg import register\n@register\ndef a():\n    return 1\n",
    ),
    "a subclass, where subclasses are asked for": (
        {}, "steps.py",
        step("[c.size for c in Base.__subclasses__()]", "class Base: pass\nclass Cutter(Base):\n    size = 1"),
    ),
    "a subclass of a class that learns of it": (
        {}, "steps.py", step("Base.found['Cutter'].size", f"{HOOK}class Cutter(Base):\n    size = 1"),
    ),
    "a subclass in another file": (
        {"steps.py": step("Base.found['Cutter'].size", "from base import Base\nimport cutters"), "base.py": HOOK},
        "cutters.py", "from base import Base\nclass Cutter(Base):\n    size = 1\n",
    ),
    "a constant that a file replaces in another": (
        {"steps.py": step("rate()", "from helper import rate\nimport patch"),
         "helper.py": "RATE = 0\ndef rate():\n    return RATE\n"},
        "patch.py", "import helper\nhelper.RATE = 1\n",
    ),
    "a function that a file replaces in another": (
        {"steps.py": step("helper.rate()", "import helper, patch"), "helper.py": "def rate():\n    return 0\n"},
        "patch.py", "import helper\nhelper.rate = lambda: 1\n",
    ),
    "a constant that the pipeline's file replaces": (
        {"helper.py": "RATE = 0\ndef rate():\n    return RATE\n"},
        "steps.py", step("rate()", "import helper\nfrom helper import rate\nhelper.RATE = 1"),
    ),
    "what a package's __init__ replaces in its module": (
        {"steps.py": step("rate()", "from pack.helper import rate"),
         "pack/helper.py": "RATE = 0\ndef rate():\n    return RATE\n"},
        "pack/__init__.py", "from . import helper\nhelper.RATE = 1\n",
    ),
    "a module imported by its name as text": (
        {"steps.py": step("import_module('helper').rate()", "from importlib import import_module")},
        "helper.py", "def rate():\n    return 1\n",
    ),
    "a module imported by a name that is put together": (
        {"steps.py": step("import_module('plugs.' + text).rate()", "from importlib import import_module"),
         "plugs/__init__.py": ""},
        "plugs/a.py", "def rate():\n    return 1\n",
    ),
    "a module imported by a name in an f-string, from its package": (
        {"steps.py": step("load(text)", "from plugs import load"),
         "plugs/__init__.py": "from importlib import import_module\ndef load(name):\n"
                              "    return import_module(f'.{name}', __package__)\n"},
        "plugs/a.py", "def rate():\n    return 1\n",
    ),
    "a module imported by a name that is given": (
        {"steps.py": step("import_module(text).rate()", "from importlib import import_module")},
        "helper.py", "def rate():\n    return 1\n",
    ),
    "a name that a package loads lazily": (
        {"steps.py": step("lib.rate()", "import lib"),
         "lib/__init__.py": "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach(\n"
                            "    __name__, submod_attrs={'impl': ['rate']}\n)\n"},
        "lib/impl.py", "def rate():\n    return 1\n",
    ),
    "a class with a metaclass that keeps a table": (
        {"steps.py": step("FOUND['A'].rate", "from meta import FOUND\nimport kinds"),
         "meta.py": "FOUND = {}\nclass Meta(type):\n    def __new__(m, name, bases, space):\n"
                    "        FOUND[name] = made = type.__new__(m, name, bases, space)\n        return made\n"},
        "kinds.py", "from meta import Meta\nclass A(metaclass=Meta):\n    rate = 1\n",
    ),
    "a script that is run by its path": (
        {"steps.py": step("runpy.run_path('scripts/rate.py')", "import runpy")}, "scripts/rate.py", "RATE = 1\n",
    ),
    "a script that is run by its module": (
        {"steps.py": step("subprocess.run([sys.executable, '-m', 'rate'])", "import subprocess, sys")},
        "rate.py", "print(1)\n",
    ),
    "a module that a package binds to another's name": (
        {"steps.py": step("rates.RATE", "from pack import rates"), "pack/rates.py": "RATE = 0\n",
         "pack/__init__.py": "from . import real as rates\n"},
        "pack/real.py", "RATE = 1\n",
    ),
    "a quoted annotation": (
        {"steps.py": "from settings import Settings\ndef component(given: 'Settings | None'):\n    return given\n"},
        "settings.py", "class Settings:\n    rate = 1\n",
    ),
    "what a helper's helper alters": (
        {}, "steps.py", step("T['a']", "T = {}\ndef inner():\n    T['a'] = 1\ndef fill():\n    inner()\nfill()"),
    ),
    "what is altered by another name": ({}, "steps.py", step("ROWS[0]", "ROWS = []\nrows = ROWS\nrows.append(1)")),
    "what an assignment alters": ({}, "steps.py", step("ROWS[0]", "ROWS = []\n_ = ROWS.append(1)")),
    "a docstring that is read": ({}, "steps.py", step("Prompt.__doc__", "class Prompt:\n    'Rate 1.'")),
}  # fmt: skip
UNSEEN = {
    "another function with the same decorator": (
        {"deco.py": "import functools\nseen = []\ndef timed(f):\n    return functools.wraps(f)(lambda: f())\n"},
        "steps.py", step("used()", "from deco import timed\n@timed\ndef used(): 0\n@timed\ndef other():\n    return 1"),
    ),
    "another function with the same decorator of a module": (
        {"deco.py": "def timed(f):\n    return f\n"},
        "steps.py", step("used()", "import deco\n@deco.timed\ndef used(): 0\n@deco.timed\ndef other():\n    return 1"),
    ),
    "another function with the same library's decorator": (
        {}, "steps.py",
        step("functools.reduce(max, text)", "import functools\n@functools.lru_cache\ndef other():\n    return 1"),
    ),
    "another class with the same base": (
        {"base.py": "class Base:\n    size = 0\n"},
        "steps.py", step("Used()", "from base import Base\nclass Used(Base): pass\nclass Other(Base):\n    size = 1"),
    ),
    "an import whose name is used elsewhere in the file": (
        {"steps.py": step("0", "import helper\ndef other():\n    return helper.rate()")},
        "helper.py", "def rate():\n    return 1\n",
    ),
    "what a package exports besides": (
        {"steps.py": step("clean()", "from pack import clean"), "pack/clean.py": "def clean():\n    return 0\n",
         "pack/__init__.py": "from .clean import clean\nfrom .rate import rate\n"},
        "pack/rate.py", "def rate():\n    return 1\n",
    ),
    "another module of a package that imports its modules": (
        {"steps.py": step("texts.clean()", "from pack import texts"),
         "pack/__init__.py": "from . import rates, texts\n", "pack/texts.py": "def clean():\n    return 0\n"},
        "pack/rates.py", "def rate():\n    return 1\n",
    ),
    "a docstring, though another step reads one": (
        {}, "steps.py",
        step("0", "class Prompt:\n    'Rate 1.'\ndef other():\n    return Prompt.__doc__"),
    ),
}  # fmt: skip


def changes(folder: Path, files: dict[str, str], name: str, text: str) -> set[str]:
    """Return the symbols that differ when the 1 of a file becomes a 2."""
    assert text.count("1") == 1
    before = digests(write(folder, {**files, name: text}))
    after = digests(write(folder, {name: text.replace("1", "2")}))
    return changed_symbols(before, after)


@pytest.mark.parametrize("case", SEEN)
def test_what_files_do_to_one_another_is_seen(case: str, tmp_path: Path) -> None:
    files, name, text = SEEN[case]

    assert changes(tmp_path, files, name, text)


@pytest.mark.parametrize("case", UNSEEN)
def test_what_has_no_effect_is_not_seen(case: str, tmp_path: Path) -> None:
    files, name, text = UNSEEN[case]

    assert changes(tmp_path, files, name, text) == set()


def test_module_from_a_folder_that_sys_path_was_told_of_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"steps.py": step("rate()", "from told_of_rates import rate")}
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    write(tmp_path, {"lib/told_of_rates.py": "def rate():\n    return 1\n"})
    import told_of_rates  # noqa: F401 - as the pipeline's file would

    found = changes(tmp_path, files, "lib/told_of_rates.py", "def rate():\n    return 1\n")
    del sys.modules["told_of_rates"]

    assert found == {"told_of_rates:rate"}


def test_environment_inside_the_project_is_not_the_users_code() -> None:
    environment = Path(pytest.__file__).parents[4]

    assert Scope(str(environment)).path_of("pytest") is None
