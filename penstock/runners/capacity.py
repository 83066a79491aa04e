"""What a machine has to give to steps, and what each of them takes: tokens for CPUs, memory and GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.pipeline.demands import bytes_of, cpus, gpus
from penstock.pipeline.errors import ParameterError, Unsupported
from penstock.pipeline.plan import StepPlan
from penstock.runners import memory
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
            cpus=cpus(settings["cpus"]) or 0.0 if "cpus" in settings else float(max(memory.cores(), workers)),
            memory=bytes_of(settings["memory"]) if "memory" in settings else memory.limit(),
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
                amounts = (_size(wanted), _size(there)) if name == "memory" else (f"{wanted:g}", f"{there:g}")
                raise Unsupported(
                    f"{step.where}: step {step.id!r} asks for {name}={amounts[0]}, and there is {amounts[1]} here. "
                    f"Ask for less, run it on another machine, or set {name} under [resources] in penstock.toml."
                )


def _size(amount: float) -> str:
    return f"{amount / (1 << 30):.3g}Gi" if amount >= 1 << 30 else f"{amount / (1 << 20):.3g}Mi"
