"""What an artifact looks like as the result of a notebook's cell: its page in a frame of its own."""

from __future__ import annotations

from functools import partial

from penstock.ui.page.document import in_notebook
from penstock.ui.page.statistics_page import page
from penstock.ui.shown import Shown


def _picture(type_name: str, path: str) -> str:
    """Return the picture of the artifact of this type at a path.

    Raises:
        DataFormatError: A file can't be read.
    """
    return in_notebook(page([Shown(type_name, path)]))


statistics = partial(_picture, "ExampleStatistics")
anomalies = partial(_picture, "ExampleAnomalies")
schema = partial(_picture, "Schema")
differences = partial(_picture, "ExamplesDiff")
evaluation = partial(_picture, "ModelEvaluation")
