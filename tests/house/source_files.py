"""Where our own source lies, and how to run a piece of Python in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "penstock"
HEAVY = ("apache_beam", "keras", "numpy", "pandas", "pyarrow", "tensorflow", "tensorflow_transform", "tfx_bsl")


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


def in_fresh_python(code: str, *arguments: str) -> Any:
    """Run code in a process of its own; it prints JSON as its last line."""
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])
