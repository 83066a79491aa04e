"""The artifact types: what a file or folder is called, which properties it has, how its content is digested.

Names and properties are TFX's. A type of one's own is a subclass::

    class Report(Artifact):
        PROPERTIES: ClassVar[Mapping[str, type]] = {"rows": int}
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any, ClassVar

PROPERTY_TYPES: tuple[type, ...] = (int, float, str, list, dict)
"""What a declared property may be; lists and dicts hold JSON values."""


class Artifact:
    """Typed data at a path, with properties: what a component's function is given.

    Subclasses set ``PROPERTIES`` and ``DIGEST`` where they differ; ``TYPE_NAME`` is the class's name unless
    given, and the properties of base classes are inherited.

    Args:
        path: A local file or folder. An input's is read-only; an output's is a staging path to be filled.
        uri: Where the artifact finally stands, relative to the root, or an absolute path or URL outside it.
        properties: JSON values by name. An output's are recorded as the function leaves them.
        id: The artifact's id in the metadata store, 0 while it has none.
        digest: Digest of the meaning, such as ``"rows-1:9f..."``, "" while unknown.
        bytes_digest: sha256 of the file manifest, "" while unknown.
        name: A name unique among the artifacts of this type, or "".
    """

    TYPE_NAME: ClassVar[str] = "Artifact"
    PROPERTIES: ClassVar[Mapping[str, type]] = {}
    DIGEST: ClassVar[str] = "penstock.data.files:digest_tree"
    """``"module:function"`` from a path to the semantic digest; imported on first use, run in the worker."""
    PICTURE: ClassVar[str] = ""
    """``"module:function"`` from a path to HTML, for a notebook; imported on first use, "" for no picture."""

    def __init__(
        self,
        path: str,
        uri: str = "",
        properties: dict[str, Any] | None = None,
        *,
        id: int = 0,
        digest: str = "",
        bytes_digest: str = "",
        name: str = "",
    ) -> None:
        self.path = path
        self.uri = uri
        self.properties: dict[str, Any] = {} if properties is None else properties
        self.id = id
        self.digest = digest
        self.bytes_digest = bytes_digest
        self.name = name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Name the type after its class unless it says otherwise, and check and inherit the properties."""
        super().__init_subclass__(**kwargs)
        if "TYPE_NAME" not in cls.__dict__:
            cls.TYPE_NAME = cls.__name__
        own = dict(cls.__dict__.get("PROPERTIES", {}))
        for name, kind in own.items():
            if kind not in PROPERTY_TYPES:
                allowed = ", ".join(each.__name__ for each in PROPERTY_TYPES)
                raise TypeError(
                    f"Property {name!r} of artifact type {cls.TYPE_NAME} is declared as {kind!r}. "
                    f"Use one of: {allowed} (0 and 1 stand for a bool)."
                )
        inherited: dict[str, type] = {}
        for base in reversed(cls.__mro__[1:]):
            inherited.update(base.__dict__.get("PROPERTIES", {}))
        cls.PROPERTIES = inherited | own

    def __fspath__(self) -> str:
        """Let an artifact stand where a path is asked for: ``os.path.join(model, "Format-Serving")``."""
        return self.path

    def _repr_html_(self) -> str | None:
        """Return a picture of what is inside, for a notebook; None for a type without one, or when it is gone."""
        if not self.PICTURE or not os.path.exists(self.path):
            return None
        module, _, name = self.PICTURE.partition(":")
        picture: str = getattr(importlib.import_module(module), name)(self.path)
        return picture

    def __repr__(self) -> str:
        """Show the type, the place and the digest."""
        digest = f", digest={self.digest!r}" if self.digest else ""
        return f"{self.TYPE_NAME}({self.uri or self.path!r}{digest})"


class Examples(Artifact):
    """Rows as Parquet, a folder ``Split-<name>`` a split.

    ``columns`` maps a column's name to its type in words, ``rows`` a split's name to its number of rows.
    """

    PROPERTIES: ClassVar[Mapping[str, type]] = {
        "span": int,
        "version": int,
        "split_names": list,
        "columns": dict,
        "rows": dict,
    }
    DIGEST = "penstock.data.examples:digest"


