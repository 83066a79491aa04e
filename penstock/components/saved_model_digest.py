"""The semantic digest of a SavedModel: what it computes and with which weights, not how its parts are named.

Neither weights with signatures nor TensorFlow's own fingerprints tell a model from one with an activation added, and
file hashes differ between two exports of one model. So every function is hashed by its structure: a node is its
operation, its attributes and the hashes of its inputs; names of nodes and functions, positions and debug information
don't enter. What a function captures is hashed by its content: the value of a variable, the bytes of an asset, the
functions that make and fill a table.

TensorFlow is imported when there is a SavedModel to read: a model of another framework costs no import of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

_VARIABLES = os.path.join("variables", "variables")
_NAMES_ONLY = frozenset({"shared_name", "container", "config", "config_proto", "executor_type"})
_SAVER_OPS = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"})


def is_saved_model(folder: str) -> bool:
    """Whether a folder holds a SavedModel of TensorFlow 2."""
    return os.path.isfile(os.path.join(folder, "saved_model.pb"))


def hash_saved_model(folder: str) -> str:
    """Returns 32 hex digits; equal for exports of one model, different where results could be."""
    return _Hasher(folder).whole()


def combined(*parts: str | bytes | Iterable[str]) -> str:
    """Returns the hash of a sequence of parts, each with its length, so that no two sequences collide by joining."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, str | bytes):
            data = part.encode() if isinstance(part, str) else part
        else:
            data = combined(*part).encode()
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


class _Hasher:
    """One SavedModel while it is hashed; functions and captured objects are hashed once each."""

    def __init__(self, folder: str) -> None:
        from tensorflow.core.protobuf import saved_model_pb2

        with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
            saved = saved_model_pb2.SavedModel.FromString(file.read())
        self._folder = folder
        self._meta = saved.meta_graphs[0]
        self._objects = self._meta.object_graph_def
        self._main = {node.name: node for node in self._meta.graph_def.node}
        self._library = {f.signature.name: f for f in self._meta.graph_def.library.function}
        self._functions: dict[str, str] = {}
        self._captured: dict[int, str] = {}
        self._values = _checkpoint_values(folder, self._objects)

    def whole(self) -> str:
        """Returns the hash of all that the SavedModel holds."""
        concrete = self._objects.concrete_functions
        bound = {name: [self._object(i) for i in concrete[name].bound_inputs] for name in concrete}
        return combined(
            sorted(self._signature(name, bound) for name in self._meta.signature_def),
            sorted(combined(self._function(name), captures) for name, captures in bound.items()),
            sorted(self._function(name) for name in self._library if not self._saves(name)),
            sorted(self._values.values()),
            sorted(combined(asset.filename, self._asset(i)) for i, asset in enumerate(self._meta.asset_file_def)),
        )

    def _saves(self, name: str) -> bool:
        """Whether a function belongs to the checkpoint machinery, whose constants are object paths."""
        return any(node.op in _SAVER_OPS for node in self._library[name].node_def)

    def _signature(self, name: str, bound: Mapping[str, list[str]]) -> str:
        """Returns the hash of a signature: which key is which argument or result of which function."""
        signature = self._meta.signature_def[name]
        parts = [name, signature.method_name]
        position: dict[str, int] = {}
        for key in sorted(signature.outputs):
            output = signature.outputs[key]
            node_name, _, index = output.name.partition(":")
            call = self._main.get(node_name)
            parts.append(combined(key, index, str(output.dtype), str(output.tensor_shape)))
            if call is not None and "f" in call.attr:
                function = call.attr["f"].func.name
                parts.append(combined(self._function(function), bound.get(function, [])))
                position = {source.partition(":")[0]: i for i, source in enumerate(call.input)}
        for key in sorted(signature.inputs):
            given = signature.inputs[key]
            place = position.get(given.name.partition(":")[0], -1)
            parts.append(combined(key, str(place), str(given.dtype), str(given.tensor_shape)))
        return combined(*parts)

    def _function(self, name: str) -> str:
        """Returns the structural hash of a library function; a call of itself counts as its own mark."""
        if name not in self._library:
            return combined("external", name)
        if name not in self._functions:
            self._functions[name] = "recursion"
            self._functions[name] = self._structure(self._library[name])
        return self._functions[name]

    def _structure(self, function: Any) -> str:
        hashes = {arg.name: combined("argument", str(i)) for i, arg in enumerate(function.signature.input_arg)}
        types = [str(arg.type) for arg in function.signature.input_arg]
        for node in _in_order(function.node_def):
            data = [_output_of(i, hashes) for i in node.input if not i.startswith("^")]
            control = sorted({hashes[i[1:]] for i in node.input if i.startswith("^") and i[1:] in hashes})
            hashes[node.name] = combined(node.op, self._attributes(node.attr), data, control)
        results = [_output_of(function.ret[arg.name], hashes) for arg in function.signature.output_arg]
        effects = sorted(_output_of(source, hashes) for source in function.control_ret.values())
        return combined(types, results, effects, sorted(hashes.values()))

    def _attributes(self, attributes: Mapping[str, Any]) -> list[str]:
        kept = sorted(key for key in attributes if not key.startswith("_") and key not in _NAMES_ONLY)
        return [combined(key, self._attribute(attributes[key])) for key in kept]

    def _attribute(self, value: Any) -> str:
        kind = value.WhichOneof("value")
        if kind == "func":
            return self._function(value.func.name)
        if kind == "list" and value.list.func:
            return combined(*(self._function(f.name) for f in value.list.func))
        return combined(value.SerializeToString(deterministic=True))

    def _object(self, index: int) -> str:
        """Returns the hash of a captured object by its content."""
        if index not in self._captured:
            self._captured[index] = "recursion"
            self._captured[index] = self._object_content(index)
        return self._captured[index]

    def _object_content(self, index: int) -> str:
        node = self._objects.nodes[index]
        kind = node.WhichOneof("kind") or ""
        if kind == "variable":
            variable = node.variable
            value = self._values.get(index, "")
            return combined(kind, str(variable.dtype), str(variable.shape), value)
        if kind == "constant":
            return combined(kind, self._attributes(self._main[node.constant.operation].attr))
        if kind == "asset":
            return combined(kind, self._asset(node.asset.asset_file_def_index))
        children = [(child.local_name, self._object(child.node_id)) for child in node.children]
        functions = list(node.function.concrete_functions) if kind == "function" else []
        return combined(
            kind,
            [combined(*child) for child in sorted(children)],
            [combined(self._function(name), self._captures(name)) for name in functions],
        )

    def _captures(self, function: str) -> list[str]:
        bound = self._objects.concrete_functions[function].bound_inputs
        return [self._object(index) for index in bound]

    def _asset(self, index: int) -> str:
        path = os.path.join(self._folder, "assets", self._meta.asset_file_def[index].filename)
        state = hashlib.blake2b(digest_size=16)
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                state.update(block)
        return state.hexdigest()


