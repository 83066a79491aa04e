"""The exit codes of `penstock`: one table, shown by `--help` and documented in docs/exit-codes.md."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command says to the program that started it; a number is never given a second meaning."""

    meaning: str

    DONE = 0, "done"
    STEP_FAILED = 1, "a step failed"
    WORK_PENDING = 2, "plan only: work is pending"
    NOT_PUSHED = 3, "ran, but an effect was withheld: nothing was pushed"
    GATE_REFUSED = 4, "a gate refused the data"
    NO_ROOT = 5, "the root or its metadata store can't be used"
    NOT_FOUND = 6, "nothing was found under that name"
    DAMAGED = 7, "fsck only: something is wrong and was not repaired"
    WRONG_USE = 64, "wrong usage, wiring or parameter; nothing has run"
    INTERNAL = 70, "an internal error: a bug in Penstock"
    INTERRUPTED = 130, "interrupted"

    def __new__(cls, number: int, meaning: str) -> ExitCode:
        """Keep the meaning beside the number."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        return code
