"""Facts of a run that stand once: the commit, the packages, the platform, who started it."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
import sys
from typing import Any

from penstock.pipeline.runner import RunRequest
from penstock.runners.cache import version

PACKAGES = (
    "penstock",
    "apache-beam",
    "keras",
    "ml-metadata",
    "numpy",
    "pyarrow",
    "tensorflow",
    "tensorflow-transform",
    "tfx-bsl",
)


def gather(request: RunRequest) -> dict[str, Any]:
    """Return the facts of a run that is about to start."""
    return {
        "parameters": dict(request.parameters),
        "command": request.command,
        **({"resumed": request.resume} if request.resume else {}),
        **({"selection": str(request.selection)} if request.selection else {}),
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "user": _user(),
        "ci": os.environ.get("CI", "") not in ("", "0", "false"),
        "packages": {name: version(name) for name in PACKAGES},
        **_git(request.code_root),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _git(folder: str) -> dict[str, Any]:
    """Return the commit and whether the folder's files differ from it; nothing outside a repository."""
    try:
        said = subprocess.run(
            ["git", "-C", folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no", "."],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = said.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), "")
    return {"git_commit": commit, "git_dirty": any(not line.startswith("#") for line in lines)}
