"""What rows are: the Examples layout, readers, writers, row hash, codecs and file ranges."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
