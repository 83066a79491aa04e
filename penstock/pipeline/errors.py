"""The errors a user of Penstock meets, as one tree.

PenstockError
 |-- WiringError          the pipeline is put together wrongly (pipeline author)
 |-- ParameterError       a run parameter is unknown, missing or of the wrong type (pipeline author)
 |-- UserCodeError        a module file or a component's function is at fault (user code)
 |-- DataError            the data can't be used (data)
 |    `-- GateFailed      a gate refused the data; what it found is published all the same (data)
 |-- PlatformError        the root, the disk, a worker or the store is at fault (platform)
 `-- Unsupported          asked for something that this version refuses (pipeline author)

`Skip` stands outside the tree: raising it is no failure, the step withholds its effect and says why.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_FAILURES = 10
MAX_NAMES = 12
_BEGINNING = 4
"""With fewer letters, that a name begins with them means little."""


class PenstockError(Exception):
    """The root of the tree; `fault` says whose turn it is to act."""

    fault = "platform"


class WiringError(PenstockError):
    """The pipeline is put together wrongly; nothing has run."""

    fault = "pipeline author"


class ParameterError(PenstockError):
    """A run parameter is unknown, missing or of the wrong type."""

    fault = "pipeline author"


class Unsupported(PenstockError):
    """A known request that this version doesn't fulfil."""

    fault = "pipeline author"


class UserCodeError(PenstockError):
    """A module file or a function in it is at fault."""

    fault = "user code"


class DataError(PenstockError):
    """The data can't be used as it is."""

    fault = "data"


class GateFailed(DataError):
    """A gate refused its input: the step fails, its outputs are published, consumers of the artifact are skipped."""


class PlatformError(PenstockError):
    """The root, the disk, a worker or the metadata store is at fault."""


class Skip(Exception):
    """Raised by a component that withholds its effect; the step ends SKIPPED with this reason."""


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that was probably meant, upper and lower case being one; None when none is close.

    A name of which only the beginning was given is closer than one that differs by letters.
    """
    folded: dict[str, str] = {}
    for each in names:
        folded.setdefault(each.casefold(), each)
    given = name.casefold()
    begun = [each for each in folded if each.startswith(given)] if len(given) >= _BEGINNING else []
    close = difflib.get_close_matches(given, begun or folded, n=1, cutoff=0.0 if begun else 0.6)
    return folded[close[0]] if close else None


def nearest(name: str, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest of `names`, or an empty string when none is close."""
    close = closest(name, names)
    return f" Did you mean {close!r}?" if close else ""


def listing(names: Iterable[str]) -> str:
    """Return at most `MAX_NAMES` names as "a, b, c" with the number left out."""
    known = list(names)
    shown = ", ".join(known[:MAX_NAMES])
    return f"{shown}, and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else shown or "nothing"
