"""What a step asks of the scheduler: attempts, time, CPUs, memory and GPUs, from how they are written to the plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from penstock.pipeline.durations import seconds_of
from penstock.pipeline.options import NodeOptions
from penstock.pipeline.plan import Resources, Retry

DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNITS = DECIMAL | {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(|[kMGT]|[KMGT]i)B?")


def bytes_of(size: int | str) -> int:
    """Return the bytes of a size such as "4Gi", "500M" or 4096.

    Raises:
        ValueError: It is no size; the message says what is.
    """
    found = SIZE.fullmatch(size) if isinstance(size, str) else None
    number = int(float(found[1]) * UNITS[found[2]]) if found else size
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise ValueError(f'{size!r:.60} is no size. Write bytes, or a size such as "4Gi" or "500M".')
    return number


def seconds(timeout: float | str | None) -> float | None:
    """Return the seconds of a timeout; None means that there is none.

    Raises:
        ValueError: It is no span of time.
    """
    if timeout is None:
        return None
    number = seconds_of(timeout) if isinstance(timeout, str) else timeout
    if not _is_number(number) or number <= 0:
        raise ValueError(f'{timeout!r:.60} is no span of time. Write seconds, or a span such as "30m".')
    return float(number)


def retry(retries: int | Retry) -> Retry:
    """Return how often a step is tried again.

    Raises:
        ValueError: It is neither a number nor a `Retry`, or one that makes no sense.
    """
    policy = retries if isinstance(retries, Retry) else Retry(retries)
    whole = isinstance(policy.times, int) and not isinstance(policy.times, bool)
    if not whole or policy.times < 0:
        raise ValueError(f'{policy.times!r:.60} is no number of attempts. Write 3, or Retry(3, on=("OSError",)).')
    if not _is_number(policy.delay) or policy.delay < 0:
        raise ValueError(f"a delay of {policy.delay!r:.60} is none. Write seconds: Retry(3, delay=10).")
    return Retry(policy.times, float(policy.delay), _names(policy.on))


def _names(kinds: Any) -> tuple[str, ...] | None:
    """Return error types by name, as they cross to the worker and back."""
    if kinds is None:
        return None
    listed = kinds if isinstance(kinds, list | tuple) else (kinds,)
    names = tuple(kind.__name__ if isinstance(kind, type) else kind for kind in listed)
    wrong = [name for name in names if not (isinstance(name, str) and name.isidentifier())]
    if wrong:
        raise ValueError(f'on={wrong[0]!r:.60} names no error type. Write on=("OSError",).')
    return names


def resources(options: NodeOptions) -> Resources:
    """Return what a step claims.

    Raises:
        ValueError: A claim is no number of CPUs or GPUs, or no size.
    """
    return Resources(
        cpus=cpus(options.cpus),
        memory=None if options.memory is None else bytes_of(options.memory),
        gpus=gpus(options.gpus),
    )


def cpus(number: float | None) -> float | None:
    """Return a number of CPUs, which may be a fraction.

    Raises:
        ValueError: It is none.
    """
    if number is not None and (not _is_number(number) or number <= 0):
        raise ValueError(f"{number!r:.60} is no number of CPUs. Write a number above 0, such as 2 or 0.5.")
    return number


def gpus(number: int | None) -> int | None:
    """Return a number of GPUs.

    Raises:
        ValueError: It is none.
    """
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
        raise ValueError(f"{number!r:.60} is no number of GPUs. Write a whole number, such as 1.")
    return number


def problems(options: NodeOptions) -> Iterator[str]:
    """Say what can't be understood, such as "takes timeout: ...", one text each."""
    checks = {"retries": retry, "timeout": seconds, "cpus": cpus, "gpus": gpus}
    if options.memory is not None:
        checks["memory"] = bytes_of
    for name, check in checks.items():
        try:
            check(getattr(options, name))
        except (ValueError, TypeError) as error:
            yield f"can't take {name}: {error}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
