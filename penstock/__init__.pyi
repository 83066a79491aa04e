from .runners.history import runs as runs

__version__: str
