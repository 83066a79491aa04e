"""Calls into ML Metadata's C++ library, with a backoff in milliseconds where other writers are in the way.

The library's own Python client sleeps 2 s on average before it tries again and logs every conflict as an error.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as library
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

from penstock.metadata.errors import StoreError

ALREADY_EXISTS = 6
NOT_FOUND = 5
_ABORTED = 10
_BUSY_WORDS = ("database is locked", "database is busy", "database table is locked", "Concurrent writes aborted")
_DISK_FULL = "disk is full"
_PATIENCE_SECONDS = 30.0
_SHORTEST_WAIT = 0.001
_LONGEST_WAIT = 0.064


class StatusError(StoreError):
    """A call that ML Metadata refused; ``code`` is its status (``ALREADY_EXISTS``, ...)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """One connection; calls from several threads take turns.

    Args:
        config: Where to connect to.
        where: The store's place in words, for messages.
        patience: Seconds to keep trying while other processes write.

    Raises:
        StoreError: It can't be opened, or stayed locked.
    """

    def __init__(
        self, config: metadata_store_pb2.ConnectionConfig, where: str, patience: float = _PATIENCE_SECONDS
    ) -> None:
        self.where = where
        self._config = config.SerializeToString()
        self._patience = patience
        self._lock = threading.Lock()
        self._handle: Any = None
        waits = _Backoff(patience)
        while self._handle is None:
            try:
                self._handle = library.CreateMetadataStore(self._config, b"")
            except RuntimeError as error:
                if not _is_busy(str(error)):
                    raise StoreError(f"The metadata store {where} can't be opened: {error}") from error
                waits.wait(where)

    def call(self, method: str, request: Any) -> Any:
        """Call one method of ML Metadata's service: a request proto in, a response proto out.

        Raises:
            StatusError: It was refused.
            StoreError: Other processes kept the store locked, or it is closed.
        """
        function = getattr(library, method)
        payload = request.SerializeToString()
        waits = _Backoff(self._patience)
        while True:
            with self._lock:
                if self._handle is None:
                    raise StoreError(f"The metadata store {self.where} is closed. Open it again.")
                answer, message, code = function(self._handle, payload)
            if code == 0:
                response = getattr(metadata_store_service_pb2, method + "Response")()
                response.ParseFromString(answer)
                return response
            text = message.decode("utf-8", "replace")
            if _DISK_FULL in text:
                # The library leaves its transaction open; only a new connection is of use again.
                self._handle = library.CreateMetadataStore(self._config, b"")
                raise StoreError(
                    f"The disk of the metadata store {self.where} is full. Free some space and run again: what was "
                    f"published is kept and reused."
                )
            if code != _ABORTED and not _is_busy(text):
                raise StatusError(f"The metadata store {self.where} refused {method}: {text}", code)
            waits.wait(self.where)

    def close(self) -> None:
        """Let go of the connection; later calls raise."""
        with self._lock:
            self._handle = None


class _Backoff:
    """Exponential waits with jitter, up to a deadline."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._deadline = time.monotonic() + patience
        self._longest = _SHORTEST_WAIT

    def wait(self, where: str) -> None:
        """Sleep a little longer than last time at most.

        Raises:
            StoreError: The deadline has passed.
        """
        if time.monotonic() > self._deadline:
            raise StoreError(
                f"The metadata store {where} was locked by other processes for over {self._patience:g} s. "
                f"See who holds it (fuser {where}), and run again."
            )
        self._longest = min(2 * self._longest, _LONGEST_WAIT)
        time.sleep(random.uniform(_SHORTEST_WAIT / 2, self._longest))  # noqa: S311  # jitter, no secret


def _is_busy(text: str) -> bool:
    return any(words in text for words in _BUSY_WORDS)
