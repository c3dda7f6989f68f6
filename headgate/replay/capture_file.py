"""Capture files: written whole or not at all, and read so that a cut one is noticed."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from headgate.replay import capture_lines, capture_parquet
from headgate.replay.capture_format import End, Form, Header, Item, Writer
from headgate.replay.capture_lines import CompressedLinesWriter, LinesWriter
from headgate.replay.capture_parquet import ParquetWriter
from headgate.replay.recorded import Recorded, SourceUnreadable
from headgate.streams.errors import HeadgateError

FORMS: dict[str, Form] = {
    ".ndjson": LinesWriter,
    ".ndjson.zst": CompressedLinesWriter,
    ".parquet": ParquetWriter,
}
"""How a file is written, by the end of its name."""
MODE = 0o600
"""Only its owner may read a capture: it holds what merchants' customers have bought."""


class CaptureUnwritable(HeadgateError):
    """A capture file that cannot be written, with the reason."""


def suffix_of(name: str) -> str | None:
    """The end of a file's name that says how it is written; None when it is no capture's."""
    return next((suffix for suffix in FORMS if name.endswith(suffix)), None)


class CaptureFile:
    """A capture file that is being written. It bears its name once it is whole; until then it is
    `traffic.part-PID.ndjson.zst`, which stays behind when this fails, to be read with `--partial`.
    """

    def __init__(self, path: Path, header: Header, *, overwrite: bool = False) -> None:
        """Raises CaptureUnwritable when the name says nothing of how, when there is such a file
        already, and when it cannot be made."""
        suffix = suffix_of(path.name)
        if suffix is None:
            raise CaptureUnwritable(f"{path}: the name must end in {', '.join(FORMS)}")
        if path.exists() and not overwrite:
            raise CaptureUnwritable(f"{path} exists; choose another name, or say --overwrite")
        self.path = path
        self.part = path.with_name(f"{path.name.removesuffix(suffix)}.part-{os.getpid()}{suffix}")
        self.records = 0
        self.failed = False
        """Whether something could not be written: the part may hold less than `records`."""
        self._raw = self._opened()
        try:
            self._writer: Writer = FORMS[suffix](self._raw, header)
        except HeadgateError:
            self._raw.close()
            self.part.unlink()
            raise

    def write(self, record: Recorded) -> None:
        """Append a record. Raises CaptureUnwritable, such as for a full disk."""
        try:
            self._writer.write(record)
        except OSError as error:
            raise self._unwritable(error) from error
        self.records += 1

    def finish(self, *, cut_by_user: bool = False) -> None:
        """Write the end, and give the file its name. Raises CaptureUnwritable."""
        try:
            self._writer.close(End(records=self.records, cut_by_user=cut_by_user))
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
            self.part.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

    def abandon(self) -> None:
        """Close it without an end: the part stays, with what could be written. Without a record it
        goes. What it is abandoned for has been told, so nothing is raised for a full disk."""
        for close in (functools.partial(self._writer.close, None), self._raw.close):
            try:
                close()
            except (OSError, ValueError):  # ValueError: it was closed when its end failed
                self.failed = True
        if not self.records:
            self.part.unlink()

    def _opened(self) -> BinaryIO:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            return os.fdopen(os.open(self.part, flags, MODE), "wb")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> CaptureUnwritable:
        self.failed = True
        return CaptureUnwritable(f"{self.part} cannot be written: {error.strerror or error}")


def header_of(path: Path) -> Header:
    """What a capture is of. Raises SourceUnreadable."""
    return _header(path, _items(path, partial=True))


def records_of(path: Path, *, partial: bool = False) -> Iterator[Recorded]:
    """The records of a capture file, in its order. Raises SourceUnreadable: for a file that is no
    capture, with the line's number for one that is damaged, and for one that is cut unless
    `partial` will do."""
    items = _items(path, partial=partial)
    _header(path, items)
    count = 0
    for item in items:
        if isinstance(item, End):
            _check_end(path, item, count, next(items, None))
            return
        if not isinstance(item, Recorded):
            raise SourceUnreadable(f"{path}: a second header follows {count} records")
        count += 1
        yield item
    if not partial:
        raise SourceUnreadable(
            f"{path} is cut: it has no end. --partial takes the {count} records that are there"
        )


def _items(path: Path, *, partial: bool) -> Iterator[Item]:
    suffix = suffix_of(path.name)
    if suffix is None:
        raise SourceUnreadable(f"{path} is no capture file: those end in {', '.join(FORMS)}")
    try:
        if suffix == ".parquet":
            yield from capture_parquet.items_of(path)
        else:
            yield from capture_lines.items_of(path, partial=partial)
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be read: {error.strerror or error}") from error


def _header(path: Path, items: Iterator[Item]) -> Header:
    header = next(items, None)
    if not isinstance(header, Header):
        raise SourceUnreadable(f"{path} is empty: not even the header of a capture is in it")
    return header


def _check_end(path: Path, end: End, count: int, more: Item | None) -> None:
    if more is not None:
        raise SourceUnreadable(f"{path}: something follows its end, after {count} records")
    if end.records != count:
        raise SourceUnreadable(f"{path} says that it holds {end.records} records, and has {count}")
