"""ML pipelines from raw data to a pushed model, cached by content and traceable by lineage."""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
