"""Schema, statistics and anomalies as files, in TFX's names and formats, and their digests.

A digest ignores what carries no meaning: the order of a schema's features, comments, and how a proto was
serialised. Formats: `schema.pbtxt` (text), `Split-<name>/FeatureStats.pb` and `Split-<name>/SchemaDiff.pb`
(binary). Beside statistics may stand `Leakage.json`: what was measured across splits.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TypeVar

from google.protobuf import message, text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data.errors import DataFormatError, NoDataError

SCHEMA_FILE = "schema.pbtxt"
STATISTICS_FILE = "FeatureStats.pb"
LEAKAGE_FILE = "Leakage.json"
ANOMALIES_FILE = "SchemaDiff.pb"

Proto = TypeVar("Proto", bound=message.Message)


def read_schema(path: str) -> schema_pb2.Schema:
    """Reads a schema from a text file, or from the `schema.pbtxt` in a folder.

    Raises:
        DataFormatError: The file is no schema; the message names the line.
    """
    file = os.path.join(path, SCHEMA_FILE) if os.path.isdir(path) else path
    try:
        text = Path(file).read_text(encoding="utf-8")
        return text_format.Parse(text, schema_pb2.Schema())
    except FileNotFoundError as error:
        raise NoDataError(f"There is no schema at {file}.", file=file) from error
    except text_format.ParseError as error:
        raise DataFormatError(
            f"{file} is not a schema in text format: line {error}. "
            "It must be a tensorflow_metadata.v0.Schema, as SchemaGen writes it.",
            file=file,
            line=error.GetLine(),
        ) from error
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{file} is not a schema in text format: it is no UTF-8 text.", file=file) from error


def write_schema(path: str, schema: schema_pb2.Schema) -> None:
    """Writes `schema.pbtxt` into the folder `path`."""
    os.makedirs(path, exist_ok=True)
    Path(path, SCHEMA_FILE).write_text(text_format.MessageToString(schema), encoding="utf-8")


def read_statistics(path: str, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Reads the statistics of one split."""
    return _read_split(path, split, STATISTICS_FILE, statistics_pb2.DatasetFeatureStatisticsList())


def write_statistics(path: str, split: str, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> None:
    """Writes the statistics of one split."""
    _write_split(path, split, STATISTICS_FILE, statistics)


def read_anomalies(path: str, split: str) -> anomalies_pb2.Anomalies:
    """Reads the anomalies of one split."""
    return _read_split(path, split, ANOMALIES_FILE, anomalies_pb2.Anomalies())


def write_anomalies(path: str, split: str, anomalies: anomalies_pb2.Anomalies) -> None:
    """Writes the anomalies of one split; an empty proto says that there are none."""
    _write_split(path, split, ANOMALIES_FILE, anomalies)


def split_names_of(path: str) -> list[str]:
    """Returns the splits that a folder of statistics or anomalies covers, sorted, "train" first."""
    names = [name[len("Split-") :] for name in os.listdir(path) if name.startswith("Split-")]
    return sorted(names, key=lambda name: (name != "train", name))


def digest_schema(path: str) -> str:
    """Returns the digest of a schema: the order of features and of named domains does not count."""
    schema = read_schema(path)
    for field in (schema.feature, schema.sparse_feature, schema.weighted_feature, schema.string_domain):
        field.sort(key=lambda entry: entry.name)
    return "schema-1:" + _hash([("schema", schema)])


def digest_statistics(path: str) -> str:
    """Returns the digest of the statistics of all splits, and of what was measured across them.

    The order of features does not count.
    """
    entries: list[tuple[str, message.Message]] = []
    for split in split_names_of(path):
        statistics = read_statistics(path, split)
        for dataset in statistics.datasets:
            dataset.features.sort(key=_feature_path)
        entries.append((split, statistics))
    leakage = Path(path, LEAKAGE_FILE)
    return "statistics-1:" + _hash(entries, leakage.read_bytes() if leakage.exists() else b"")


def digest_anomalies(path: str) -> str:
    """Returns the digest of the anomalies of all splits."""
    entries: list[tuple[str, message.Message]] = []
    for split in split_names_of(path):
        anomalies = read_anomalies(path, split)
        anomalies.baseline.feature.sort(key=lambda feature: feature.name)
        entries.append((split, anomalies))
    return "anomalies-1:" + _hash(entries)


def _feature_path(feature: statistics_pb2.FeatureNameStatistics) -> tuple[str, ...]:
    return (feature.name,) if feature.name else tuple(feature.path.step)


def _hash(entries: list[tuple[str, message.Message]], beside: bytes = b"") -> str:
    """Hashes named protos, each as deterministic binary (map entries sorted, fields in order of number)."""
    digest = hashlib.sha256(beside)
    for name, proto in sorted(entries, key=lambda entry: entry[0]):
        data = proto.SerializeToString(deterministic=True)
        digest.update(f"{len(name.encode())}:{name}:{len(data)}:".encode() + data)
    return digest.hexdigest()[:32]


def _read_split(path: str, split: str, file_name: str, proto: Proto) -> Proto:
    file = os.path.join(path, f"Split-{split}", file_name)
    try:
        proto.ParseFromString(Path(file).read_bytes())
    except FileNotFoundError as error:
        known = ", ".join(split_names_of(path)) if os.path.isdir(path) else "none"
        raise NoDataError(
            f"There is no {file_name} of split {split!r} in {path}. Splits: {known}.", file=file
        ) from error
    except message.DecodeError as error:
        raise DataFormatError(f"{file} is not a {type(proto).DESCRIPTOR.full_name}.", file=file) from error
    return proto


def _write_split(path: str, split: str, file_name: str, proto: message.Message) -> None:
    folder = Path(path, f"Split-{split}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file_name).write_bytes(proto.SerializeToString(deterministic=True))
