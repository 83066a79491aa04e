"""What should happen: components, channels, pipelines, and the Plan they compile to."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
