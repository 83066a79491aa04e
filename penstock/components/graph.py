"""The graph's own nodes, which the driver resolves without a worker: exported beside the components."""

from penstock.pipeline.importer import Importer
from penstock.pipeline.resolver import Resolver

__all__ = ["Importer", "Resolver"]
