"""Pushing a SavedModel into a folder of numbered versions: whole or not at all, and once for the same content."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.components.push.push_record import (
    PushedFile,
    PushRecord,
    holds,
    latest_version,
    push_key,
    stamp_of,
    versions,
    write_record,
)
from penstock.data.files import MANIFEST, digest_tree, read_manifest
from penstock.pipeline import step
from penstock.pipeline.errors import ParameterError, PlatformError, UserCodeError

STAGING_PREFIX = ".penstock-"
LOCK_FILE = ".penstock.lock"
RENAME_ATTEMPTS = 100
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Source:
    """The model that is pushed.

    Attributes:
        artifact: Path of the `Model` artifact, with its manifest where it has one.
        saved_model: The SavedModel folder inside it, which is what gets copied.
        digest: Its semantic digest, "" where it is not recorded.
        uri: Where it stands in its root.
        id: Its id in the metadata store.
    """

    artifact: str
    saved_model: str
    digest: str = ""
    uri: str = ""
    id: int = 0


@dataclass(frozen=True)
class Pushed:
    """Where a model is now; `adopted` when an earlier push had already brought it there."""

    folder: str
    version: int
    key: str
    model_digest: str
    adopted: bool


def push(source: Source, destination: str) -> Pushed:
    """Make the model the latest version at `destination`, unless it already is.

    The files are copied beside the versions, forced to the disk and checked against the artifact's manifest; one
    rename makes them visible. Pushers take turns by a lock, so what earlier ones left half-done is removed.

    Raises:
        UserCodeError: The artifact holds no SavedModel.
        ParameterError: The destination is a file.
        PlatformError: The destination can't be written, the disk is full, or the artifact's files were changed.
    """
    if not os.path.isfile(os.path.join(source.saved_model, "saved_model.pb")):
        raise UserCodeError(
            f"{source.saved_model} holds no saved_model.pb, so there is no SavedModel to push. "
            f"Save one in run_fn with save_model of penstock.components.training."
        )
    digest = source.digest or digest_tree(source.saved_model)
    key = push_key(digest, destination)
    try:
        with _turn(destination):
            _remove_leftovers(destination)
            latest = latest_version(destination)
            if latest and holds(latest, key):
                return Pushed(latest, int(os.path.basename(latest)), key, digest, adopted=True)
            return _push_new(source, destination, digest, key)
    except (FileExistsError, NotADirectoryError) as error:
        raise ParameterError(
            f"The push destination {destination} must be a folder, and {error.filename or 'a part of it'} is a file. "
            f"Name another push_destination, or move the file away."
        ) from error
    except OSError as error:
        raise PlatformError(_disk_message(error, destination)) from error


def _push_new(source: Source, destination: str, digest: str, key: str) -> Pushed:
    staging = os.path.join(destination, f"{STAGING_PREFIX}{step.execution() or uuid.uuid4().hex}")
    try:
        os.mkdir(staging)
        record = PushRecord(
            key=key,
            model_digest=digest,
            model_uri=source.uri,
            model_id=source.id,
            execution=step.execution(),
            run=step.run(),
            pushed_at=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            files=tuple(_copy(source, staging)),
        )
        write_record(staging, record)
        _sync_folders(staging)
        folder = _publish(staging, destination)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _sync_folder(destination)
    return Pushed(folder, int(os.path.basename(folder)), key, digest, adopted=False)


def _publish(staging: str, destination: str) -> str:
    """Rename to the next free number; another tool may take one between listing and renaming."""
    for _ in range(RENAME_ATTEMPTS):
        taken = versions(destination)
        folder = os.path.join(destination, str(taken[-1] + 1 if taken else 1))
        try:
            os.rename(staging, folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        else:
            return folder
    raise PlatformError(
        f"Every version number tried at {destination} was taken at once by another writer. Run the step again."
    )


def _copy(source: Source, staging: str) -> Iterator[PushedFile]:
    recorded = _recorded_hashes(source)
    for parent, _, names in sorted(os.walk(source.saved_model)):
        inside = os.path.relpath(parent, source.saved_model)
        os.makedirs(os.path.join(staging, inside), exist_ok=True)
        for name in sorted(names):
            path = os.path.normpath(os.path.join(inside, name)).replace(os.sep, "/")
            copy = os.path.join(staging, inside, name)
            sha256 = _copy_file(os.path.join(parent, name), copy)
            if recorded.get(path, sha256) != sha256:
                raise PlatformError(
                    f"{os.path.join(parent, name)} is not what the training step recorded: its content has changed. "
                    f"Nothing was pushed. Run the pipeline again to train the model anew."
                )
            yield PushedFile(path, os.path.getsize(copy), sha256, stamp_of(copy))


def _recorded_hashes(source: Source) -> dict[str, str]:
    """Return the manifest's sha256 by path below the SavedModel; nothing where the artifact has no manifest."""
    if not os.path.isfile(os.path.join(source.artifact, MANIFEST)):
        return {}
    try:
        manifest = read_manifest(source.artifact)
    except ValueError as error:
        raise PlatformError(f"{error} Nothing was pushed. Train the model again.") from error
    inside = os.path.relpath(source.saved_model, source.artifact).replace(os.sep, "/")
    prefix = "" if inside == "." else inside + "/"
    hashes = {entry.path[len(prefix) :]: entry.sha256 for entry in manifest if entry.path.startswith(prefix)}
    missing = [path for path in hashes if not os.path.isfile(os.path.join(source.saved_model, path))]
    if missing:
        raise PlatformError(
            f"{source.saved_model} lacks {missing[0]}, which the training step recorded. Nothing was pushed. "
            f"Train the model again."
        )
    return hashes


def _copy_file(source: str, target: str) -> str:
    digest = hashlib.sha256()
    with open(source, "rb") as reader, open(target, "xb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


@contextlib.contextmanager
def _turn(destination: str) -> Iterator[None]:
    """Wait for this pusher's turn; the lock ends with the process that holds it."""
    os.makedirs(destination, exist_ok=True)
    with open(os.path.join(destination, LOCK_FILE), "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_leftovers(destination: str) -> None:
    """Remove the staging folders of pushers that died: a living one would hold the lock."""
    for entry in os.scandir(destination):
        if entry.name.startswith(STAGING_PREFIX) and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)


def _sync_folders(folder: str) -> None:
    for parent, _, _ in os.walk(folder):
        _sync_folder(parent)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _disk_message(error: OSError, destination: str) -> str:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"The push destination {destination} can't be written: {error.strerror}. Nothing was pushed. "
            f"Give this user the right to write there, or name another push_destination."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"No room for the model at {destination}: {error.strerror}. Nothing was pushed and nothing is left "
            f"behind. Free space, or name another push_destination."
        )
    return f"Pushing to {destination} failed: {error}. Nothing was pushed."
