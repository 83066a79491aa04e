"""Statistics of the user's own: classes of a module file that see every batch, and tell figures by feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatistics

from penstock.pipeline import ModuleFile, UserCodeError
from penstock.pipeline.errors import listing, nearest

METHODS = ("add", "merge", "statistics")


@dataclass(frozen=True)
class CustomClasses:
    """Classes of the user's, each made without arguments.

    Attributes:
        module_file: The file that defines them.
        names: Their names. Each has `add(batch)` for a `pyarrow.RecordBatch`, `merge(other)` for one that saw later
            rows, and `statistics()`, which returns figures or texts by feature and name:
            {"fare": {"share_of_round_fares": 0.4}}. Instances pickle.
    """

    module_file: ModuleFile
    names: tuple[str, ...]

    def find(self, name: str) -> type:
        """Import one of the classes.

        Raises:
            UserCodeError: The file can't be imported, or there is no such class.
        """
        module = self.module_file.load()
        known = {each: value for each, value in vars(module).items() if isinstance(value, type)}
        if name not in known:
            own = [each for each, value in known.items() if value.__module__ == module.__name__]
            raise UserCodeError(
                f"{self.module_file.module} has no class {name!r}, which StatsOptions(custom_statistics=...) names."
                f"{nearest(name, own)} It defines: {listing(own)}."
            )
        return known[name]

    def check(self) -> None:
        """Import the classes, and make one of each.

        Raises:
            UserCodeError: There is no such class, or it lacks a method.
        """
        for name, made in CustomStatistics(self).made.items():
            lacking = [method for method in METHODS if not callable(getattr(made, method, None))]
            if lacking:
                raise UserCodeError(
                    f"{name} in {self.module_file.module} has no method {lacking[0]}(). Custom statistics have "
                    f"add(batch), merge(other) and statistics()."
                )


class CustomStatistics:
    """What the user's classes gather of one data set.

    Args:
        classes: The user's classes.
    """

    def __init__(self, classes: CustomClasses) -> None:
        self._module = classes.module_file.module
        self.made: dict[str, Any] = {name: self._call(name, "__init__()", classes.find(name)) for name in classes.names}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of rows."""
        for name, made in self.made.items():
            self._call(name, "add()", made.add, batch)

    def merge(self, other: CustomStatistics) -> None:
        """Add the rows of `other`, which come after those seen here."""
        for name, made in self.made.items():
            self._call(name, "merge()", made.merge, other.made[name])

    def add_to(self, dataset: DatasetFeatureStatistics) -> None:
        """Add what was found to the statistics of features, in the order of names.

        Raises:
            UserCodeError: The user's code failed, or told something else than figures by feature.
        """
        features = {".".join(feature.path.step): feature for feature in dataset.features}
        for name, made in self.made.items():
            found = self._call(name, "statistics()", made.statistics)
            for feature, figures in sorted(self._checked(name, found, features).items()):
                for statistic, value in sorted(figures.items()):
                    kind = {"str": value} if isinstance(value, str) else {"num": float(value)}
                    features[feature].custom_stats.add(name=statistic, **kind)

    def _checked(
        self, name: str, found: Any, features: Mapping[str, Any]
    ) -> Mapping[str, Mapping[str, str | int | float]]:
        if not isinstance(found, Mapping) or not all(_are_figures(figures) for figures in found.values()):
            raise UserCodeError(
                f"{name}.statistics() in {self._module} returned {found!r:.80}. It returns numbers or texts by feature "
                f"and name, as {{'fare': {{'share_of_round_fares': 0.4}}}}."
            )
        for feature in found:
            if feature not in features:
                raise UserCodeError(
                    f"{name}.statistics() in {self._module} names {feature!r}, which is not described."
                    f"{nearest(str(feature), features)} Described are: {listing(features)}."
                )
        return found

    def _call(self, name: str, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            raise UserCodeError(f"{name}.{what} in {self._module} failed: {type(error).__name__}: {error}") from error


def _are_figures(figures: Any) -> bool:
    return isinstance(figures, Mapping) and all(
        isinstance(name, str) and isinstance(value, str | int | float) for name, value in figures.items()
    )
