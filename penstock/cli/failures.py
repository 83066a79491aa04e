"""An exception that ended a command becomes a message on stderr and an exit code."""

from __future__ import annotations

import errno
import sys
import tempfile
import traceback

from rich.console import Console

from penstock.cli.exit_codes import ExitCode
from penstock.cli.not_found import NotFound
from penstock.metadata.errors import StoreError
from penstock.pipeline.errors import DataError, PenstockError, PlatformError, UserCodeError
from penstock.ui.user_traceback import printed

# The first class that fits decides.
CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (NotFound, ExitCode.NOT_FOUND),
    (PlatformError, ExitCode.NO_ROOT),
    (StoreError, ExitCode.NO_ROOT),
    (DataError, ExitCode.STEP_FAILED),
    (PenstockError, ExitCode.WRONG_USE),
)
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOTDIR}


def exit_code(error: Exception) -> ExitCode:
    """Return the code that stands for an exception."""
    if is_usage_error(error):
        return ExitCode.WRONG_USE
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return ExitCode.NO_ROOT
    return next((code for kind, code in CODES if isinstance(error, kind)), ExitCode.INTERNAL)


def is_usage_error(error: Exception) -> bool:
    """Say whether the command line itself was wrong: typer keeps that class in a private copy of click."""
    return hasattr(error, "format_message") and hasattr(error, "show")


def report(error: Exception, *, debug: bool = False) -> ExitCode:
    """Print what an exception means to the user.

    Args:
        error: What ended the command.
        debug: Print its whole traceback too.

    Returns:
        The exit code.
    """
    code = exit_code(error)
    if debug:
        traceback.print_exception(error)
    if is_usage_error(error):
        error.show()  # type: ignore[attr-defined]
    elif code is ExitCode.INTERNAL:
        _say(_internal(error, debug))
    else:
        if isinstance(error, UserCodeError) and error.__cause__ is not None:
            sys.stderr.write(printed(error.__cause__) + "\n\n")
        _say(_message(error))
    return code


def _message(error: Exception) -> str:
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}. Free some space or change the permissions, or choose another --root."
    return str(error)


def _internal(error: Exception, debug: bool) -> str:
    what = f"Internal error, a bug in Penstock: {type(error).__name__}: {error}."
    if debug:
        return what
    with tempfile.NamedTemporaryFile("w", prefix="penstock-", suffix=".traceback", delete=False) as file:
        file.writelines(traceback.format_exception(error))
    return f"{what} Please report it with the traceback in {file.name} (or see it with: penstock --debug ...)."


def _say(message: str) -> None:
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    console.print("Error:", style="bold red", end=" ")
    console.print(message)