class QuarantinedRows(Artifact):
    """Bad rows that were set aside at ingestion: ``rows.jsonl`` with file, line, reason and text of each.

    ``reasons`` counts them by the rule that they break.
    """

    PROPERTIES: ClassVar[Mapping[str, type]] = {"rows": int, "reasons": dict}


class TFRecords(Artifact):
    """Rows as gzip TFRecord files of tf.Example, ``Split-<name>/data_tfrecord-00000-of-00003.gz``."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"span": int, "split_names": list, "rows": dict}


class ExampleStatistics(Artifact):
    """Statistics of examples: ``Split-<name>/FeatureStats.pb``, as TFDV writes and reads them."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"span": int, "split_names": list}
    DIGEST = "penstock.data.protos:digest_statistics"
    PICTURE = "penstock.ui.page.notebook:statistics"


class Schema(Artifact):
    """What the data ought to look like: ``schema.pbtxt`` of tensorflow_metadata."""

    DIGEST = "penstock.data.protos:digest_schema"
    PICTURE = "penstock.ui.page.notebook:schema"


class ExampleAnomalies(Artifact):
    """Where data and schema disagree: ``Split-<name>/SchemaDiff.pb`` of tensorflow_metadata."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"span": int, "split_names": list}
    DIGEST = "penstock.data.protos:digest_anomalies"
    PICTURE = "penstock.ui.page.notebook:anomalies"


class TransformGraph(Artifact):
    """The fitted preprocessing as tensorflow-transform saves it."""

    DIGEST = "penstock.components.transform.graph_digest:digest"


class TransformCache(Artifact):
    """Analyzer results of earlier spans, for the next Transform."""


class Model(Artifact):
    """A trained model: a SavedModel and what its contract says (``penstock_model.json``)."""

    DIGEST = "penstock.components.training.model_digest:digest"


class ModelRun(Artifact):
    """What training left beside the model: logs for TensorBoard, checkpoints, histories."""


class ModelEvaluation(Artifact):
    """Metrics of a model, overall and by slice."""

    PICTURE = "penstock.ui.page.notebook:evaluation"


class ModelBlessing(Artifact):
    """The Evaluator's verdict: ``blessed`` is 1 when all thresholds hold, else 0."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"blessed": int}


class PushedModel(Artifact):
    """Where a model was pushed to, and as which version."""


class InfraBlessing(Artifact):
    """The InfraValidator's verdict: ``blessed`` is 1 when the model could be served, else 0."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"blessed": int}


class HyperParameters(Artifact):
    """The values that a Tuner found best."""


class ExternalFiles(Artifact):
    """Files from outside the root, as the driver found them: names, sizes and sha256."""


class ValueArtifact(Artifact):
    """One JSON value, kept in a file and as the property ``value``, so that conditions need open no file."""

    @property
    def value(self) -> Any:
        """The value itself."""
        return self.properties["value"]


class Integer(ValueArtifact):
    """An int."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"value": int}


class Float(ValueArtifact):
    """A float."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"value": float}


class String(ValueArtifact):
    """A str."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"value": str}


class Boolean(ValueArtifact):
    """A bool, recorded as 0 or 1."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"value": int}

    @property
    def value(self) -> bool:
        """The value as a bool, whatever the store made of it."""
        return bool(self.properties["value"])


class JsonValue(ValueArtifact):
    """Any JSON value."""

    PROPERTIES: ClassVar[Mapping[str, type]] = {"value": dict}


STANDARD_TYPES: tuple[type[Artifact], ...] = (
    Examples,
    ExampleStatistics,
    Schema,
    ExampleAnomalies,
    TransformGraph,
    TransformCache,
    Model,
    ModelRun,
    ModelEvaluation,
    ModelBlessing,
    PushedModel,
    InfraBlessing,
    HyperParameters,
    ExternalFiles,
    Integer,
    Float,
    String,
    Boolean,
    JsonValue,
)
"""The types that every store knows from the start."""
