"""How much memory and how many cores there are, and whether the kernel has killed for want of memory."""

from __future__ import annotations

import os
from contextlib import suppress

CGROUPS = "/sys/fs/cgroup"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit(group: str | None = None) -> int:
    """Return the bytes of memory that this process and its children may use: its cgroup's limit, or the machine's."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    said = _read(group if group is not None else cgroup(), "memory.max").strip()
    return min(whole, int(said)) if said.isdigit() else whole


def kills(group: str | None = None) -> int | None:
    """Return how many processes of this cgroup (v2) the kernel has killed for memory; None where it doesn't say."""
    for line in _read(group if group is not None else cgroup(), "memory.events").splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdigit():
            return int(count)
    return None


def cgroup() -> str:
    """Return the folder of this process's cgroup (v2), "" when there is none."""
    with suppress(OSError), open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            if line.startswith("0::"):
                folder = os.path.join(CGROUPS, line[3:].strip().lstrip("/"))
                return folder if os.path.isdir(folder) else CGROUPS
    return ""


def _read(folder: str, name: str) -> str:
    if folder:
        with suppress(OSError), open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read()
    return ""


def cause_of_kill(peak: int, before: int | None, now: int | None) -> str:
    """Say why a process died by SIGKILL.

    Args:
        peak: Its peak memory in bytes.
        before: What `kills` said when it began.
        now: What it says after its death.
    """
    used = f"peak {peak / (1 << 30):.2f} GiB of {limit() / (1 << 30):.2f} GiB"
    if before is not None and now is not None and now > before:
        return f"killed by the kernel, out of memory (memory.events counts {now - before} oom_kill): {used}"
    return f"killed by signal 9, probably out of memory: {used}"
