"""Cleans up after runs whose process is gone: publish what was complete, cancel and remove the rest."""

from __future__ import annotations

import shutil
import time

from penstock.metadata.store import MetadataStore
from penstock.runners.layout import Layout, dead_runs
from penstock.runners.publisher import Publisher
from penstock.runners.strays import kill_strays


def recover(store: MetadataStore, layout: Layout) -> list[str]:
    """Recover every dead run of a root.

    Returns:
        Their ids.
    """
    recovered: list[str] = []
    publisher = Publisher(store, layout)
    for run, lock in dead_runs(layout):
        if store.run(run) is not None:
            for execution in store.running(run):
                publisher.adopt(execution)
            store.abandon(run, time.time())
        kill_strays(f"{run}/")  # what its workers had started has outlived them
        shutil.rmtree(layout.staging(run), ignore_errors=True)
        lock.release()
        recovered.append(run)
    return recovered
