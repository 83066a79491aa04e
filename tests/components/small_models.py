"""Real SavedModels that keep the model contract and are small enough to know their scores by hand."""

from __future__ import annotations

import os

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from penstock.components.model_contract import SERVING_FOLDER, ModelContract, write_contract
from penstock.data.codec import RawFeature

P = RawFeature("p", "float32")
DISTANCE = RawFeature("distance", "float32")
SPECIES = ("Adelie", "Chinstrap", "Gentoo")

BINARY = ModelContract("binary", "answer", "raw", (P,), classes=("no", "yes"))
LISTED = ModelContract("binary", "answer", "raw", (RawFeature("p", "float32", scalar=False),), classes=("no", "yes"))
MADE_LABEL = ModelContract("binary", "far", "transform", (P,), (DISTANCE,), ("0", "1"), ("p_xf", "far"))
REGRESSION = ModelContract("regression", "target", "raw", (P,))
MULTICLASS = ModelContract("multiclass", "species", "raw", (P,), classes=SPECIES)

RAW = tf.TensorSpec((None, 1), tf.float32)


class PassThrough(tf.Module):
    """Its score is the feature `p`; 0.5 where that is missing (binary), or unchanged (regression)."""

    def __init__(self, contract, broken=""):
        super().__init__()
        self.contract = contract
        self.broken = broken
        self.scale = tf.Variable(1.0)

    @tf.function(input_signature=[RAW])
    def raw(self, p):
        known = p if self.broken == "nan" else tf.where(tf.math.is_nan(p), 0.5, p)
        known = known * self.scale
        if self.contract.task == "multiclass":
            # p in thirds: class by floor(3p), with 0.8 for it and 0.1 for each other.
            index = tf.cast(tf.minimum(tf.floor(known[:, 0] * 3), 2), tf.int32)
            known = tf.one_hot(index, 3, 0.8, 0.1)
        if self.broken == "logits":
            known = known * 10 - 5
        outputs = {"scores": known[:-1] if self.broken == "short" else known}
        if self.contract.classes:
            names = self.contract.classes if self.contract.task == "multiclass" else self.contract.classes[1:]
            outputs["classes"] = tf.repeat(tf.constant([list(names)]), tf.shape(known)[0], axis=0)
        return outputs

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def serving_default(self, examples):
        parsed = tf.io.parse_example(examples, {"p": tf.io.FixedLenFeature([1], tf.float32, [float("nan")])})
        return self.raw(parsed["p"])

    @tf.function(input_signature=[RAW, RAW])
    def transform(self, p, distance):
        return {"p_xf": p * 2, "far": tf.cast(distance > 10, tf.int64)}


def save_model(path, contract=BINARY, broken=""):
    """Saves a model artifact at `path` and returns the path as text."""
    folder = os.path.join(path, SERVING_FOLDER)
    module = PassThrough(contract, broken)
    signatures = {"raw": module.raw, "serving_default": module.serving_default}
    if contract.has_transform:
        signatures["transform"] = module.transform
    tf.saved_model.save(module, folder, signatures)
    write_contract(contract, folder)
    return str(path)


def save_examples(path, columns, split="eval"):
    """Writes one shard of examples and returns the folder as text."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    folder = os.path.join(path, f"Split-{split}")
    os.makedirs(folder, exist_ok=True)
    pq.write_table(table, os.path.join(folder, f"{split}-00000-of-00001.parquet"))
    return str(path)