def _output_of(source: str, hashes: Mapping[str, str]) -> str:
    """Returns the hash of "node:output:index"; an argument stands by its bare name."""
    name, _, output = source.partition(":")
    return combined(hashes[name], output)


def _in_order(nodes: Iterable[Any]) -> list[Any]:
    """Returns nodes so that each comes after its inputs."""
    by_name = {node.name: node for node in nodes}
    ordered: list[Any] = []
    state: dict[str, bool] = {}
    for root in by_name:
        waiting = [root]
        while waiting:
            name = waiting[-1]
            if state.get(name):
                waiting.pop()
            elif name in state:
                state[name] = True
                ordered.append(by_name[waiting.pop()])
            else:
                state[name] = False
                sources = (i.removeprefix("^").partition(":")[0] for i in by_name[name].input)
                waiting.extend(source for source in sources if source in by_name and source not in state)
    return ordered


def _checkpoint_values(folder: str, objects: Any) -> dict[int, str]:
    """Returns the hash of each variable's value, by the index of its object.

    The object graphs of model and checkpoint are walked together from their roots, by the names of children, as
    TensorFlow does when it restores.
    """
    prefix = os.path.join(folder, _VARIABLES)
    if not os.path.isfile(prefix + ".index"):
        return {}
    from tensorflow.core.protobuf import trackable_object_graph_pb2
    from tensorflow.python.training import py_checkpoint_reader

    reader = py_checkpoint_reader.NewCheckpointReader(prefix)
    tracked = trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )
    keys = {
        i: attribute.checkpoint_key
        for i, node in enumerate(tracked.nodes)
        for attribute in node.attributes
        if attribute.name == "VARIABLE_VALUE"
    }
    pairs, waiting = {0: 0}, [0]
    while waiting:
        index = waiting.pop()
        saved = {child.local_name: child.node_id for child in tracked.nodes[pairs[index]].children}
        for child in objects.nodes[index].children:
            if child.local_name in saved and child.node_id not in pairs:
                pairs[child.node_id] = saved[child.local_name]
                waiting.append(child.node_id)
    return {i: _value_hash(reader, keys[saved]) for i, saved in pairs.items() if saved in keys}


def _value_hash(reader: Any, key: str) -> str:
    value = reader.get_tensor(key)
    data = combined(*map(bytes, value.ravel())) if value.dtype == object else value.tobytes()
    return combined(str(value.dtype), str(value.shape), data)
