"""A full disk is recognised, whoever hands its error on."""

from __future__ import annotations

import errno
import os

import pytest

from penstock.data import disk


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("OSError: [Errno 28] No space left on device [while running 'Ingest']"),
    ],
)
def test_a_full_disk_is_recognised_by_number_and_by_text(error):
    assert disk.is_full(error)


def test_a_full_disk_is_recognised_behind_another_error():
    error = ValueError("not written")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert disk.is_full(error)


def test_another_error_is_no_full_disk():
    assert not disk.is_full(OSError(errno.EACCES, os.strerror(errno.EACCES)))


def test_the_first_of_equally_full_folders_is_named(tmp_path):
    (tmp_path / "other").mkdir()

    folder, room = disk.tightest([str(tmp_path), str(tmp_path / "other")])

    assert folder == str(tmp_path)
    assert room > 0
