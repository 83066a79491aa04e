"""Files by name and content: listing sources, hashing, digests of folders, manifests. Standard library only."""

from __future__ import annotations

import ctypes
import errno
import glob
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

MANIFEST = "_files.json"
_CHUNK = 1 << 20
_PUNCH_HOLE_KEEP_SIZE = 3


@dataclass(frozen=True)
class FileHash:
    """One file of a tree.

    Attributes:
        path: Relative to the tree's root, with "/"; "" when the tree is a single file.
        size: In bytes.
        sha256: Of the content, in hex.
    """

    path: str
    size: int
    sha256: str


def list_files(path: str) -> tuple[str, list[str]]:
    """Lists the source files behind a file, a folder (with its subfolders) or a glob.

    Hidden names and names that begin with "_" are skipped below the base, unless a file is named outright.
    `**` in a glob matches any number of folders. Links to folders are followed, but for those that lead back to a
    folder above themselves. What is neither a file nor a folder, a pipe or a broken link, is listed too: leaving it out
    silently could be leaving out data.

    Returns:
        The absolute base folder and the names relative to it, with "/", sorted; no names when nothing matches.
    """
    full = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(full):
        return full, sorted(name for name in _walk(full) if not _is_private(name))
    if os.path.lexists(full):
        return os.path.dirname(full), [os.path.basename(full)]
    base = _glob_base(full)
    matches = [match for match in glob.glob(full, recursive=True) if not os.path.isdir(match)]
    circles = {folder for folder in {*map(os.path.dirname, matches)} if _goes_in_circles(folder, base)}
    found = (os.path.relpath(match, base) for match in matches if os.path.dirname(match) not in circles)
    return base, sorted({name for name in map(_posix, found) if not _is_private(name)})


def sha256_of(path: str) -> str:
    """Returns the SHA-256 of a file's content, in hex.

    Raises:
        OSError: It can't be read, or is no regular file: reading a pipe could last for ever.
    """
    kind = odd_kind(os.stat(path).st_mode)
    if kind:
        raise OSError(errno.EINVAL, f"It is a {kind}, no regular file", path)
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def odd_kind(mode: int) -> str:
    """Returns what a file is that holds no bytes, such as "named pipe"; "" for files, folders and links.

    Args:
        mode: Its `st_mode`.
    """
    kinds = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(mode), "")


def hash_tree(path: str) -> list[FileHash]:
    """Hashes a file, or every file below a folder (but its manifest), sorted by name.

    Empty folders, times and permissions don't count; links count as what they point to.

    Raises:
        FileNotFoundError: There is nothing at `path`.
    """
    if os.path.isfile(path):
        return [FileHash("", os.path.getsize(path), sha256_of(path))]
    if not os.path.isdir(path):
        raise FileNotFoundError(f"There is no file or folder at {path}.")
    return [
        FileHash(name, os.path.getsize(full), sha256_of(full))
        for name in sorted(_walk(path))
        if name != MANIFEST
        for full in [os.path.join(path, name)]
    ]


def digest_tree(path: str) -> str:
    """Returns the digest of a file's content, or of a folder's names and contents: "tree-1:<32 hex>".

    The digest of a single file doesn't depend on its name.
    """
    return digest_entries(hash_tree(path))


