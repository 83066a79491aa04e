"""A wide and deep network on taxi trips: categories go wide, numbers go deep."""

import features
import keras
import numpy as np

from penstock.components.training import TensorFlowDatasetOptions, save_model

BATCH = 40
TRACTS = 1000
CATEGORY_SIZES = {
    "trip_start_hour": 24,
    "trip_start_day": 8,
    "trip_start_month": 13,
    "pickup_census_tract": TRACTS,
    "dropoff_census_tract": TRACTS,
    "pickup_community_area": 78,
    "dropoff_community_area": 78,
}


def run_fn(fn_args):
    """Trains `train_steps` batches of 40 and saves the model with its transform."""
    sizes = category_sizes(fn_args.transform)
    model = build_model(sizes)
    steps = fn_args.train_steps or 500
    model.fit(
        rows(fn_args, fn_args.train_files, epochs=None),
        validation_data=rows(fn_args, fn_args.eval_files, epochs=1),
        steps_per_epoch=steps,
        validation_steps=fn_args.eval_steps,
        verbose=2,
    )
    save_model(model, fn_args, label=features.LABEL, task="binary")


def rows(fn_args, files, epochs):
    """Returns batches of (features, label); `epochs=None` repeats forever."""
    options = TensorFlowDatasetOptions(batch_size=BATCH, num_epochs=epochs, label_key=features.LABEL)
    return fn_args.data_accessor.tf_dataset_factory(files, options)


def category_sizes(transform):
    """Returns the number of categories of each feature that goes wide."""
    words = {name: transform.vocabulary_size(name) + features.UNKNOWN_BUCKETS for name in features.WORDS}
    places = dict.fromkeys(features.PLACES, features.BUCKETS)
    return CATEGORY_SIZES | words | places


def build_model(sizes):
    """Returns a compiled network with one input per transformed feature."""
    numbers = {name: keras.Input((1,), name=name) for name in features.NUMBERS}
    categories = {name: keras.Input((1,), name=name, dtype="int64") for name in sizes}
    deep = keras.layers.Concatenate()(list(numbers.values()))
    for units in (100, 70, 50, 25):
        deep = keras.layers.Dense(units, activation="relu")(deep)
    wide = embed(keras.layers.Concatenate()(list(categories.values())), list(sizes.values()))
    output = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Concatenate()([deep, wide]))
    model = keras.Model(numbers | categories, output)
    model.compile(keras.optimizers.Adam(0.001), loss="binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    return model


def embed(categories, sizes):
    """Returns a learned vector for each category, all from one table; indices out of range wrap around."""
    starts = np.cumsum([0, *sizes[:-1]])
    index = keras.ops.mod(categories, np.array(sizes)) + starts
    return keras.layers.Flatten()(keras.layers.Embedding(sum(sizes), 8)(index))
