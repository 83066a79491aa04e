"""Ctrl-C during a run: felt where the run waits, held back while it records something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Makes a first Ctrl-C wait until nothing is half done; a second one acts at once.

    Only in the main thread, and only where Ctrl-C means KeyboardInterrupt: handlers of others stay.
    """

    def __init__(self) -> None:
        self._asked = False
        self._open = False
        self._before: Callable[[int, FrameType | None], Any] | None = None

    def __enter__(self) -> Interrupts:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.default_int_handler
            signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self._asked and error is None:
            raise KeyboardInterrupt

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Let Ctrl-C interrupt this block, also one that was held back until now."""
        if self._asked:
            raise KeyboardInterrupt
        self._open = True
        try:
            yield
        finally:
            self._open = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        at_once = self._open or self._asked
        self._asked = True
        if at_once:
            raise KeyboardInterrupt
