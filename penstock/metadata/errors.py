"""What goes wrong in the metadata store, said with the path and the repair."""

from __future__ import annotations


class StoreError(Exception):
    """The metadata store can't be opened, or can't do what was asked of it.

    The message names the store, says what was found and what to do next.
    """
