"""The graph's own nodes, which the driver resolves without a worker: exported beside the components."""

from penstock.pipeline.importer import Importer

__all__ = ["Importer"]
