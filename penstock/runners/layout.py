"""Where everything lies below a root, and what an id looks like.

<root>/metadata.db                                              ML Metadata
<root>/artifacts/<pipeline>/<node>/<execution>/<output>/...     published outputs, outcome.json, _key.json
<root>/.staging/<run>/<execution>-<attempt>/...                 the same while a worker fills it
<root>/runs/<run>/plan.json, events.jsonl, logs/<step>.log      what a run was and said
<root>/runs/<run>/keys/<step>.json                              the key of a step that published nothing
<root>/.runs/<run>.lock                                         held while the run lives
<root>/.cache/hashes.db                                         memoised hashes of source files
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass

OUTCOME = "outcome.json"
KEY = "_key.json"
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> str:
    """Return a new ULID: 48 bits of milliseconds and 80 random ones, in Crockford's base 32."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_BASE32[number >> shift & 31] for shift in range(125, -1, -5))


def ulid_number(identifier: str) -> int:
    """Return the 128 bits of a ULID as a number."""
    number = 0
    for letter in identifier:
        number = number << 5 | _BASE32.index(letter)
    return number


@dataclass(frozen=True)
class Layout:
    """The places below one root, all absolute."""

    root: str

    @property
    def database(self) -> str:
        """The metadata store's file."""
        return os.path.join(self.root, "metadata.db")

    @property
    def locks(self) -> str:
        """The folder of the locks of live runs."""
        return os.path.join(self.root, ".runs")

    @property
    def hashes(self) -> str:
        """The memo of source file hashes."""
        return os.path.join(self.root, ".cache", "hashes.db")

    def lock(self, run: str) -> str:
        """The lock of one run."""
        return os.path.join(self.locks, f"{run}.lock")

    def run(self, run: str) -> str:
        """The folder of what a run was and said."""
        return os.path.join(self.root, "runs", run)

    def log(self, run: str, step: str) -> str:
        """The log file of a step."""
        return os.path.join(self.run(run), "logs", f"{step}.log")

    def kept_key(self, run: str, step: str) -> str:
        """The cache key of a step of a run that published nothing, because it failed for one."""
        return os.path.join(self.run(run), "keys", f"{step}.json")

    def staging(self, run: str) -> str:
        """The folder of all that a run has in the making."""
        return os.path.join(self.root, ".staging", run)

    def attempt(self, run: str, execution: str, attempt: int) -> str:
        """The staging folder of one attempt."""
        return os.path.join(self.staging(run), f"{execution}-{attempt}")

    def execution(self, pipeline: str, node: str, execution: str) -> str:
        """The final folder of an execution."""
        return os.path.join(self.root, "artifacts", pipeline, node, execution)

    def absolute(self, uri: str) -> str:
        """Return the local path of a recorded URI, which is relative to the root unless it lies outside."""
        return uri if "://" in uri else os.path.join(self.root, uri)

    def relative(self, path: str) -> str:
        """Return what is recorded of a path: relative to the root when it lies below."""
        inside = path.startswith(self.root + os.sep)
        return os.path.relpath(path, self.root) if inside else path
