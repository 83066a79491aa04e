"""The root that a command looks into: its layout and its open metadata store."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from penstock.metadata.store import MetadataStore, MlmdStore
from penstock.pipeline.errors import PlatformError
from penstock.pipeline.project import default_root
from penstock.runners.layout import Layout


@dataclass(frozen=True)
class Root:
    """An existing root."""

    layout: Layout
    store: MetadataStore

    @property
    def option(self) -> str:
        """What a further command needs to find this root: "" or " --root DIR"."""
        return root_option(self.layout.root)


@contextmanager
def open_root(given: str | None) -> Iterator[Root]:
    """Open the root that was named, or the one that holds in the working directory.

    Raises:
        PlatformError: There is none.
        StoreError: Its metadata store can't be used.
    """
    path = os.path.abspath(given) if given else default_root()
    layout = Layout(path)
    if not os.path.exists(layout.database):
        raise PlatformError(
            f"There is no Penstock root at {path}: no pipeline has run there. Make one with: penstock run FILE"
            f"{root_option(path)}; or name another with --root DIR or $PENSTOCK_ROOT."
        )
    with MlmdStore.open(layout.database, create=False) as store:
        yield Root(layout, store)


def root_option(path: str) -> str:
    """Return " --root DIR" for a root that isn't found without it, else ""."""
    return "" if path == default_root() else f" --root {shlex.quote(path)}"
