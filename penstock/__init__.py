"""ML pipelines from raw data to a pushed model, cached by content and traceable by lineage."""

__version__ = "0.1.0"
