"""Loads a SavedModel where nothing but TensorFlow can be imported, and prints what it makes of one bird.

Usage: python tensorflow_alone.py SAVED_MODEL
"""

import json
import sys

FORBIDDEN = ("penstock", "keras", "tf_keras", "tensorflow_transform", "tfx_bsl", "apache_beam")


for package in FORBIDDEN:
    sys.modules[package] = None  # an import of it, and of what is in it, fails

import tensorflow as tf  # noqa: E402

BIRD = {
    "island": [["Biscoe"]],
    "sex": [[""]],
    "bill_length_mm": [[46.1]],
    "bill_depth_mm": [[float("nan")]],
    "flipper_length_mm": [[211]],
    "body_mass_g": [[4500]],
}

predict = tf.saved_model.load(sys.argv[1]).signatures["raw"]
wanted = predict.structured_input_signature[1]
said = predict(**{name: tf.constant(BIRD[name], spec.dtype) for name, spec in wanted.items()})
print(json.dumps({name: tensor.numpy().astype(str).tolist() for name, tensor in said.items()}))
