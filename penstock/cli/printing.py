"""How commands print: one console on stdout that neither wraps nor colours where no terminal reads."""

from __future__ import annotations

import contextlib
import sys
from typing import TextIO

from rich.console import Console, RenderableType

UNBOUNDED = 10_000


def console(stream: TextIO | None = None) -> Console:
    """Return a console; in a pipe lines stay whole, however long."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else UNBOUNDED
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def show(renderable: RenderableType) -> None:
    """Print tables and trees to stdout; in a pipe without the blanks that fill up a table's rows."""
    screen = console()
    if screen.is_terminal:
        screen.print(renderable)
        return
    with screen.capture() as captured:
        screen.print(renderable)
    sys.stdout.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())


def show_lines(renderable: RenderableType, stream: TextIO) -> None:
    """Print lines of text; the terminal wraps them, so that they can be copied whole.

    A reader that has gone is no error: what was to be told has its exit code too.
    """
    with contextlib.suppress(BrokenPipeError):
        console(stream).print(renderable, soft_wrap=True)
