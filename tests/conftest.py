"""What holds for every test: a quiet TensorFlow with Keras 3, no settings of the person who runs them, patient laws."""

from __future__ import annotations

import os
import signal

import hypothesis

# Before anything imports TensorFlow: tensorflow_transform would switch tf.keras to Keras 2, for child processes too.
os.environ["TF_USE_LEGACY_KERAS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.pop("PENSTOCK_ROOT", None)
# A shell starts what is in the background with Ctrl-C ignored, and every child of it too; runs are interrupted here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("penstock", deadline=None, print_blob=True)
hypothesis.settings.load_profile("penstock")
