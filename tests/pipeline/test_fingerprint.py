"""Rule 4: what counts as a step's code, one row a kind of change, each against its right answer."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from penstock.pipeline import fingerprint
from penstock.pipeline.errors import UserCodeError

STEPS = '''
import math
from functools import wraps
from lib import cleaning
from lib.text import shorten
import lib.numbers as numbers

RATE = 2
UNUSED = 3
CONFIG = {}
CONFIG["depth"] = 4
HANDLERS = {}
ROWS = [row for row in range(3)]


def traced(function):
    return wraps(function)(lambda *given: function(*given))


def handles(kind):
    def add(function):
        HANDLERS[kind] = function
        return function
    return add


@handles("a")
def handle_a():
    return "first"


class Base:
    size = 1


class Cutter(Base):
    def cut(self, text):
        return text[: self.size]


@traced
def component(text: str) -> str:
    """Says what it does."""
    # A remark.
    row = cleaning.strip(text) + shorten(text) + str(numbers.double(RATE)) + str(CONFIG)
    return row + Cutter().cut(text) + HANDLERS["a"]() + str(math.pi)


def other(text):
    return text
'''
FILES = {
    "steps.py": STEPS,
    "lib/__init__.py": "VERSION = 1\n",
    "lib/cleaning.py": "from .deep import rules\n\n\ndef strip(text):\n    return rules.strip(text)\n",
    "lib/deep/__init__.py": "",
    "lib/deep/rules.py": "def strip(text):\n    return text.strip()\n\n\ndef loose(text):\n    return text\n",
    "lib/text.py": "from .cutting import shorten\n",
    "lib/cutting.py": "WIDTH = 3\n\n\ndef shorten(text):\n    return text[:WIDTH]\n",
    "lib/numbers.py": "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n",
    "sibling.py": "def nobody():\n    return 1\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def changed_symbols(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def digests(folder: Path, reference: str = "steps:component") -> dict[str, str]:
    if ":" in reference:
        return fingerprint.of_function(reference, str(folder)).digests
    return fingerprint.of_module(reference, str(folder)).digests


CHANGES = {
    "the body of the function": ("steps.py", "row + Cutter", "Cutter", {"steps:component"}),
    "a helper in a sub-package": ("lib/deep/rules.py", "text.strip()", "text.lstrip()", {"lib.deep.rules:strip"}),
    "a function behind a re-export": ("lib/cutting.py", "text[:WIDTH]", "WIDTH", {"lib.cutting:shorten"}),
    "a constant behind a re-export": ("lib/cutting.py", "WIDTH = 3", "WIDTH = 4", {"lib.cutting:WIDTH"}),
    "a function of a module imported as": ("lib/numbers.py", "2 * x", "3 * x", {"lib.numbers:double"}),
    "a module constant": ("steps.py", "RATE = 2", "RATE = 5", {"steps:RATE"}),
    "a dict filled at module level": ("steps.py", 'CONFIG["depth"] = 4', 'CONFIG["depth"] = 5', {"steps:CONFIG"}),
    "a decorator": ("steps.py", "*given: function(*given)", "*given: function(*given) + ''", {"steps:traced"}),
    "a base class": ("steps.py", "size = 1", "size = 2", {"steps:Base"}),
    "a method": ("steps.py", "text[: self.size]", "text[self.size :]", {"steps:Cutter"}),
    "a default": ("steps.py", "(text: str)", "(text: str = 'x')", {"steps:component"}),
    "what a local decorator registers": ("steps.py", '"first"', '"last"', {"steps:HANDLERS"}),
    "where a name is imported from": ("steps.py", "import math", "import cmath as math", {"steps:math"}),
}  # fmt: skip
NO_CHANGES = {
    "another function of the file": ("steps.py", "def other(text):\n    return text", "def other(text):\n    return 1"),
    "a constant that it doesn't use": ("steps.py", "UNUSED = 3", "UNUSED = 30"),
    "a variable of a comprehension": ("steps.py", "range(3)", "range(4)"),
    "a comment": ("steps.py", "# A remark.", "# Another remark, with a longer line."),
    "a docstring": ("steps.py", '"""Says what it does."""', '"""Does what it says."""'),
    "an unrelated sibling file": ("sibling.py", "return 1", "return 2"),
    "an unused function of a used module": ("lib/numbers.py", "x / 2", "x / 4"),
    "one more name on an import": ("steps.py", "from functools import wraps", "from functools import wraps, partial"),
    "what only type checkers see": (
        "steps.py",
        "import math",
        "import math\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sibling import nobody as text",
    ),
    "what only a script does": ("lib/numbers.py", "x / 2\n", 'x / 2\n\n\nif __name__ == "__main__":\n    double(1)\n'),
    "blank lines and layout": ("steps.py", "RATE = 2", "\n\nRATE = (\n    2\n)\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_seen_and_named(change: str, tmp_path: Path) -> None:
    name, old, new, symbols = CHANGES[change]
    before = digests(write(tmp_path, FILES))
    assert old in FILES[name]

    after = digests(write(tmp_path, {name: FILES[name].replace(old, new)}))

    assert changed_symbols(before, after) == symbols


@pytest.mark.parametrize("change", NO_CHANGES)
def test_change_elsewhere_is_not_seen(change: str, tmp_path: Path) -> None:
    name, old, new = NO_CHANGES[change]
    before = digests(write(tmp_path, FILES))
    assert old in FILES[name]

    after = digests(write(tmp_path, {name: FILES[name].replace(old, new)}))

    assert changed_symbols(before, after) == set()


def test_clone_in_another_folder_has_the_same_code(tmp_path: Path) -> None:
    original = write(tmp_path / "original", FILES)
    shutil.copytree(original, tmp_path / "clone")

    assert digests(original) == digests(tmp_path / "clone")


def test_normalised_source_is_kept_for_each_digest(tmp_path: Path) -> None:
    found = fingerprint.of_function("steps:component", str(write(tmp_path, FILES)))

    source = found.sources[found.digests["steps:component"]]
    assert source.startswith("@traced\ndef component(text: str) -> str:\n")
    assert "remark" not in source
    assert "Says" not in source
    assert set(found.sources) == set(found.digests.values())


def test_another_function_of_a_module_file_counts(tmp_path: Path) -> None:
    before = digests(write(tmp_path, FILES), "steps")

    after = digests(write(tmp_path, {"steps.py": STEPS.replace("    return text\n", "    return 1\n")}), "steps")

    assert changed_symbols(before, after) == {"steps:other"}


def test_module_file_that_only_re_exports_counts_what_it_re_exports(tmp_path: Path) -> None:
    files = {"model.py": "from impl import run_fn\n", "impl.py": "def run_fn(args):\n    return 1\n"}
    before = digests(write(tmp_path, files), "model")

    after = digests(write(tmp_path, {"impl.py": "def run_fn(args):\n    return 2\n"}), "model")

    assert changed_symbols(before, after) == {"impl:run_fn"}


USES = {
    "import *": ("from helper import *", "clean(text)"),
    "import in the body": ("", "__import_here__"),
    "try and except": (
        "try:\n    import missing as helper\nexcept ImportError:\n    import helper", "helper.clean(text)",
    ),
    "a conditional import": ("import sys\nif sys.platform:\n    from helper import clean", "clean(text)"),
    "a plain import": ("import helper", "helper.clean(text)"),
    "an import of a package's module": ("import pack.helper", "pack.helper.clean(text)"),
    "a relative import": ("", "relative"),
    "a package's facade": ("from pack import clean", "clean(text)"),
    "a package's facade as a module": ("import pack", "pack.clean(text)"),
    "a module as a value": ("import helper", "getattr(helper, 'cl' + 'ean')(text)"),
    "a chain of re-exports": ("from chain import clean", "clean(text)"),
    "globals()": ("import helper\ndef hidden(text):\n    return helper.clean(text)", "globals()['hid' + 'den'](text)"),
    "eval": ("import helper\ndef hidden(text):\n    return helper.clean(text)", "eval('hidden(text)')"),
    "a lambda": ("import helper\nhidden = lambda text: helper.clean(text)", "hidden(text)"),
    "a conditional definition": (
        "import helper, sys\nif sys.platform:\n    def hidden(text):\n        return helper.clean(text)",
        "hidden(text)",
    ),
    "a global that another function sets": (
        "import helper\nMODEL = None\ndef load():\n    global MODEL\n    MODEL = helper.clean", "(load(), MODEL(text))",
    ),
    "a loop that fills a table": (
        "import helper\nTABLE = {}\nfor name in ('a', 'b'):\n    TABLE[name] = helper.clean", "TABLE['a'](text)",
    ),
    "a call that fills a list": ("import helper\nSTEPS = []\nSTEPS.append(helper.clean)", "STEPS[0](text)"),
    "a default": ("import helper", "text"),
}  # fmt: skip


@pytest.mark.parametrize("way", USES)
def test_helper_is_followed(way: str, tmp_path: Path) -> None:
    top, expression = USES[way]
    source = f"{top}\ndef component(text):\n    return {expression}\n"
    if way == "import in the body":
        source = "def component(text):\n    from helper import clean\n    return clean(text)\n"
    if way == "a relative import":
        source = "from pack.deep import component\n"
    if way == "a default":
        source = "import helper\ndef component(text, cleaner=helper.clean):\n    return cleaner(text)\n"
    helper = "def clean(text):\n    return text.strip()\n"
    files = {
        "steps.py": source,
        "helper.py": helper,
        "chain.py": "from link import clean\n",
        "link.py": "from helper import clean\n",
        "pack/__init__.py": "from .helper import clean\n",
        "pack/helper.py": helper,
        "pack/deep.py": "from .helper import clean\ndef component(text):\n    return clean(text)\n",
    }
    before = digests(write(tmp_path, files))

    changed = helper.replace("strip", "rstrip")
    after = digests(write(tmp_path, {"helper.py": changed, "pack/helper.py": changed}))

    assert {name.split(":")[1] for name in changed_symbols(before, after)} == {"clean"}


def test_star_import_makes_the_whole_module_count(tmp_path: Path) -> None:
    files = {
        "steps.py": "from helper import *\ndef component(text):\n    return clean(text)\ndef other():\n    return 1\n",
        "helper.py": "def clean(text):\n    return text\n",
    }
    before = digests(write(tmp_path, files))

    after = digests(write(tmp_path, {"steps.py": files["steps.py"].replace("return 1", "return 2")}))

    assert changed_symbols(before, after) == {"steps:other"}


def test_circular_imports_end(tmp_path: Path) -> None:
    files = {"a.py": "from b import name\n", "b.py": "from a import name\nimport a\nuse = a.name\n"}

    found = digests(write(tmp_path, files), "a")

    assert found.keys() == {"a:name", "b:name"}


def test_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"steps.py": "def component():\n    return )\n"})

    with pytest.raises(UserCodeError, match=r"^steps\.py:2: .*The file can't be parsed\.$"):
        digests(tmp_path)


def test_installed_component_counts_with_its_own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "acme_steps/__init__.py": "from .clean import component\n",
        "acme_steps/clean.py": "from .rules import drop\ndef component(text):\n    return drop(text)\n",
        "acme_steps/rules.py": "def drop(text):\n    return text\n",
    }
    site = write(tmp_path / "site", files)
    monkeypatch.syspath_prepend(str(site))
    import acme_steps.clean  # noqa: F401 - as a pipeline would

    code_root = tmp_path / "project"
    before = digests(code_root, "acme_steps.clean:component")
    after = digests(
        write(site, {"acme_steps/rules.py": "def drop(text):\n    return ''\n"}).parent, "acme_steps.clean:component"
    )
    for name in [name for name in sys.modules if name.startswith("acme_steps")]:
        del sys.modules[name]

    assert "acme_steps.clean:component" in before
    assert changed_symbols(before, after) == {"acme_steps.rules:drop"}


def test_built_in_counts_with_what_it_uses_of_our_own_data_package() -> None:
    found = fingerprint.of_function("penstock.components.validation.statistics_gen:StatisticsGen", "/nowhere").digests

    assert "penstock.components.validation.statistics_gen" in found
    assert "penstock.data.examples" in found
    assert not any(name.startswith(("penstock.pipeline", "penstock.metadata")) for name in found)
    assert "penstock.components.push.pusher" not in found


def test_code_root_that_holds_penstock_itself_leaves_it_out(tmp_path: Path) -> None:
    files = {
        "steps.py": "from penstock.helper import x\ndef component():\n    return x\n",
        "penstock/helper.py": "x = 1\n",
    }

    assert digests(write(tmp_path, files)).keys() == {"steps:component", "steps:x"}
