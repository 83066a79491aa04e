"""A process that works on ranges beside a step's own: it takes the work once, then range after range.

Started as `python -m penstock.pipeline.range_worker FD PARENT` by `range_pool`. It imports what the work needs and
nothing else: no Beam, no engine. It ends when its socket is closed, and is killed when its parent dies.
"""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from penstock.pipeline.step import LOG_FORMAT

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until the socket is closed."""
    connection = Connection(int(sys.argv[1]))
    _die_with(int(sys.argv[2]))
    with suppress(EOFError, ConnectionError):  # the parent has no more ranges, or is gone
        sys.path[:], level = connection.recv()
        logging.basicConfig(level=level, format=LOG_FORMAT)
        work = connection.recv()
        while True:
            connection.send_bytes(answer(work, connection.recv()))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def answer(work: Callable[[Any], Any], range_: Any) -> bytes:
    """Return what the work makes of a range, pickled; nothing where it fails.

    An error would lose its traceback on the way: the step works on that range again and meets it at first hand.
    """
    try:
        return pickle.dumps(work(range_), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        logging.getLogger(__name__).info("%r failed in a data worker: %s: %s", range_, type(error).__name__, error)
        return b""


def _die_with(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main()
