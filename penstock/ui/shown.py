"""What a person asked to see: the artifacts that are pictured together, and what of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from penstock.pipeline.errors import ParameterError, listing, nearest


@dataclass(frozen=True)
class Shown:
    """One artifact to be pictured.

    Attributes:
        type: Its artifact type.
        path: Where its files are.
        label: What tells it apart from the others beside it.
        reference: How a command names it: an artifact's id, or a path.
        made_from: The artifacts that it was made from, which explain it: a split's statistics and schema.
    """

    type: str
    path: str
    label: str = ""
    reference: str = ""
    made_from: tuple[Shown, ...] = ()


def with_origins(artifacts: Sequence[Shown]) -> list[Shown]:
    """Return artifacts and what explains anomalies among them: their statistics, the earlier ones first, and schema."""
    origins = [each for shown in artifacts if shown.type == "ExampleAnomalies" for each in reversed(shown.made_from)]
    return list({each.path: each for each in (*artifacts, *origins)}.values())


@dataclass(frozen=True)
class Wish:
    """What of the artifacts is wanted.

    Attributes:
        features: Names or patterns such as `trip_*`; all without any.
        sort: What features are sorted by, one of `SORTS`.
        limit: The most features that are listed; None for all.
        slices: Slices that are shown beside the whole.
        root: What a further command needs to find the root, such as " --root DIR".
    """

    features: tuple[str, ...] = ()
    sort: str = "data"
    limit: int | None = None
    slices: tuple[str, ...] = ()
    root: str = ""

    def selects(self, name: str) -> bool:
        """Say whether a feature is wanted."""
        return not self.features or any(name == each or fnmatchcase(name, each) for each in self.features)

    def chosen(self, names: Iterable[str]) -> list[str]:
        """Return those of the features that are wanted, in their order.

        Raises:
            ParameterError: A wish fits none of them.
        """
        known = list(dict.fromkeys(names))
        for each in self.features:
            if each not in known and not any(fnmatchcase(name, each) for name in known):
                raise ParameterError(
                    f"--feature {each!r} fits no feature.{nearest(each, known)} There are: {listing(known)}."
                )
        return [name for name in known if self.selects(name)]


EVERYTHING = Wish()
