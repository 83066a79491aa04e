"""The types of a store by name: read once, written only where one is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ml_metadata.proto import metadata_store_service_pb2 as service

from penstock.metadata.artifact_types import STANDARD_TYPES, Artifact
from penstock.metadata.client import Client
from penstock.metadata.properties import KINDS

PIPELINE = "pipeline"
RUN = "pipeline_run"
NODE = "node"
CACHE_KEY = "penstock_cache_key"
CONTEXT_TYPES = (PIPELINE, RUN, NODE, CACHE_KEY)
COMPONENT_PROPERTY = "component"


@dataclass(frozen=True)
class StoredType:
    """A type's id in the store and the kinds of its declared properties."""

    id: int
    kinds: Mapping[str, int] = field(default_factory=dict)


class TypeTable:
    """Types by name, memoised; what is missing is registered when it is asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._artifacts: dict[str, StoredType] = {}
        self._executions: dict[str, int] = {}
        self._contexts: dict[str, int] = {}
        self._read()
        self.register(STANDARD_TYPES)

    def artifact(self, name: str) -> StoredType:
        """Give an artifact type; an unknown one is registered, without declared properties."""
        if name not in self._artifacts:
            self._put({name: {}}, [], [])
        return self._artifacts[name]

    def execution(self, component: str) -> int:
        """Give the id of a component's execution type, named as the component is (``"module:Name"`` -> ``Name``)."""
        name = component.rpartition(":")[2]
        if name not in self._executions:
            self._put({}, [name], [])
        return self._executions[name]

    def context(self, name: str) -> int:
        """Give the id of one of ``CONTEXT_TYPES``."""
        return self._contexts[name]

    def register(self, types: Iterable[type[Artifact]]) -> None:
        """Declare artifact types with their properties, and whatever else a store must have, in one call."""
        missing = {
            each.TYPE_NAME: {name: KINDS[kind] for name, kind in each.PROPERTIES.items()}
            for each in types
            if not self._has(each)
        }
        contexts = [name for name in CONTEXT_TYPES if name not in self._contexts]
        if missing or contexts:
            self._put(missing, [], contexts)

    def _has(self, declared: type[Artifact]) -> bool:
        stored = self._artifacts.get(declared.TYPE_NAME)
        return stored is not None and declared.PROPERTIES.keys() <= stored.kinds.keys()

    def _read(self) -> None:
        call = self._client.call
        for each in call("GetArtifactTypes", service.GetArtifactTypesRequest()).artifact_types:
            self._artifacts[each.name] = StoredType(each.id, dict(each.properties))
        for each in call("GetExecutionTypes", service.GetExecutionTypesRequest()).execution_types:
            self._executions[each.name] = each.id
        for each in call("GetContextTypes", service.GetContextTypesRequest()).context_types:
            self._contexts[each.name] = each.id

    def _put(self, artifacts: Mapping[str, Mapping[str, int]], executions: list[str], contexts: list[str]) -> None:
        request = service.PutTypesRequest(can_add_fields=True, can_omit_fields=True)
        for name, kinds in artifacts.items():
            request.artifact_types.add(name=name, properties=kinds)
        for name in executions:
            request.execution_types.add(name=name, properties={COMPONENT_PROPERTY: KINDS[str]})
        for name in contexts:
            request.context_types.add(name=name)
        self._client.call("PutTypes", request)
        self._read()
