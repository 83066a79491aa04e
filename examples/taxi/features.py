"""Features of a Chicago taxi trip, and the label: was the tip more than a fifth of the fare?"""

import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["trip_miles", "fare", "trip_seconds"]
PLACES = ["pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]
WORDS = ["payment_type", "company"]
CATEGORIES = [
    "trip_start_hour",
    "trip_start_day",
    "trip_start_month",
    "pickup_census_tract",
    "dropoff_census_tract",
    "pickup_community_area",
    "dropoff_community_area",
]
BUCKETS = 10
VOCABULARY = 1000
UNKNOWN_BUCKETS = 10
LABEL = "big_tip"


def preprocessing_fn(inputs):
    """Returns z-scores, indices of words and buckets, categories as they are, and the label."""
    outputs = {}
    for name in NUMBERS:
        outputs[name] = tft.scale_to_z_score(filled(inputs[name], tf.float32))
    for name in WORDS:
        outputs[name] = tft.compute_and_apply_vocabulary(
            filled(inputs[name], tf.string), top_k=VOCABULARY, num_oov_buckets=UNKNOWN_BUCKETS, vocab_filename=name
        )
    for name in PLACES:
        outputs[name] = tft.bucketize(filled(inputs[name], tf.float32), BUCKETS)
    for name in CATEGORIES:
        outputs[name] = filled(inputs[name], tf.int64)
    fare, tips = filled(inputs["fare"], tf.float32), filled(inputs["tips"], tf.float32)
    outputs[LABEL] = tf.cast(tips > fare * 0.2, tf.int64)
    return outputs


def filled(column, dtype):
    """Returns a column with 0 or "" where a value is missing; shape (batch,)."""
    if isinstance(column, tf.SparseTensor):
        column = tf.sparse.to_dense(column)
    return tf.cast(column[:, 0], dtype)
