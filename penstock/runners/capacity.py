"""What a machine has to give to steps, what each takes, and whether the kernel killed for want of memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from penstock.pipeline.demands import bytes_of, cpus, gpus
from penstock.pipeline.errors import ParameterError, Unsupported
from penstock.pipeline.plan import StepPlan
from penstock.runners.scheduler import Capacity, claim_of


def of_machine(settings: Mapping[str, Any], workers: int) -> Capacity:
    """Return what steps may take together on this machine.

    Args:
        settings: [resources] of the project, which stand above what is found.
        workers: Steps that run at once; as many CPUs are counted at least, since the user asked for it.

    Raises:
        ParameterError: A setting isn't an amount.
    """
    try:
        return Capacity(
            cpus=cpus(settings["cpus"]) or 0.0 if "cpus" in settings else float(max(cores(), workers)),
            memory=bytes_of(settings["memory"]) if "memory" in settings else memory_limit(),
            gpus=gpus(settings["gpus"]) or 0 if "gpus" in settings else _gpus(),
        )
    except ValueError as error:
        raise ParameterError(f"[resources] of penstock.toml: {error}") from None


def _gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    devices = os.listdir("/dev") if os.path.isdir("/dev") else []
    return sum(name.startswith("nvidia") and name[6:].isdigit() for name in devices)


def check_claims(steps: Iterable[StepPlan], total: Capacity) -> None:
    """See to it that no step waits for ever.

    Raises:
        Unsupported: A step asks for more than there is.
    """
    for step in steps:
        asked = claim_of(step.resources, total)
        for name, wanted, there in (
            ("cpus", asked.cpus, total.cpus),
            ("memory", asked.memory, total.memory),
            ("gpus", asked.gpus, total.gpus),
        ):
            if wanted > there:
                amounts = (size_text(wanted), size_text(there)) if name == "memory" else (f"{wanted:g}", f"{there:g}")
                raise Unsupported(
                    f"{step.where}: step {step.id!r} asks for {name}={amounts[0]}, and there is {amounts[1]} here. "
                    f"Ask for less, run it on another machine, or set {name} under [resources] in penstock.toml."
                )


def size_text(amount: float) -> str:
    """Write an amount of memory as it is asked for: "2Gi", "512Mi"."""
    unit, size = ("Gi", 1 << 30) if amount >= 1 << 30 else ("Mi", 1 << 20)
    return f"{amount / size:.0f}{unit}" if amount >= 1000 * size else f"{amount / size:.3g}{unit}"


def excess(asked: int, peak: int) -> str:
    """Say that a step took more memory than it asks for, "" when it didn't, or doesn't say what it needs (0 bytes)."""
    if not asked or peak <= asked:
        return ""
    return f"took {size_text(peak)} of memory, and asks for memory={size_text(asked)}"


PROBABLE = 0.5
"""The part of the memory from which on a process that was killed has probably taken too much."""

CGROUPS = "/sys/fs/cgroup"


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_limit(group: str | None = None) -> int:
    """Return the bytes of memory that this process and its children may use: its cgroup's limit, or the machine's."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    folder = cgroup() if group is None else group
    said = (_read(folder, "memory.max") or _read(folder, "memory.limit_in_bytes")).strip()
    return min(whole, int(said)) if said.isdigit() else whole


def memory_kills(group: str | None = None) -> int | None:
    """Return how many processes of this cgroup the kernel has killed for memory; None where it doesn't say."""
    folder = cgroup() if group is None else group
    for line in (_read(folder, "memory.events") or _read(folder, "memory.oom_control")).splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdigit():
            return int(count)
    return None


def cgroup() -> str:
    """Return the folder of this process's cgroup, "" when there is none: of version 2, of 1 where that holds memory."""
    found = {}
    with suppress(OSError), open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            found[controllers] = path.lstrip("/")
    places = [os.path.join(CGROUPS, "memory", found["memory"])] if "memory" in found else []
    places += [os.path.join(CGROUPS, found[""]), CGROUPS] if "" in found else []
    return next((place for place in places if os.path.isdir(place)), "")


def _read(folder: str, name: str) -> str:
    if folder:
        with suppress(OSError), open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read()
    return ""


def cause_of_kill(peak: int, before: int | None, now: int | None) -> str:
    """Say why a process died by SIGKILL.

    Args:
        peak: Its peak memory in bytes.
        before: What `memory_kills` said when it began.
        now: What it says after its death.
    """
    used = f"peak {peak / (1 << 30):.2f} GiB of {memory_limit() / (1 << 30):.2f} GiB"
    if before is not None and now is not None and now > before:
        return f"killed by the kernel, out of memory (its cgroup counts {now - before} oom_kill): {used}"
    if peak < PROBABLE * memory_limit():
        return f"killed by signal 9, from outside or for memory that others took: {used}"
    return f"killed by signal 9, probably out of memory: {used}"
