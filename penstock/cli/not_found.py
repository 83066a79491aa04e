"""The error of a name that stands for nothing recorded."""

from __future__ import annotations

from penstock.pipeline.errors import PenstockError


class NotFound(PenstockError):
    """Nothing is recorded under a name, or several things are; the message lists what is near."""

    fault = "pipeline author"
