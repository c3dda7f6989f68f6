"""Records and capture files for tests of replay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.replay.capture_file import CaptureFile, suffix_of
from headgate.replay.capture_format import Header
from headgate.replay.recorded import Recorded

HEADER = Header(
    headgate="0.1.0",
    namespace="",
    partitions=8,
    topics=("payments.commands",),
    began_at="2026-11-26T10:00:00.000Z",
)


def a_record(offset: int = 0, at_ms: int = 1000, partition: int = 0, **more: object) -> Recorded:
    """A record; what a test is not about is the same in all of them."""
    given: dict[str, object] = {
        "topic": "payments.commands", "key": b"pay_1", "value": b"{}", "headers": (("v", b"1"),),
    }  # fmt: skip
    given |= {"offset": offset, "at_ms": at_ms, "partition": partition}
    return Recorded(**{**given, **more})  # type: ignore[arg-type]


def full_disk(path: Path) -> Path:
    """The part of a capture that is to be written here, on a disk that is full."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    suffix = suffix_of(path.name) or ""
    part = path.with_name(f"{path.name.removesuffix(suffix)}.part-{os.getpid()}{suffix}")
    part.symlink_to("/dev/full")
    return part


def written(path: Path, *records: Recorded) -> Path:
    """A whole capture file with these records."""
    file = CaptureFile(path, HEADER, overwrite=True)
    for record in records:
        file.write(record)
    file.finish()
    return path
