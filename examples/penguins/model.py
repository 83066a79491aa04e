"""A small network on the transformed penguins."""

import keras

from penstock.components.training import TensorFlowDatasetOptions, save_model

LABEL = "species"
BATCH = 16


def run_fn(fn_args):
    """Trains on the train split, watches the eval split, saves the model with its transform."""
    species = fn_args.transform.vocabulary(LABEL)
    model = build_model(fn_args.transform.transformed_features, len(species))
    model.fit(
        rows(fn_args, fn_args.train_files),
        validation_data=rows(fn_args, fn_args.eval_files),
        epochs=fn_args.custom_config.get("epochs", 20),
        verbose=2,
    )
    save_model(model, fn_args, label=LABEL, task="multiclass", classes=species)


def rows(fn_args, files):
    """Returns one epoch of (features, label) batches."""
    options = TensorFlowDatasetOptions(batch_size=BATCH, num_epochs=1, label_key=LABEL)
    return fn_args.data_accessor.tf_dataset_factory(files, options)


def build_model(features, classes):
    """Returns a compiled network with one input per transformed feature."""
    inputs = {f.name: keras.Input(f.shape or (1,), name=f.name) for f in features if f.name != LABEL}
    hidden = keras.layers.Concatenate()(list(inputs.values()))
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    hidden = keras.layers.Dense(16, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(hidden))
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
