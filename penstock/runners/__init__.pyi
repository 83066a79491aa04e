from .in_process import InProcessRunner as InProcessRunner
from .local import LocalRunner as LocalRunner
