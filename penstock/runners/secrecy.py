"""The values of a task's secrets: masked in what it says, refused in what it hands on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.pipeline.errors import UserCodeError
from penstock.pipeline.plan import Json
from penstock.pipeline.task import Task

MASK = "***"
SHORTEST_WITHIN = 4
"""Secrets of fewer characters are looked for as whole texts only: within others they stand by chance."""


def without_secrets(text: str, task: Task) -> str:
    """Return a text with the task's secrets masked."""
    for secret in secrets_of(task):
        text = text.replace(secret, MASK)
    return text


def said_without_secrets(value: Json, task: Task) -> Json:
    """Return a value that a step reports of itself, the task's secrets masked in its texts."""
    if isinstance(value, str):
        return without_secrets(value, task)
    if isinstance(value, Mapping):
        return {key: said_without_secrets(item, task) for key, item in value.items()}
    return [said_without_secrets(item, task) for item in value] if isinstance(value, list) else value


def secrets_of(task: Task) -> list[str]:
    """Return the values of the secrets that a task uses and each of their lines, the longest first."""
    values = [os.environ.get(name, "") for name in _names(task.parameters)]
    lines = {line.strip() for value in values for line in [value, *value.splitlines()]}
    return sorted(lines - {""}, key=lambda line: (-len(line), line))


def refuse_secrets(task: Task, place: str, value: Json) -> None:
    """See to it that a value that is about to be recorded holds none of the task's secrets.

    Refused rather than masked: what uses the value would go on with a mask in it, and the cache would hand it on.

    Args:
        task: The task.
        place: Where the value stands, in words: "returns 'key'".
        value: It, as JSON.

    Raises:
        UserCodeError: It holds one.
    """
    names = [name for name in _names(task.parameters) if os.environ.get(name)]
    texts = list(_texts(value)) if names else []
    for name in names:
        if any(_holds(text, os.environ[name].strip()) for text in texts):
            raise UserCodeError(
                f"{task.step} {place}, which holds the value of Secret({name!r}): it would be recorded in clear, in "
                f"the metadata store and beside it. Hand on what isn't secret; a step that needs the secret takes "
                f"Secret({name!r}) itself."
            )


def _holds(text: str, secret: str) -> bool:
    return text.strip() == secret or (len(secret) >= SHORTEST_WITHIN and secret in text)


def _texts(value: Json) -> Iterator[str]:
    """Yield the texts and whole numbers in a value, keys among them."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str) or (isinstance(value, int) and value >= 10 ** (SHORTEST_WITHIN - 1)):
        yield str(value)


def _names(value: Any) -> list[str]:
    """Return the names of the secrets in parameters."""
    if isinstance(value, Mapping):
        if "$secret" in value:
            return [value["$secret"]]
        return [name for item in value.values() for name in _names(item)]
    return [name for item in value for name in _names(item)] if isinstance(value, list | tuple) else []
