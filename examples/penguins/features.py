"""From measurements with gaps to numbers: the same graph runs in training and inside the served model."""

import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
WORDS = ["island", "sex"]
LABEL = "species"


def preprocessing_fn(inputs):
    """Returns z-scores, one-hot islands and sexes, and the index of the species."""
    outputs = {}
    for name in NUMBERS:
        outputs[name] = tft.scale_to_z_score(impute(inputs[name]))
    for name in WORDS:
        index = tft.compute_and_apply_vocabulary(words(inputs[name]), num_oov_buckets=1, vocab_filename=name)
        outputs[name] = tf.one_hot(index, depth=4)
    outputs[LABEL] = tft.compute_and_apply_vocabulary(words(inputs[LABEL]), vocab_filename=LABEL)
    return outputs


def impute(column):
    """Fills missing measurements with the mean of the others; shape (batch,)."""
    mean = tf.cast(tft.mean(column), tf.float32)
    values = tf.cast(column.values, tf.float32)
    filled = tf.sparse.to_dense(tf.SparseTensor(column.indices, values - mean, column.dense_shape))
    return filled[:, 0] + mean


def words(column):
    """Fills missing words with "unknown"; a column that is never missing is dense already; shape (batch,)."""
    if isinstance(column, tf.SparseTensor):
        column = tf.sparse.to_dense(column, default_value="unknown")
    return column[:, 0]
