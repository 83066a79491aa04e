"""Statistics side by side: the splits, spans, runs and slices that a picture compares, and how far they are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics, DatasetFeatureStatisticsList

from penstock.components.validation.feature_view import FeatureView, dataset_of, is_weighted, views
from penstock.data import protos
from penstock.data.errors import DataFormatError
from penstock.pipeline.errors import ParameterError, listing, nearest
from penstock.ui.feature_figures import FeatureFigures, figures_of
from penstock.ui.shown import Shown, Wish


@dataclass(frozen=True)
class Side:
    """One column of a comparison.

    Attributes:
        label: What it is called.
        split: The split that it is, or is a slice of.
        place: Which of the artifacts beside each other it is from, from 0.
        dataset: Its statistics.
        slices: The statistics of the slices of the same split.
    """

    label: str
    split: str
    place: int
    dataset: DatasetFeatureStatistics
    slices: tuple[DatasetFeatureStatistics, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows were described."""
        return int(self.dataset.num_examples)

    @cached_property
    def by_weight(self) -> bool:
        """Whether counts are the weights of rows."""
        return is_weighted(self.dataset)

    @cached_property
    def views(self) -> dict[str, FeatureView]:
        """The features by name, in the order of the data."""
        return {view.name: view for view in views(self.dataset, self.by_weight)}

    @cached_property
    def figures(self) -> dict[str, FeatureFigures]:
        """The figures of each feature."""
        return {name: figures_of(view) for name, view in self.views.items()}


def sides_of(artifacts: Sequence[Shown], wish: Wish) -> list[Side]:
    """Return the sides of one or several ExampleStatistics: split by split, the train split first, in it each artifact.

    Raises:
        DataFormatError: A file can't be read, or a folder holds no statistics.
        ParameterError: No split has a slice that is wanted.
    """
    sides = [side for place, shown in enumerate(artifacts) for side in _of_artifact(shown, place, len(artifacts) > 1)]
    splits = list(dict.fromkeys(side.split for side in sides))
    sides.sort(key=lambda side: splits.index(side.split))
    if not wish.slices:
        return sides
    _check_slices(wish.slices, (part.name for side in sides for part in side.slices))
    return [each for side in sides for each in (side, *_wanted_slices(side, wish.slices))]


def feature_names(sides: Iterable[Side]) -> list[str]:
    """Return every feature that some side has, in the order of the data."""
    return list(dict.fromkeys(name for side in sides for name in side.views))


def _of_artifact(shown: Shown, place: int, several: bool) -> list[Side]:
    splits = protos.split_names_of(shown.path)
    if not splits:
        raise DataFormatError(f"{shown.path} holds no statistics: it has no folder Split-<name>.", file=shown.path)
    return [
        _side(f"{split} · {shown.label}" if several else split, split, place, protos.read_statistics(shown.path, split))
        for split in splits
    ]


def _side(label: str, split: str, place: int, statistics: DatasetFeatureStatisticsList) -> Side:
    whole = dataset_of(statistics) if statistics.datasets else DatasetFeatureStatistics()
    slices = tuple(each for each in statistics.datasets if each is not whole and each.name != whole.name)
    return Side(label, split, place, whole, slices)


def _wanted_slices(side: Side, names: Sequence[str]) -> list[Side]:
    found = {part.name: part for part in side.slices}
    return [Side(f"{side.label} · {name}", side.split, side.place, found[name]) for name in names if name in found]


def _check_slices(wanted: Sequence[str], known: Iterable[str]) -> None:
    names = list(dict.fromkeys(known))
    for name in wanted:
        if name not in names:
            told = (
                f"It has: {listing(names)}." if names else "They describe no slices: StatsOptions(slice_features=...)."
            )
            raise ParameterError(f"--slice {name!r} is no slice of the statistics.{nearest(name, names)} {told}")
