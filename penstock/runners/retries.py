"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

import random

from penstock.pipeline.plan import Retry
from penstock.pipeline.task import Failure

LONGEST = 300.0
"""Seconds between two attempts at most."""

PASSING = frozenset({"OSError", "ConnectionError", "TimeoutError", "WorkerDied"})
STAYING = frozenset(
    {"FileNotFoundError", "FileExistsError", "IsADirectoryError", "NotADirectoryError", "PermissionError"}
)
"""OSErrors that a second attempt meets again."""


def delay(policy: Retry, attempt: int, failure: Failure | None) -> float | None:
    """Return the seconds to wait before the next attempt, None when there is none.

    Args:
        policy: The step's.
        attempt: The number of the one that failed, from 1.
        failure: What went wrong.
    """
    if failure is None or attempt > policy.times or not _may_pass(policy, failure):
        return None
    backoff = min(policy.delay * 2.0 ** (attempt - 1), LONGEST)
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, keeps no secret


def before(attempt: int) -> str:
    """Say that attempts have failed before one, "" before the first."""
    failed = "1 attempt" if attempt == 2 else f"{attempt - 1} attempts"
    return f"{failed} failed before" if attempt > 1 else ""


def _may_pass(policy: Retry, failure: Failure) -> bool:
    kinds = {failure.type, *failure.kinds}
    if failure.gate:
        return False
    if policy.on is not None:
        return bool(kinds & {*policy.on})
    if failure.fault in ("data", "pipeline author"):
        return False
    return not kinds & STAYING and (failure.fault == "platform" or bool(kinds & PASSING))