def digest_entries(entries: Iterable[FileHash]) -> str:
    """Returns the digest of an already hashed tree, in any order of its files."""
    lines = sorted(f"{entry.sha256} {entry.size} {json.dumps(entry.path)}\n" for entry in entries)
    return "tree-1:" + hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def write_manifest(folder: str, entries: Iterable[FileHash] | None = None) -> str:
    """Writes `_files.json` into a folder: path, size and SHA-256 of each file.

    Args:
        folder: The folder.
        entries: Its `hash_tree`, where that is known already.

    Returns:
        The SHA-256 of the manifest, in hex: the folder's `bytes_digest`.
    """
    lines = (
        json.dumps(asdict(entry), separators=(",", ":"))
        for entry in (hash_tree(folder) if entries is None else entries)
    )
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    Path(folder, MANIFEST).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: str) -> list[FileHash]:
    """Reads a folder's manifest.

    Raises:
        FileNotFoundError: The folder has none.
        ValueError: It is damaged.
    """
    file = Path(folder, MANIFEST)
    try:
        return [FileHash(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ValueError(f"{file} is damaged: {error}.") from error


def check_manifest(folder: str, *, deep: bool = False, sealed_ns: int | None = None) -> list[str]:
    """Compares a folder with its manifest: names and sizes, with `deep` contents too.

    Args:
        folder: The folder.
        deep: Whether to read every file.
        sealed_ns: A time in nanoseconds since the epoch; files that were changed later are read in any case. No
            program can set back the time that is looked at (`st_ctime`).

    Returns:
        One sentence for each difference; none when all is well.
    """
    try:
        recorded = {entry.path: entry for entry in read_manifest(folder)}
    except (FileNotFoundError, ValueError) as error:
        return [f"The manifest can't be read: {error}"]
    present = set(_walk(folder)) - {MANIFEST}
    problems = [f"{name} is missing." for name in sorted(recorded.keys() - present)]
    problems += [f"{name} is not in the manifest." for name in sorted(present - recorded.keys())]
    for name in sorted(recorded.keys() & present):
        problems += _differences(folder, recorded[name], deep, sealed_ns)
    return problems


Stamp = tuple[int, int, int, int]
"""What a file system says of a file: size, time of modification and of change in nanoseconds, inode."""


def stamps(path: str) -> dict[str, Stamp]:
    """Returns the stamp of every file and folder below a folder, or of one file.

    Nothing is read, two microseconds a file. Two equal results mean that no file has been written, replaced, added or
    removed in between.

    Returns:
        By name relative to the folder; names of folders end in "/", the path itself is "". None at all when there is
        nothing.
    """
    if not os.path.lexists(path):
        return {}
    found = {"": _stamp(os.lstat(path))}
    pending = [("", path)] if os.path.isdir(path) else []
    while pending:
        above, folder = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                name = f"{above}{entry.name}/" if is_folder else above + entry.name
                found[name] = _stamp(entry.stat(follow_symlinks=False))
                if is_folder:
                    pending.append((name, entry.path))
    return found


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def make_hole(descriptor: int, start: int, end: int) -> bool:
    """Gives the disk back what lies between two places of a file that others may append to; zeros stand there then.

    Returns:
        Whether it was done: not every system and file system can.
    """
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    except AttributeError:
        return False
    done = fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, ctypes.c_int64(start), ctypes.c_int64(end - start))
    return int(done) == 0


def drop_middle(descriptor: int, head: int, tail: int) -> None:
    """Shortens a log that nobody writes to any more: whole lines of its beginning and its end stay.

    A line in between says how many bytes were dropped; a file that isn't longer than both stays as it is.

    Args:
        descriptor: Open for reading and appending.
        head: Bytes of the beginning, at most.
        tail: Bytes of the end, at most.
    """
    size = os.fstat(descriptor).st_size
    if size <= head + tail:
        return
    first = os.pread(descriptor, head, 0).rfind(b"\n") + 1 or head
    last = os.pread(descriptor, tail, size - tail)
    last = last[last[:-1].find(b"\n") + 1 :]
    os.ftruncate(descriptor, first)
    os.write(descriptor, f"--- {size - first - len(last):,} bytes of output were dropped here ---\n".encode() + last)


def content_bytes(path: str) -> int:
    """Returns the size of a file, or of the files of a folder: by its manifest where it has one, else by a walk."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    try:
        return sum(entry.size for entry in read_manifest(path))
    except (FileNotFoundError, ValueError):
        return sum(os.path.getsize(os.path.join(path, name)) for name in _walk(path))


def _differences(folder: str, entry: FileHash, deep: bool, sealed_ns: int | None) -> Iterator[str]:
    full = os.path.join(folder, entry.path)
    found = os.stat(full)
    read = deep or (sealed_ns is not None and found.st_ctime_ns > sealed_ns)
    if found.st_size != entry.size:
        yield f"{entry.path} has {found.st_size} bytes, the manifest says {entry.size}."
    elif read and sha256_of(full) != entry.sha256:
        yield f"{entry.path} has another content than the manifest says."


def _walk(folder: str) -> Iterator[str]:
    """Yields every file below a folder, relative to it, with "/"; links are followed that don't lead back up."""
    real = os.path.realpath(folder)
    return _below(folder, "", real, frozenset([real]))


def _below(folder: str, prefix: str, real: str, above: frozenset[str]) -> Iterator[str]:
    """Yields the files below one folder of a tree.

    Args:
        folder: Where it is.
        prefix: What stands before its files' names, "" or "sub/".
        real: The folder, links resolved.
        above: It and the folders above it, links resolved.
    """
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:  # removed meanwhile
        return
    for entry in entries:
        if not entry.is_dir():
            yield prefix + entry.name
            continue
        inner = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(real, entry.name)
        if inner not in above:
            yield from _below(entry.path, f"{prefix}{entry.name}/", inner, above | {inner})


def _goes_in_circles(folder: str, base: str) -> bool:
    """Says whether the way from a base to a folder below it comes through one place twice, by a link back up."""
    way = [base]
    for part in Path(os.path.relpath(folder, base)).parts:
        way.append(os.path.join(way[-1], part))
    return len({*map(os.path.realpath, way)}) < len(way)


def _glob_base(pattern: str) -> str:
    """Returns the deepest folder of a pattern that holds no wildcard."""
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return os.path.join(*parts[:fixed])


def _is_private(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in name.split("/"))


def _posix(path: str) -> str:
    return path.replace(os.sep, "/")
